//! Draws the charts of some runs.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::widgets::Widget as _;

use super::curves::{Curves, Spread};
use super::metric::{Metric, Part, parts, values};
use super::sight::Sight;
use crate::tui::charts::{
    Band, Glyphs, Line, LineChart, Palette, Scale, Slot, XAxis, YAxis, x_extent,
};
use crate::tui::glyphs::GlyphSet;
use crate::tui::shared::Look;
use crate::tui::theme::{Level, Theme};

/// From this width on, the names of starts stand at the ends of their means.
const WIDE_ENOUGH_FOR_STARTS: u16 = 64;
/// Share of a line's colour in what lies behind it.
const FADED: f32 = 0.38;

/// A run as the charts see it, or several by their mean.
pub struct Drawn<'a> {
    pub curves: &'a Curves,
    /// Of several runs: what lies around their mean, and the start that they share.
    pub spread: Option<(&'a Spread, &'a str)>,
    pub slot: Slot,
    /// Epochs that were asked for.
    pub epochs: u32,
}

/// The x axis with all points of some runs on it, the same for every chart.
#[must_use]
pub fn full(runs: &[Drawn], sight: &Sight) -> Option<Scale> {
    let tables = runs
        .iter()
        .flat_map(|run| [&run.curves.train, &run.curves.val, &run.curves.test]);
    let limit = runs
        .iter()
        .map(|run| f64::from(run.epochs))
        .reduce(f64::max);
    let axis = XAxis {
        unit: sight.unit,
        log: sight.log_x,
        view: None,
        limit: limit.filter(|_| sight.unit == crate::tui::charts::XUnit::Epoch),
    };
    x_extent(tables.map(|table| table.x(sight.unit)), &axis)
}

/// Where the points of the uppermost run lie that the cursor can go to in a chart.
#[must_use]
pub fn places<'a>(runs: &[Drawn<'a>], sight: &Sight) -> &'a [f64] {
    let curves: Vec<&Curves> = runs.iter().map(|run| run.curves).collect();
    let part = parts(sight.focus, sight.which, &curves).last().copied();
    match (runs.last(), part) {
        (Some(run), Some(part)) => part.table(run.curves).x(sight.unit),
        _ => &[],
    }
}

/// Draws one chart.
pub fn view(
    metric: Metric,
    runs: &[Drawn],
    sight: &Sight,
    look: &Look,
    area: Rect,
    buf: &mut Buffer,
) {
    let all: Vec<&Curves> = runs.iter().map(|run| run.curves).collect();
    let parts = parts(metric, sight.which, &all);
    let title = metric.title(&parts);
    let full = full(runs, sight);
    let window = full.map(|full| sight.window(&full));
    let mut chart = LineChart::new(&title, palette(&look.theme), glyphs(look))
        .lines(lines(metric, &parts, runs, sight, look, area.width))
        .bands(bands(metric, &parts, runs, sight, look))
        .x(XAxis {
            unit: sight.unit,
            log: sight.log_x,
            view: window.map(|window| (window.low(), window.high())),
            limit: None,
        })
        .y(YAxis {
            log: sight.log_y(metric),
            clip: sight.clip(metric),
        })
        .cursor(sight.cursor)
        .focused(sight.focus == metric)
        .markers_on_lines(look.level == Level::None)
        .empty(if runs.is_empty() {
            "no run is selected"
        } else {
            "no points yet"
        });
    if let Some(note) = spread_note(runs) {
        chart = chart.note(note);
    }
    if is_smoothed(metric, &parts, runs, sight) {
        chart = chart.note(format!("smooth {}", sight.decay()));
    }
    if sight.zoom.is_some() {
        chart = chart.note("zoomed");
    }
    if runs.iter().any(|run| !run.curves.complete) {
        chart = chart.note("reading");
    }
    chart.render(area, buf);
}

/// What the bands are, and over how many runs.
fn spread_note(runs: &[Drawn]) -> Option<String> {
    let counts = runs.iter().filter_map(|run| Some(run.spread?.0.runs));
    let (least, most) = (counts.clone().min()?, counts.max()?);
    Some(if least == most {
        format!("mean, 1 sd of {most}")
    } else {
        format!("mean, 1 sd of {least} to {most}")
    })
}

fn is_smoothed(metric: Metric, parts: &[Part], runs: &[Drawn], sight: &Sight) -> bool {
    // A mean is taken of values that are smoothed already.
    let of_means = runs.iter().any(|run| run.spread.is_some());
    if of_means && parts.contains(&Part::Train) && metric != Metric::LearningRate {
        return sight.decay() > 0.0;
    }
    let tables = runs
        .iter()
        .flat_map(|run| parts.iter().map(|part| part.table(run.curves)));
    tables
        .filter_map(|table| values(metric, table))
        .any(|values| values.smooth.is_some())
}

fn lines<'a>(
    metric: Metric,
    parts: &[Part],
    runs: &[Drawn<'a>],
    sight: &Sight,
    look: &Look,
    width: u16,
) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    for run in runs {
        for (index, &part) in parts.iter().enumerate() {
            let table = part.table(run.curves);
            let Some(values) = values(metric, table).filter(|_| !table.is_empty()) else {
                continue;
            };
            let style = look.theme.series(run.slot.colour);
            let faded = faded(style, &look.theme);
            // Beside the curve that counts, the one on training images stands back.
            let behind = part == Part::Train && parts.len() > 1;
            lines.push(Line {
                x: table.x(sight.unit),
                y: values.raw,
                smooth: values.smooth,
                style: if behind {
                    half(style, &look.theme)
                } else {
                    style
                },
                faded,
                marker: glyphs(look).marker(run.slot.marker + index),
                label: match run.spread {
                    Some((_, start)) if width >= WIDE_ENOUGH_FOR_STARTS && parts.len() == 1 => {
                        start
                    }
                    _ if parts.len() > 1 => part.word(),
                    _ => "",
                },
            });
        }
    }
    lines
}

/// What lies around the means. In the order of their lines.
fn bands<'a>(
    metric: Metric,
    parts: &[Part],
    runs: &[Drawn<'a>],
    sight: &Sight,
    look: &Look,
) -> Vec<Band<'a>> {
    let mut bands = Vec::new();
    for run in runs {
        let Some((spread, _)) = run.spread.filter(|(spread, _)| spread.runs > 1) else {
            continue;
        };
        for part in parts {
            let (low, high) = (part.table(&spread.low), part.table(&spread.high));
            let edges = values(metric, low).zip(values(metric, high));
            if let Some((low_values, high_values)) = edges.filter(|_| !low.is_empty()) {
                bands.push(Band {
                    x: low.x(sight.unit),
                    low: low_values.raw,
                    high: high_values.raw,
                    style: faded(look.theme.series(run.slot.colour), &look.theme),
                });
            }
        }
    }
    bands
}

/// The set of characters that charts use.
#[must_use]
pub fn glyphs(look: &Look) -> Glyphs {
    match look.glyphs.set {
        GlyphSet::Unicode => Glyphs::Braille,
        GlyphSet::Blocks => Glyphs::Blocks,
        GlyphSet::Ascii => Glyphs::Ascii,
    }
}

/// The theme in the words of charts.
#[must_use]
pub fn palette(theme: &Theme) -> Palette {
    Palette {
        text: theme.title_idle,
        dim: theme.dim,
        faint: theme.faint,
        line: theme.line,
        accent: theme.title,
        bad: theme.bad,
    }
}

/// A line's style for what lies behind it.
fn faded(style: Style, theme: &Theme) -> Style {
    mixed(style, theme, FADED)
}

/// A line's style for its lesser companion.
fn half(style: Style, theme: &Theme) -> Style {
    mixed(style, theme, 0.62)
}

/// A style between itself (1) and the ground (0); where colours cannot be mixed, the faint style.
fn mixed(style: Style, theme: &Theme, part: f32) -> Style {
    match (style.fg, theme.ground.bg) {
        (Some(Color::Rgb(r, g, b)), Some(Color::Rgb(x, y, z))) => {
            let mix =
                |a: u8, b: u8| (f32::from(a) * part + f32::from(b) * (1.0 - part)).round() as u8;
            style.fg(Color::Rgb(mix(r, x), mix(g, y), mix(b, z)))
        }
        (None, _) => style,
        _ => theme.faint,
    }
}
