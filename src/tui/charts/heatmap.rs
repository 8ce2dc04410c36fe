//! A matrix as coloured half blocks.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::widgets::Widget;

use super::glyphs::Glyphs;

/// A matrix of values between two bounds, each value a colour of a ramp.
///
/// A cell shows two rows. If there are more values than places, evenly spaced ones are shown as they are,
/// not averaged, so that equal rows remain visible. A value that is not finite is left empty.
pub struct HeatMap<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    low: f32,
    high: f32,
    ramp: &'a [Color],
    glyphs: Glyphs,
}

/// Without colours, the distance from the ramp's middle as ink.
const INK: [char; 5] = [' ', '░', '▒', '▓', '█'];
const ASCII_INK: [char; 5] = [' ', '.', '+', 'x', '#'];

impl<'a> HeatMap<'a> {
    /// `values` is `[rows, columns]`, row-major, from -1 to 1 unless [`range`](Self::range) says otherwise.
    /// `ramp` holds colours from the lowest to the highest value; with fewer than two, shades of ink show
    /// how far a value lies from the middle.
    #[must_use]
    pub fn new(values: &'a [f32], rows: usize, columns: usize, ramp: &'a [Color]) -> Self {
        Self {
            values,
            rows,
            columns,
            low: -1.0,
            high: 1.0,
            ramp,
            glyphs: Glyphs::default(),
        }
    }

    #[must_use]
    pub fn range(mut self, low: f32, high: f32) -> Self {
        (self.low, self.high) = (low, high);
        self
    }

    #[must_use]
    pub fn glyphs(mut self, glyphs: Glyphs) -> Self {
        self.glyphs = glyphs;
        self
    }

    /// Cells that the whole matrix takes, at most those of `area`; a square matrix stays square.
    #[must_use]
    pub fn size(&self, area: Rect) -> (u16, u16) {
        let down = if self.is_inked() { 1 } else { 2 };
        // A cell is about twice as high as wide: ink takes two columns a value to stay square.
        let across = if self.is_inked() { 2 } else { 1 };
        let places = |cells: u16, per_cell: usize, needed: usize| {
            (usize::from(cells) * per_cell).min(needed)
        };
        let columns = (usize::from(area.width) / across).min(self.columns);
        let rows = places(area.height, down, self.rows);
        let side = columns.min(rows);
        let (columns, rows) = if self.rows == self.columns {
            (side, side)
        } else {
            (columns, rows)
        };
        ((columns * across) as u16, rows.div_ceil(down) as u16)
    }

    fn is_inked(&self) -> bool {
        self.ramp.len() < 2 || self.glyphs == Glyphs::Ascii
    }

    /// The value's place on the ramp, 0 to 1.
    fn part(&self, value: f32) -> f32 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    fn colour(&self, value: f32) -> Option<Color> {
        let last = self.ramp.len().checked_sub(1)?;
        value
            .is_finite()
            .then(|| self.ramp[(self.part(value) * last as f32).round() as usize])
    }

    fn ink(&self, value: f32) -> char {
        if !value.is_finite() {
            return '?';
        }
        let strength = ((self.part(value) - 0.5).abs() * 8.0).round() as usize;
        match self.glyphs {
            Glyphs::Ascii => ASCII_INK[strength.min(4)],
            _ => INK[strength.min(4)],
        }
    }

    /// The value shown at one of `places` (columns, rows); NaN below an odd number of rows.
    fn at(&self, place: (usize, usize), places: (usize, usize)) -> f32 {
        if place.1 >= places.1 {
            return f32::NAN;
        }
        let column = place.0 * self.columns / places.0.max(1);
        let row = place.1 * self.rows / places.1.max(1);
        self.values
            .get(row * self.columns + column)
            .copied()
            .unwrap_or(f32::NAN)
    }

    fn render_half_blocks(&self, area: Rect, places: (usize, usize), buf: &mut Buffer) {
        for (y, x) in (0..area.height).flat_map(|y| (0..area.width).map(move |x| (y, x))) {
            let upper = self.colour(self.at((usize::from(x), 2 * usize::from(y)), places));
            let lower = self.colour(self.at((usize::from(x), 2 * usize::from(y) + 1), places));
            let (symbol, style) = match (upper, lower) {
                (Some(upper), Some(lower)) => ('▀', Style::new().fg(upper).bg(lower)),
                (Some(upper), None) => ('▀', Style::new().fg(upper)),
                (None, Some(lower)) => ('▄', Style::new().fg(lower)),
                (None, None) => continue,
            };
            if let Some(cell) = buf.cell_mut((area.x + x, area.y + y)) {
                cell.set_char(symbol).set_style(style);
            }
        }
    }

    fn render_ink(&self, area: Rect, places: (usize, usize), buf: &mut Buffer) {
        for (y, x) in (0..area.height).flat_map(|y| (0..area.width).map(move |x| (y, x))) {
            let value = self.at((usize::from(x) / 2, usize::from(y)), places);
            if let Some(cell) = buf.cell_mut((area.x + x, area.y + y)) {
                cell.set_char(self.ink(value));
            }
        }
    }
}

impl Widget for HeatMap<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        if self.rows == 0 || self.columns == 0 {
            return;
        }
        let (width, height) = self.size(area);
        let taken = Rect {
            width,
            height,
            ..area
        };
        if self.is_inked() {
            let places = (usize::from(width) / 2, usize::from(height));
            self.render_ink(taken, places, buf);
        } else {
            let odd = self.rows.min(2 * usize::from(area.height));
            let down = if self.rows == self.columns {
                usize::from(width)
            } else {
                odd
            };
            self.render_half_blocks(taken, (usize::from(width), down), buf);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAMP: [Color; 3] = [Color::Blue, Color::Black, Color::Red];

    #[test]
    fn two_rows_share_a_cell() {
        let area = Rect::new(0, 0, 2, 1);
        let mut buf = Buffer::empty(area);
        HeatMap::new(&[1.0, 0.0, -1.0, 1.0], 2, 2, &RAMP).render(area, &mut buf);
        let cell = &buf[(0, 0)];
        assert_eq!(
            (cell.symbol(), cell.fg, cell.bg),
            ("▀", Color::Red, Color::Blue)
        );
    }

    #[test]
    fn a_square_matrix_stays_square() {
        let values = vec![0.0; 64 * 64];
        let map = HeatMap::new(&values, 64, 64, &RAMP);
        assert_eq!(map.size(Rect::new(0, 0, 100, 100)), (64, 32));
        assert_eq!(map.size(Rect::new(0, 0, 100, 10)), (20, 10));
        assert_eq!(map.size(Rect::new(0, 0, 30, 100)), (30, 15));
    }

    #[test]
    fn nan_and_missing_values_are_left_empty() {
        let area = Rect::new(0, 0, 3, 3);
        let mut buf = Buffer::empty(area);
        HeatMap::new(&[f32::NAN, 1.0], 3, 3, &RAMP).render(area, &mut buf);
        assert_eq!(buf[(0, 0)].symbol(), " ");
        assert_eq!(buf[(1, 0)].symbol(), "▀");
        assert_eq!(buf[(1, 1)].symbol(), " ");
    }
}
