//! Draws the charts of some runs.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::widgets::Widget as _;

use super::curves::Curves;
use super::metric::{Metric, Part, parts, values};
use super::sight::Sight;
use crate::tui::charts::{Glyphs, Line, LineChart, Palette, Scale, Slot, XAxis, YAxis, x_extent};
use crate::tui::glyphs::GlyphSet;
use crate::tui::shared::Look;
use crate::tui::theme::{Level, Theme};

/// Share of a line's colour in what lies behind it.
const FADED: f32 = 0.38;

/// A run as the charts see it.
pub struct Drawn<'a> {
    pub curves: &'a Curves,
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
        .lines(lines(metric, &parts, runs, sight, look))
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
    if is_smoothed(metric, &parts, runs) {
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

fn is_smoothed(metric: Metric, parts: &[Part], runs: &[Drawn]) -> bool {
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
                label: if parts.len() > 1 { part.word() } else { "" },
            });
        }
    }
    lines
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
