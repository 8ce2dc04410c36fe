//! Curves over a common x axis.
//!
//! ```text
//! ─ loss ── smooth 0.9 · 2 NaN ────────     title and notes
//!   2 ┤⡇      ×                             axis, plot, marks
//!     │⠘⢄⡀                      ● 0.812     a line's last value, or that at the cursor
//!   0 └──────────┬───────────┬──
//!     0          10          20  epoch
//! ```

mod band;
mod frame;
mod labels;
mod plan;
mod title;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;

pub use self::band::Band;
use self::plan::Plan;
use super::axis::XUnit;
use super::glyphs::{Glyphs, Mark};
use super::palette::Palette;
use super::raster::Raster;
use super::reduce::{View, draw};
use super::scale::Scale;
use super::series::Series;

/// A curve: one value for each x. `x` holds finite numbers that do not fall.
#[derive(Clone, Copy)]
pub struct Line<'a> {
    pub x: &'a [f64],
    pub y: &'a Series,
    /// The same points smoothed; then they are the line, and `y` lies behind in `faded`.
    pub smooth: Option<&'a Series>,
    pub style: Style,
    /// Style of the values behind a smoothed line.
    pub faded: Style,
    /// Stands at the line's end.
    pub marker: char,
    /// A word after the value at the line's end; may be empty.
    pub label: &'a str,
}

impl<'a> Line<'a> {
    /// What is drawn as the line itself.
    fn front(&self) -> &'a Series {
        self.smooth.unwrap_or(self.y)
    }
}

/// What the x axis counts and shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct XAxis {
    pub unit: XUnit,
    pub log: bool,
    /// The part shown; None for all, following new points.
    pub view: Option<(f64, f64)>,
    /// Where the data will end, if that is known.
    pub limit: Option<f64>,
}

/// How values are placed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct YAxis {
    pub log: bool,
    /// Where a few values would leave no room for the others, they lie off the axis; they are marked and counted.
    pub clip: bool,
}

/// Several curves, drawn in order: the last one lies on top.
pub struct LineChart<'a> {
    title: &'a str,
    notes: Vec<String>,
    lines: Vec<Line<'a>>,
    bands: Vec<Band<'a>>,
    x: XAxis,
    y: YAxis,
    cursor: Option<f64>,
    focused: bool,
    on_lines: bool,
    empty: &'a str,
    end_labels: bool,
    palette: Palette,
    glyphs: Glyphs,
}

impl<'a> LineChart<'a> {
    #[must_use]
    pub fn new(title: &'a str, palette: Palette, glyphs: Glyphs) -> Self {
        Self {
            title,
            notes: Vec::new(),
            lines: Vec::new(),
            bands: Vec::new(),
            x: XAxis::default(),
            y: YAxis::default(),
            cursor: None,
            focused: false,
            on_lines: false,
            empty: "no points yet",
            end_labels: true,
            palette,
            glyphs,
        }
    }

    #[must_use]
    pub fn lines(mut self, lines: impl IntoIterator<Item = Line<'a>>) -> Self {
        self.lines.extend(lines);
        self
    }

    /// Areas behind all lines; what they reach to is on the y axis.
    #[must_use]
    pub fn bands(mut self, bands: impl IntoIterator<Item = Band<'a>>) -> Self {
        self.bands.extend(bands);
        self
    }

    /// A fact that stands after the title, such as the smoothing.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    #[must_use]
    pub fn x(mut self, x: XAxis) -> Self {
        self.x = x;
        self
    }

    #[must_use]
    pub fn y(mut self, y: YAxis) -> Self {
        self.y = y;
        self
    }

    /// Where to read values off, on the x axis.
    #[must_use]
    pub fn cursor(mut self, cursor: Option<f64>) -> Self {
        self.cursor = cursor;
        self
    }

    #[must_use]
    pub fn focused(mut self, focused: bool) -> Self {
        self.focused = focused;
        self
    }

    /// Markers on the lines themselves, for terminals without colours.
    #[must_use]
    pub fn markers_on_lines(mut self, on_lines: bool) -> Self {
        self.on_lines = on_lines;
        self
    }

    /// What to say when there are no points.
    #[must_use]
    pub fn empty(mut self, empty: &'a str) -> Self {
        self.empty = empty;
        self
    }

    /// Leaves the whole width to the plot: no values at the ends of the lines.
    #[must_use]
    pub fn without_end_labels(mut self) -> Self {
        self.end_labels = false;
        self
    }

    fn draw_lines(&self, plan: &Plan, buf: &mut Buffer) {
        let plot = plan.plot;
        let view = View {
            x: plan.x,
            y: plan.y,
        };
        let mut raster = Raster::new(
            self.glyphs,
            usize::from(plot.width),
            usize::from(plot.height),
        );
        for band in &self.bands {
            raster.clear();
            band.draw(&view, &mut raster);
            raster.blit(plot, buf, band.style);
        }
        let behind = self.lines.iter().filter(|line| line.smooth.is_some());
        for line in behind {
            raster.clear();
            let marks = draw(line.x, line.y, &view, &mut raster);
            raster.blit(plot, buf, line.faded);
            self.put_marks(&marks, line.faded, plot, buf);
        }
        for line in &self.lines {
            raster.clear();
            let marks = draw(line.x, line.front(), &view, &mut raster);
            raster.blit(plot, buf, line.style);
            self.put_marks(&marks, line.style, plot, buf);
        }
    }

    /// A few markers along each line, those of different lines at different places.
    fn put_markers(&self, plan: &Plan, buf: &mut Buffer) {
        for (index, line) in self.lines.iter().enumerate() {
            let apart = (index as f64 + 0.5) / self.lines.len() as f64;
            for place in 0..MARKERS {
                let x = plan
                    .x
                    .value((f64::from(place) + apart) / f64::from(MARKERS));
                let Some(point) = at(line.x, x) else { continue };
                let y = line.front().values().get(point).map(|&y| f64::from(y));
                if let Some((x, y)) = plan.column(line.x[point]).zip(y.and_then(|y| plan.row(y)))
                    && let Some(cell) = buf.cell_mut((x, y))
                {
                    cell.set_char(line.marker).set_style(line.style);
                }
            }
        }
    }

    /// Marks on the edges of the plot; one for a number that is none hides the others.
    fn put_marks(&self, marks: &[(i64, Mark)], style: Style, plot: Rect, buf: &mut Buffer) {
        let across = self.glyphs.dots().0 as i64;
        let (bad, others): (Vec<_>, Vec<_>) =
            marks.iter().partition(|(_, mark)| *mark == Mark::NonFinite);
        for (column, mark) in others.into_iter().chain(bad) {
            let (y, style) = match mark {
                Mark::NonFinite => (plot.y, self.palette.bad),
                Mark::Above => (plot.y, style),
                Mark::Below | Mark::NonPositive => (plot.bottom() - 1, style),
            };
            if let Some(cell) = buf.cell_mut((plot.x + (column / across) as u16, y)) {
                cell.set_char(self.glyphs.mark(mark)).set_style(style);
            }
        }
    }
}

/// Markers on each line where colours are missing.
const MARKERS: u8 = 3;
/// Smallest plot that shows anything.
const LEAST_PLOT: (u16, u16) = (6, 1);

impl Widget for LineChart<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return;
        }
        let Some(plan) = Plan::new(&self, area) else {
            self.render_title(None, area, buf);
            return self.render_empty(area, buf);
        };
        self.render_title(Some(&plan), area, buf);
        if plan.plot.width < LEAST_PLOT.0 || plan.plot.height < LEAST_PLOT.1 {
            return;
        }
        self.render_axes(&plan, area, buf);
        self.draw_lines(&plan, buf);
        if self.on_lines {
            self.put_markers(&plan, buf);
        }
        self.render_labels(&plan, area, buf);
    }
}

impl LineChart<'_> {
    fn render_empty(&self, area: Rect, buf: &mut Buffer) {
        let width = (self.empty.chars().count() as u16).min(area.width);
        let x = area.x + (area.width - width) / 2;
        let y = area.y + area.height / 2;
        if area.height > 1 {
            buf.set_stringn(x, y, self.empty, usize::from(area.width), self.palette.dim);
        }
    }
}

/// The number of the point to read off at `place`: the nearest, if `place` lies among the points or not
/// much further from their ends than they lie apart.
#[must_use]
pub fn at(x: &[f64], place: f64) -> Option<usize> {
    let after = x.partition_point(|&x| x < place);
    let (first, last) = (*x.first()?, *x.last()?);
    let apart = (last - first) / (x.len().saturating_sub(1)).max(1) as f64;
    if place < first - apart.max(1e-9) || place > last + apart.max(1e-9) {
        return None;
    }
    if after == 0 {
        return Some(0);
    }
    if after == x.len() || place - x[after - 1] <= x[after] - place {
        return Some(after - 1);
    }
    Some(after)
}

/// The axis that a chart of these lines has when all is shown.
#[must_use]
pub fn x_extent<'a>(lines: impl IntoIterator<Item = &'a [f64]>, axis: &XAxis) -> Option<Scale> {
    let full = XAxis {
        view: None,
        ..*axis
    };
    plan::x_scale(lines, &full)
}

#[cfg(test)]
mod tests;
