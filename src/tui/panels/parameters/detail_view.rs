//! Draws one tensor: numbers, singular values, histogram, correlation of rows.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use ratatui::widgets::Widget as _;

use super::detail::Sides;
use super::results::Row;
use super::table::full_rank;
use crate::engine::protocol::{DiversityRow, TensorDetail};
use crate::tui::charts::{HeatMap, Histogram, Spectrum, significant};
use crate::tui::shared::Look;
use crate::tui::widgets::number;
use crate::tui::widgets::pane;
use crate::tui::widgets::write::{Slot, put, put_all, width};

/// Cells between two charts.
const GAP: u16 = 3;

/// What is drawn below the pane's title.
pub struct DetailView<'a> {
    pub row: &'a Row,
    pub sides: Option<&'a Sides>,
    /// What to say while there are no charts.
    pub message: &'a [String],
    pub look: &'a Look,
}

impl DetailView<'_> {
    pub fn draw(&self, area: Rect, buf: &mut Buffer) {
        let line = Slot::new(area.x + 1, area.y, area.width.saturating_sub(2));
        self.numbers(line, buf);
        let below = Rect {
            x: area.x + 1,
            y: area.y + 1,
            width: area.width.saturating_sub(2),
            height: area.height.saturating_sub(1),
        };
        match self.sides {
            Some(sides) if below.height >= 3 => self.charts(sides, below, buf),
            _ => {
                let lines: Vec<&str> = self.message.iter().map(String::as_str).collect();
                let wide = Rect {
                    x: area.x,
                    width: area.width,
                    ..below
                };
                pane::message(buf, wide, &lines, self.look);
            }
        }
    }

    /// One line of numbers, as many as fit, each with its name.
    fn numbers(&self, slot: Slot, buf: &mut Buffer) {
        let Some(before) = &self.row.before else {
            return;
        };
        let after = self.row.after.as_ref();
        let theme = &self.look.theme;
        let full = full_rank(&self.row.shape);
        let pair = |text: &dyn Fn(&DiversityRow) -> String| {
            let left = text(before);
            match after.map(text).filter(|right| *right != left) {
                Some(right) => format!("{left} {} {right}", self.look.glyphs.arrow),
                None => left,
            }
        };
        let facts = [
            (
                "rank ",
                pair(&|d| d.rank.to_string()),
                format!(" of {full}"),
            ),
            (
                "eff. rank ",
                pair(&|d| number::three(d.effective_rank)),
                String::new(),
            ),
            (
                "largest singular value ",
                pair(&|d| significant3(d.sigma_max)),
                String::new(),
            ),
            (
                "smallest ",
                pair(&|d| significant3(d.sigma_min)),
                String::new(),
            ),
            ("std ", pair(&|d| significant3(d.std)), String::new()),
            ("mean ", pair(&|d| significant3(d.mean)), String::new()),
            (
                "stable rank ",
                pair(&|d| number::three(d.stable_rank)),
                String::new(),
            ),
            (
                "mean |corr.| ",
                pair(&|d| number::three(d.mean_abs_corr)),
                String::new(),
            ),
        ];
        let mut x = slot.x;
        let end = slot.x + slot.width;
        for (name, value, unit) in &facts {
            if x + width(name) + width(value) + width(unit) > end {
                continue;
            }
            let rest = Slot::new(x, slot.y, end - x);
            let pieces = [(*name, theme.dim), (value, theme.text), (unit, theme.dim)];
            x += put_all(buf, rest, &pieces) + GAP;
        }
    }

    /// Three charts side by side; without the histogram where there is less room.
    fn charts(&self, sides: &Sides, area: Rect, buf: &mut Buffer) {
        const THREE: u16 = 66;
        let maps = 1 + u16::from(sides.after.is_some());
        let side = (area.height.saturating_sub(1) * 2).min(64);
        let wished = maps * side + (maps - 1) * 2;
        let map_width = wished.max(24).min(area.width * 2 / 5);
        let rest = area.width.saturating_sub(map_width + GAP);
        let three = area.width >= THREE;
        let spectrum_width = if three { rest * 11 / 20 } else { rest };
        let part = |x, width| Rect { x, width, ..area };
        self.spectrum(sides, part(area.x, spectrum_width), buf);
        let mut x = area.x + spectrum_width + GAP;
        if three {
            let width = rest.saturating_sub(spectrum_width + GAP);
            self.histogram(sides, part(x, width), buf);
            x += width + GAP;
        }
        self.correlation(sides, part(x, area.right().saturating_sub(x)), buf);
    }

    fn spectrum(&self, sides: &Sides, area: Rect, buf: &mut Buffer) {
        let (palette, glyphs) = self.look.charts();
        let mut chart = Spectrum::new("singular values", palette, glyphs).curve(
            &sides.before.singular_values,
            if sides.after.is_some() { "before" } else { "" },
            self.look.before(),
        );
        if let Some(after) = &sides.after {
            chart = chart.curve(&after.singular_values, "after", self.look.after());
        }
        chart.render(area, buf);
    }

    fn histogram(&self, sides: &Sides, area: Rect, buf: &mut Buffer) {
        let (palette, glyphs) = self.look.charts();
        let slot = Slot::new(area.x, area.y, area.width);
        pane::heading(buf, slot, "values", self.look);
        let mut chart = Histogram::new(palette, glyphs);
        let bounds = |d: &TensorDetail| (d.histogram.low, d.histogram.high);
        let before = &sides.before;
        let label = if sides.after.is_some() { "before" } else { "" };
        chart = chart.row(
            &before.histogram.counts,
            bounds(before),
            label,
            self.look.before(),
        );
        if let Some(after) = &sides.after {
            chart = chart.row(
                &after.histogram.counts,
                bounds(after),
                "after",
                self.look.after(),
            );
        }
        let below = Rect {
            y: area.y + 1,
            height: area.height.saturating_sub(1),
            ..area
        };
        chart.render(below, buf);
    }

    fn correlation(&self, sides: &Sides, area: Rect, buf: &mut Buffer) {
        let slot = Slot::new(area.x, area.y, area.width);
        pane::heading(buf, slot, "row correlation", self.look);
        self.legend(slot, buf);
        let below = Rect {
            y: area.y + 1,
            height: area.height.saturating_sub(1),
            ..area
        };
        let Some(after) = &sides.after else {
            self.map(&sides.before, below, buf);
            return;
        };
        let half = Rect {
            width: area.width.saturating_sub(2) / 2,
            ..below
        };
        let used = self.map(&sides.before, half, buf);
        let right = Rect {
            x: half.x + used + 2,
            ..half
        };
        self.map(after, right.intersection(below), buf);
    }

    /// What the colours of the maps mean, at the right end of their heading.
    fn legend(&self, slot: Slot, buf: &mut Buffer) {
        const SAMPLES: u16 = 5;
        const CELLS: u16 = SAMPLES + 8;
        const TITLE: u16 = 19;
        let ramp = &self.look.theme.ramp;
        if slot.width < CELLS + TITLE || ramp.is_empty() {
            return;
        }
        let theme = &self.look.theme;
        let mut x = slot.x + slot.width - CELLS - 1;
        x += put(buf, Slot::new(x, slot.y, 4), " -1 ", theme.dim);
        for sample in 0..SAMPLES {
            let at = usize::from(sample) * (ramp.len() - 1) / usize::from(SAMPLES - 1);
            let style = theme.text.fg(ramp[at]);
            x += put(buf, Slot::new(x, slot.y, 1), self.look.glyphs.block, style);
        }
        put(buf, Slot::new(x, slot.y, 4), " +1 ", theme.dim);
    }

    /// Draws one matrix; gives its width in cells.
    fn map(&self, detail: &TensorDetail, area: Rect, buf: &mut Buffer) -> u16 {
        let side = detail.correlation_side;
        if side == 0 || detail.correlation.len() < side * side || area.is_empty() {
            return 0;
        }
        let ramp: &[Color] = &self.look.theme.ramp;
        let (_, glyphs) = self.look.charts();
        let map = HeatMap::new(&detail.correlation, side, side, ramp).glyphs(glyphs);
        let (columns, rows) = map.size(area);
        let place = Rect {
            width: columns,
            height: rows,
            ..area
        };
        map.render(place, buf);
        columns
    }
}

fn significant3(value: f64) -> String {
    significant(value, 3)
}
