//! The area between two curves, behind all lines.

use ratatui::style::Style;

use super::super::raster::Raster;
use super::super::reduce::View;
use super::super::series::{Series, Values};

/// What lies between a lower and an upper curve over common x, such as the spread of several runs around
/// their mean. `x` holds finite numbers that do not fall, one for each value of both.
#[derive(Clone, Copy)]
pub struct Band<'a> {
    pub x: &'a [f64],
    pub low: &'a Series,
    pub high: &'a Series,
    pub style: Style,
}

impl Band<'_> {
    /// Lights every other dot of the area, so that lines over it and bands beside it stay apart from it.
    pub(super) fn draw(&self, view: &View, raster: &mut Raster) {
        let rows = raster.rows() as f64 - 1.0;
        for column in 0..raster.columns() as i64 {
            let Some((low, high)) = self.heights(column, view, raster.columns()) else {
                continue;
            };
            let row = |height: f64| (height.clamp(-1.0, 2.0) * rows).round() as i64;
            let (low, high) = (row(low).max(0), row(high).min(raster.rows() as i64 - 1));
            for row in low..=high {
                if (row + column) % 2 == 0 {
                    raster.set((column, row));
                }
            }
        }
    }

    /// Where the area lies in a dot column, as fractions of the y axis: as wide as its points there have it,
    /// or straight from the point before to the one after.
    fn heights(&self, column: i64, view: &View, columns: usize) -> Option<(f64, f64)> {
        let dot = |x: &f64| view.x.dot(*x, columns).unwrap_or(i64::MIN);
        let from = self.x.partition_point(|x| dot(x) < column);
        let to = self.x.partition_point(|x| dot(x) <= column);
        if from < to {
            let low = self.low.bounds(from..to, Values::Finite)?.0;
            let high = self.high.bounds(from..to, Values::Finite)?.1;
            return heights(low, high, view);
        }
        let before = from.checked_sub(1)?;
        let ((x0, low0, high0), (x1, low1, high1)) =
            (self.corner(before, view)?, self.corner(from, view)?);
        let x = column as f64 / (columns.max(2) - 1) as f64;
        let part = (x - x0) / (x1 - x0);
        let between = |a: f64, b: f64| a + (b - a) * part;
        Some((between(low0, low1), between(high0, high1)))
    }

    /// A point as fractions of both axes: x, low, high.
    fn corner(&self, point: usize, view: &View) -> Option<(f64, f64, f64)> {
        let value = |series: &Series| series.values().get(point).map(|v| f64::from(*v));
        let (low, high) = heights(value(self.low)?, value(self.high)?, view)?;
        Some((view.x.fraction(*self.x.get(point)?)?, low, high))
    }
}

/// Both as fractions of the y axis. On a log axis, what reaches to zero reaches to the lower edge.
fn heights(low: f64, high: f64, view: &View) -> Option<(f64, f64)> {
    let high = view.y.fraction(high)?;
    let low = if low.is_finite() {
        view.y.fraction(low).unwrap_or(0.0)
    } else {
        return None;
    };
    Some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::charts::{Glyphs, Scale};

    fn lit(x: &[f64], low: &[f64], high: &[f64]) -> Vec<u32> {
        let series = |values: &[f64]| values.iter().copied().collect::<Series>();
        let (low, high) = (series(low), series(high));
        let band = Band {
            x,
            low: &low,
            high: &high,
            style: Style::default(),
        };
        let view = View {
            x: Scale::linear(0.0, 10.0),
            y: Scale::linear(0.0, 10.0),
        };
        let mut raster = Raster::new(Glyphs::Braille, 4, 4);
        band.draw(&view, &mut raster);
        // Dots in each column of cells.
        let cells = raster.masks();
        let column = |c: usize| {
            cells
                .iter()
                .skip(c)
                .step_by(4)
                .map(|m| m.count_ones())
                .sum()
        };
        (0..4).map(column).collect()
    }

    #[test]
    fn a_band_fills_half_of_its_dots_between_its_points() {
        // 16 rows of dots, all of them inside, half of two columns each.
        assert_eq!(lit(&[0.0, 10.0], &[0.0, 0.0], &[10.0, 10.0]), [16; 4]);
        let wedge = lit(&[0.0, 10.0], &[0.0, 0.0], &[0.0, 10.0]);
        assert!(
            wedge.is_sorted() && wedge[0] < 4 && wedge[3] > 12,
            "{wedge:?}"
        );
    }

    #[test]
    fn a_band_ends_with_its_points_and_breaks_at_what_is_no_number() {
        let half = lit(&[0.0, 5.0], &[0.0, 0.0], &[10.0, 10.0]);
        assert_eq!((half[0], half[3]), (16, 0));
        let broken = lit(
            &[0.0, 5.0, 10.0],
            &[0.0, f64::NAN, 0.0],
            &[10.0, f64::NAN, 10.0],
        );
        assert!(broken.iter().sum::<u32>() < 32, "{broken:?}");
    }
}
