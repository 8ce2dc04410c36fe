//! Dots in cells: one curve's picture before it becomes characters.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::glyphs::Glyphs;

/// A place on the dot grid; row 0 is the lowest. May lie outside the grid.
pub(super) type Dot = (i64, i64);

/// A grid of dots, `columns` by `rows`, stored by cells.
pub(super) struct Raster {
    glyphs: Glyphs,
    cells_across: usize,
    columns: i64,
    rows: i64,
    /// One mask per cell, as [`Glyphs::symbol`] reads it.
    cells: Vec<u8>,
}

impl Raster {
    pub fn new(glyphs: Glyphs, cells_across: usize, cells_down: usize) -> Self {
        let (across, down) = glyphs.dots();
        Self {
            glyphs,
            cells_across,
            columns: (cells_across * across) as i64,
            rows: (cells_down * down) as i64,
            cells: vec![0; cells_across * cells_down],
        }
    }

    pub fn columns(&self) -> usize {
        self.columns as usize
    }

    pub fn rows(&self) -> usize {
        self.rows as usize
    }

    pub fn clear(&mut self) {
        self.cells.fill(0);
    }

    /// Lights one dot; dots outside the grid are ignored.
    pub fn set(&mut self, (column, row): Dot) {
        if column < 0 || column >= self.columns || row < 0 || row >= self.rows {
            return;
        }
        let (across, down) = self.glyphs.dots();
        let column = column as usize;
        let from_top = (self.rows - 1 - row) as usize;
        let cell = from_top / down * self.cells_across + column / across;
        self.cells[cell] |= 1 << (from_top % down * across + column % across);
    }

    /// Lights the rows from `low` to `high`, both included, of one column.
    pub fn span(&mut self, column: i64, low: i64, high: i64) {
        for row in low.max(0)..=high.min(self.rows - 1) {
            self.set((column, row));
        }
    }

    /// Lights the straight line between two dots, both included. `from` must not lie right of `to`.
    ///
    /// Only the columns inside the grid are visited, however far away the ends lie.
    pub fn segment(&mut self, from: Dot, to: Dot) {
        let across = to.0 - from.0;
        let up = to.1 - from.1;
        if across == 0 {
            self.span(from.0, from.1.min(to.1), from.1.max(to.1));
            return;
        }
        for column in from.0.max(0)..=to.0.min(self.columns - 1) {
            let (first, last) = steps_in_column(column - from.0, across, up.abs());
            let (a, b) = (from.1 + up.signum() * first, from.1 + up.signum() * last);
            self.span(column, a.min(b), a.max(b));
        }
    }

    /// Writes every cell with a dot in it, and leaves the others alone.
    pub fn blit(&self, area: Rect, buf: &mut Buffer, style: Style) {
        for (index, &mask) in self.cells.iter().enumerate() {
            let x = area.x + (index % self.cells_across) as u16;
            let y = area.y + (index / self.cells_across) as u16;
            if mask != 0
                && let Some(cell) = buf.cell_mut((x, y))
            {
                cell.set_char(self.glyphs.symbol(mask)).set_style(style);
            }
        }
    }

    #[cfg(test)]
    pub fn masks(&self) -> &[u8] {
        &self.cells
    }
}

/// First and last vertical step, counted from the start, that a line covers in its column number
/// `column`, if it goes `across` columns (at least one) and `up` rows (at least none) in all.
fn steps_in_column(column: i64, across: i64, up: i64) -> (i64, i64) {
    if up <= across {
        let step = (2 * column * up + across).div_euclid(2 * across);
        return (step, step);
    }
    // A step k lies in the column nearest to k * across / up; solved for k.
    let first_of = |column: i64| -((1 - 2 * column) * up).div_euclid(2 * across);
    (first_of(column).max(0), (first_of(column + 1) - 1).min(up))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The line by its definition: along the longer direction, each step to the nearest dot.
    fn plain(raster: &mut Raster, from: Dot, to: Dot) {
        let (across, up) = (to.0 - from.0, to.1 - from.1);
        let long = across.max(up.abs());
        if long == 0 {
            raster.set(from);
        }
        for k in 0..=long {
            let near = |part: i64| (2 * k * part + long).div_euclid(2 * long.max(1));
            let (c, r) = (near(across), near(up.abs()) * up.signum());
            raster.set((from.0 + c, from.1 + r));
        }
    }

    proptest! {
        #[test]
        fn a_clipped_line_lights_the_dots_of_the_whole_line(
            c0 in -30_i64..40, across in 0_i64..60, r0 in -60_i64..90, r1 in -60_i64..90,
        ) {
            for glyphs in [Glyphs::Braille, Glyphs::Blocks, Glyphs::Ascii] {
                let mut fast = Raster::new(glyphs, 10, 6);
                let mut slow = Raster::new(glyphs, 10, 6);
                fast.segment((c0, r0), (c0 + across, r1));
                plain(&mut slow, (c0, r0), (c0 + across, r1));
                prop_assert_eq!(fast.masks(), slow.masks());
            }
        }
    }
}
