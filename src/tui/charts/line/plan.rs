//! Where everything goes: bounds, ticks and the plot's rectangle.

use std::ops::Range;

use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::super::axis::{XUnit, grown};
use super::super::format::significant;
use super::super::scale::Scale;
use super::super::series::Values;
use super::super::ticks::{Tick, axis, ticks};
use super::{Line, LineChart, XAxis, at};

/// Rows of plot for each tick of the y axis, and columns for each of the x axis.
const ROWS_PER_TICK: usize = 3;
const COLUMNS_PER_TICK: usize = 10;
/// From this height on, the x axis has a line of its own.
const HIGH_ENOUGH_FOR_AXIS_LINE: u16 = 9;
/// From this width on, lines carry their values at their ends.
const WIDE_ENOUGH_FOR_LABELS: u16 = 24;
/// Significant digits of values at the ends of lines.
const DIGITS: usize = 4;
/// Values have outliers if all of them span so many times what they usually do.
const FAR_OUT: f64 = 4.0;
/// Parts of the values that may lie off scale on either side. Of a GHN's networks, one in fifty may explode.
const OFF_SCALE: f64 = 0.05;
/// A curve runs where the median of a piece of it lies: so many pieces, of at least so many values.
const PIECES: usize = 100;
const LEAST_PIECE: usize = 5;
/// Quantiles are taken from at most this many evenly spaced values.
const SAMPLES: usize = 1 << 14;

/// A line's value beside the plot.
pub(super) struct EndLabel {
    /// Index into the chart's lines.
    pub line: usize,
    /// The place of the value, on both axes.
    pub at: (f64, f64),
    pub text: String,
}

/// What a chart shows, and where.
pub(super) struct Plan {
    pub x: Scale,
    pub y: Scale,
    /// Whether outliers are off the y axis.
    pub clipped: bool,
    pub plot: Rect,
    pub y_ticks: Vec<Tick>,
    pub x_ticks: Vec<Tick>,
    pub axis_line: bool,
    pub labels: Vec<EndLabel>,
    /// Points on the x axis, per line.
    pub shown: Vec<Range<usize>>,
}

impl Plan {
    /// None if there is no point to show.
    pub fn new(chart: &LineChart, area: Rect) -> Option<Self> {
        let x = x_scale(chart.lines.iter().map(|line| line.x), &chart.x)?;
        let shown: Vec<Range<usize>> = chart.lines.iter().map(|line| points(line, &x)).collect();
        let axis_line = area.height >= HIGH_ENOUGH_FOR_AXIS_LINE;
        let rows = area.height.saturating_sub(2 + u16::from(axis_line));
        let (y, clipped) = y_scale(chart, &x, &shown, (usize::from(rows) / 2).clamp(4, 10));
        let y_ticks = ticks(&y, (usize::from(rows) / ROWS_PER_TICK).max(1) + 1);
        let labels = labels(chart, &shown, area);
        let plot = plot(area, rows, &y_ticks, &labels);
        let most = (usize::from(plot.width) / COLUMNS_PER_TICK).max(3);
        Some(Self {
            x_ticks: chart.x.unit.ticks(&x, most),
            x,
            y,
            clipped,
            plot,
            y_ticks,
            axis_line,
            labels,
            shown,
        })
    }

    /// The plot's row (from the top of the screen) in which a value lies; None off the plot.
    pub fn row(&self, value: f64) -> Option<u16> {
        let last = self.plot.height.checked_sub(1)?;
        let fraction = self.y.fraction(value)?;
        let inside = (-0.001..=1.001).contains(&fraction);
        inside.then(|| self.plot.bottom() - 1 - (fraction * f64::from(last)).round() as u16)
    }

    /// The plot's column in which an x lies; None off the plot.
    pub fn column(&self, x: f64) -> Option<u16> {
        let last = self.plot.width.checked_sub(1)?;
        let fraction = self.x.fraction(x)?;
        let inside = (-0.001..=1.001).contains(&fraction);
        inside.then(|| self.plot.x + (fraction * f64::from(last)).round() as u16)
    }
}

/// The x axis of some lines; None if none has a point on it.
pub(super) fn x_scale<'a>(
    lines: impl IntoIterator<Item = &'a [f64]>,
    axis: &XAxis,
) -> Option<Scale> {
    let scale = if axis.log { Scale::log } else { Scale::linear };
    let mut bounds: Option<(f64, f64)> = None;
    for x in lines {
        let from = if axis.log {
            x.partition_point(|&x| x <= 0.0)
        } else {
            0
        };
        if let (Some(&low), Some(&high)) = (x.get(from), x.last()) {
            let (a, b) = bounds.unwrap_or((low, high));
            bounds = Some((a.min(low), b.max(high)));
        }
    }
    let (low, high) = bounds?;
    if let Some((from, to)) = axis.view {
        return Some(scale(from, to));
    }
    let end = match axis.unit {
        XUnit::Index => high,
        unit => grown(high, axis.limit, unit),
    };
    let start = match axis.unit {
        XUnit::Index => low,
        _ if axis.log => low,
        _ => low.min(0.0),
    };
    Some(scale(start, end))
}

/// The points of a line that lie on the x axis.
fn points(line: &Line, x: &Scale) -> Range<usize> {
    let start = line.x.partition_point(|&at| at < x.low());
    let end = line.x.partition_point(|&at| at <= x.high());
    start.min(line.y.len())..end.min(line.y.len())
}

/// The y axis, and whether outliers are off it.
fn y_scale(chart: &LineChart, x: &Scale, shown: &[Range<usize>], parts: usize) -> (Scale, bool) {
    let which = if chart.y.log {
        Values::Positive
    } else {
        Values::Finite
    };
    let lines = || {
        let ranges = chart.lines.iter().zip(shown);
        ranges.map(|(line, range)| (line.y, with_neighbours(range, line.y.len())))
    };
    let bands = chart.bands.iter().flat_map(|band| {
        let end = band.x.partition_point(|&at| at <= x.high());
        let range = band.x.partition_point(|&at| at < x.low()).min(end)..end;
        let edges = [band.low, band.high];
        edges.map(|edge| edge.bounds(range.clone(), which))
    });
    let bands = joined(bands.flatten());
    let all = joined(lines().filter_map(|(y, range)| y.bounds(range, which)));
    let most = chart
        .y
        .clip
        .then(|| joined(lines().filter_map(|(y, range)| usual(&y.values()[range], which))));
    let clipped = most.flatten().filter(|most| {
        let span = |(low, high): (f64, f64)| axis_span(low, high, chart.y.log);
        all.is_some_and(|all| span(all) > FAR_OUT * span(*most))
    });
    let bounds = joined(clipped.or(all).into_iter().chain(bands));
    let nothing = (if chart.y.log { 0.1 } else { 0.0 }, 1.0);
    let (low, high) = bounds.unwrap_or(nothing);
    (axis(low, high, chart.y.log, parts), clipped.is_some())
}

/// The bounds of all.
fn joined(bounds: impl Iterator<Item = (f64, f64)>) -> Option<(f64, f64)> {
    bounds.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// How much of an axis lies between two values.
fn axis_span(low: f64, high: f64, log: bool) -> f64 {
    if log {
        high.log10() - low.log10()
    } else {
        high - low
    }
}

/// Between two points a line is seen although no point is: then its ends count.
fn with_neighbours(range: &Range<usize>, len: usize) -> Range<usize> {
    if range.is_empty() {
        range.start.saturating_sub(1)..(range.end + 1).min(len)
    } else {
        range.clone()
    }
}

/// Where values usually lie: most of them, and wherever the curve runs for a while, such as high above at its
/// beginning.
fn usual(values: &[f32], which: Values) -> Option<(f64, f64)> {
    let counts = |value: &f32| value.is_finite() && (which == Values::Finite || *value > 0.0);
    let apart = values.len().div_ceil(SAMPLES).max(1);
    let mut sample: Vec<f32> = values
        .iter()
        .copied()
        .step_by(apart)
        .filter(counts)
        .collect();
    let while_long = sample.len().div_ceil(PIECES).max(LEAST_PIECE);
    let pieces = sample.chunks_exact_mut(while_long);
    let run = joined(pieces.map(|piece| (quantile(piece, 0.5), quantile(piece, 0.5))));
    if sample.is_empty() {
        return None;
    }
    let most = (
        quantile(&mut sample, OFF_SCALE),
        quantile(&mut sample, 1.0 - OFF_SCALE),
    );
    joined(run.into_iter().chain([most]))
}

/// Of values in any order, which it changes; there is at least one.
fn quantile(values: &mut [f32], part: f64) -> f64 {
    let rank = (part * (values.len() - 1) as f64).round() as usize;
    f64::from(*values.select_nth_unstable_by(rank, f32::total_cmp).1)
}

fn labels(chart: &LineChart, shown: &[Range<usize>], area: Rect) -> Vec<EndLabel> {
    if !chart.end_labels || area.width < WIDE_ENOUGH_FOR_LABELS {
        return Vec::new();
    }
    let lines = chart.lines.iter().zip(shown).enumerate();
    lines
        .filter_map(|(index, (line, range))| {
            let point = match chart.cursor {
                Some(place) => at(line.x, place)?,
                None => last_finite(line, range)?,
            };
            let value = f64::from(*line.front().values().get(point)?);
            let text = match line.label {
                "" => significant(value, DIGITS),
                label => format!("{} {label}", significant(value, DIGITS)),
            };
            Some(EndLabel {
                line: index,
                at: (line.x[point], value),
                text,
            })
        })
        .collect()
}

/// The last point on the axis whose value can be written.
fn last_finite(line: &Line, range: &Range<usize>) -> Option<usize> {
    let values = line.front().values().get(range.clone())?;
    values
        .iter()
        .rposition(|value| value.is_finite())
        .map(|place| range.start + place)
}

/// The plot between the tick labels and the values at the ends of the lines.
fn plot(area: Rect, rows: u16, ticks: &[Tick], labels: &[EndLabel]) -> Rect {
    let tick_width = ticks.iter().map(|tick| tick.label.width()).max();
    let left = tick_width.unwrap_or(0) as u16 + 2;
    let label_width = labels.iter().map(|label| label.text.width()).max();
    // A space, the marker, a space, the text.
    let right = label_width.map_or(1, |width| width as u16 + 3);
    Rect {
        x: area.x + left.min(area.width),
        y: area.y + 1,
        width: area.width.saturating_sub(left + right),
        height: rows,
    }
}
