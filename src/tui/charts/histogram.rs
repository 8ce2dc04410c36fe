//! Counts as bars, one or two histograms over one axis.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;

use super::format::significant;
use super::glyphs::Glyphs;
use super::palette::Palette;

/// Counts in equal bins.
struct Counts<'a> {
    counts: &'a [u64],
    low: f64,
    high: f64,
    label: &'a str,
    style: Style,
}

/// One histogram, or several below each other over the same axis.
///
/// Bars are heights relative to the tallest of their own row: rows compare shapes. The last line of the
/// area holds the bounds of the axis.
pub struct Histogram<'a> {
    rows: Vec<Counts<'a>>,
    palette: Palette,
    glyphs: Glyphs,
}

impl<'a> Histogram<'a> {
    #[must_use]
    pub fn new(palette: Palette, glyphs: Glyphs) -> Self {
        Self {
            rows: Vec::new(),
            palette,
            glyphs,
        }
    }

    /// Adds a row: `counts` in equal bins from `low` to `high`. The label stands at its upper left; it
    /// may be empty.
    #[must_use]
    pub fn row(
        mut self,
        counts: &'a [u64],
        bounds: (f64, f64),
        label: &'a str,
        style: Style,
    ) -> Self {
        self.rows.push(Counts {
            counts,
            low: bounds.0,
            high: bounds.1,
            label,
            style,
        });
        self
    }

    fn bounds(&self) -> Option<(f64, f64)> {
        let rows = self.rows.iter().filter(|row| !row.counts.is_empty());
        rows.map(|row| (row.low, row.high))
            .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
            .filter(|(low, high)| low.is_finite() && high.is_finite() && low <= high)
    }
}

impl Counts<'_> {
    /// Counts per column of an axis with `columns` columns; a bin is shared among the columns it covers.
    fn columns(&self, bounds: (f64, f64), columns: usize) -> Vec<f64> {
        let mut heights = vec![0.0; columns];
        let range = bounds.1 - bounds.0;
        let bin = (self.high - self.low) / self.counts.len() as f64;
        for (index, &count) in self.counts.iter().enumerate() {
            let start = self.low + bin * index as f64;
            let (from, to) = if range > 0.0 {
                let place = |x: f64| (x - bounds.0) / range * columns as f64;
                (place(start), place(start + bin))
            } else {
                // All values are equal: one bar in the middle.
                let middle = (columns / 2) as f64;
                (middle, middle + 1.0)
            };
            spread(&mut heights, from, to, count as f64);
        }
        heights
    }

    fn render(&self, bounds: (f64, f64), glyphs: Glyphs, area: Rect, buf: &mut Buffer) {
        let heights = self.columns(bounds, usize::from(area.width));
        let tallest = heights.iter().copied().fold(0.0, f64::max);
        if tallest <= 0.0 {
            return;
        }
        let full = f64::from(area.height) * 8.0;
        for (x, height) in (area.x..).zip(heights) {
            // A bin that holds anything is seen.
            let eighths = (height / tallest * full).ceil() as usize;
            for (level, y) in area.rows().rev().map(|row| row.y).enumerate() {
                let bar = eighths.saturating_sub(level * 8).min(8);
                if bar > 0
                    && let Some(cell) = buf.cell_mut((x, y))
                {
                    cell.set_char(glyphs.bar(bar)).set_style(self.style);
                }
            }
        }
    }
}

/// Adds `amount` to the columns from `from` to `to`, to each its part.
fn spread(heights: &mut [f64], from: f64, to: f64, amount: f64) {
    let wide = to - from;
    let first = from.floor().max(0.0) as usize;
    let last = (to.ceil() as usize).min(heights.len());
    for (column, height) in heights.iter_mut().enumerate().take(last).skip(first) {
        let column = column as f64;
        let overlap = to.min(column + 1.0) - from.max(column);
        if wide > 0.0 && overlap > 0.0 {
            *height += amount * overlap / wide;
        }
    }
}

impl Widget for Histogram<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let Some(bounds) = self.bounds() else {
            buf.set_stringn(
                area.x,
                area.y,
                "no values",
                usize::from(area.width),
                self.palette.dim,
            );
            return;
        };
        if area.height < 2 || area.width < 4 {
            return;
        }
        let bars = area.height - 1;
        let each = bars / self.rows.len() as u16;
        for (index, row) in (0..).zip(&self.rows) {
            if each == 0 {
                break;
            }
            let part = Rect {
                y: area.y + index * each,
                height: each,
                ..area
            };
            row.render(bounds, self.glyphs, part, buf);
            label(buf, part, row);
        }
        let y = area.bottom() - 1;
        let high = significant(bounds.1, 3);
        let at = area.right().saturating_sub(high.len() as u16).max(area.x);
        let width = usize::from(area.width);
        buf.set_stringn(area.x, y, significant(bounds.0, 3), width, self.palette.dim);
        buf.set_stringn(at, y, high, width, self.palette.dim);
    }
}

/// Writes a row's label where no bar stands: at the left if that is free, else at the right.
fn label(buf: &mut Buffer, area: Rect, row: &Counts) {
    let width = (row.label.chars().count() as u16).min(area.width);
    let free = |from: u16| (from..from + width).all(|x| buf[(x, area.y)].symbol() == " ");
    let left = area.x;
    let right = area.right() - width;
    let x = if free(left) {
        left
    } else if free(right) {
        right
    } else {
        return;
    };
    buf.set_stringn(x, area.y, row.label, usize::from(width), row.style);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(area: Rect, histogram: Histogram) -> Vec<String> {
        let mut buf = Buffer::empty(area);
        histogram.render(area, &mut buf);
        area.rows()
            .map(|row| {
                row.columns()
                    .map(|cell| buf[(cell.x, cell.y)].symbol().to_owned())
                    .collect()
            })
            .collect()
    }

    #[test]
    fn bars_stand_over_their_bins() {
        let counts = [1, 4, 2, 0];
        let histogram = Histogram::new(Palette::default(), Glyphs::Braille).row(
            &counts,
            (-1.0, 1.0),
            "",
            Style::new(),
        );
        let lines = lines(Rect::new(0, 0, 12, 2), histogram);
        assert_eq!(lines, ["▂▂▂███▄▄▄   ", "-1.00   1.00"]);
    }

    #[test]
    fn rows_share_one_axis() {
        let (narrow, wide) = ([8], [1, 1, 1, 1]);
        let histogram = Histogram::new(Palette::default(), Glyphs::Braille)
            .row(&narrow, (0.0, 1.0), "", Style::new())
            .row(&wide, (0.0, 4.0), "", Style::new());
        let lines = lines(Rect::new(0, 0, 8, 3), histogram);
        assert_eq!(lines[0], "██      ");
        assert_eq!(lines[1], "████████");
    }

    #[test]
    fn equal_values_are_one_bar_and_none_are_words() {
        let histogram = Histogram::new(Palette::default(), Glyphs::Braille);
        assert_eq!(lines(Rect::new(0, 0, 9, 1), histogram), ["no values"]);
        let histogram = Histogram::new(Palette::default(), Glyphs::Braille).row(
            &[5],
            (2.0, 2.0),
            "",
            Style::new(),
        );
        assert!(lines(Rect::new(0, 0, 9, 2), histogram)[0].contains('█'));
    }
}
