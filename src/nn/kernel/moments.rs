//! Mean and variance of the columns of a matrix, found part by part.

use std::ops::Range;

use rayon::prelude::*;

use super::matmul::ViewMut;
use super::rows::rows_per_chunk;
use super::simd::fma;

/// Mean and variance (divided by the number of rows) of every channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    pub mean: Vec<f64>,
    pub var: Vec<f64>,
}

/// Sums over some rows of some columns: of the values less the part's first row, which keeps the variance
/// exact where the mean is large, and of their squares. In 32 bits.
#[derive(Debug)]
pub struct Part {
    /// Of the whole matrix.
    first_row: usize,
    rows: usize,
    cols: Range<usize>,
    shift: Vec<f32>,
    sums: Vec<f32>,
    squares: Vec<f32>,
}

impl Part {
    /// The sums over a block of a matrix that begins at row `first_row` and holds the columns `cols`.
    pub fn of(block: &mut ViewMut<'_>, first_row: usize, cols: Range<usize>) -> Self {
        let shift = block.row(0).to_vec();
        let (mut sums, mut squares) = (vec![0.0; cols.len()], vec![0.0; cols.len()]);
        add_shifted(block, &shift, &mut sums, &mut squares);
        Self {
            first_row,
            rows: block.height(),
            cols,
            shift,
            sums,
            squares,
        }
    }

    fn count(&self) -> f64 {
        self.rows as f64
    }

    /// The mean of the part's `j`th column, and the sum of the squares around it.
    fn centred(&self, j: usize) -> (f64, f64) {
        let offset = f64::from(self.sums[j]) / self.count();
        let around = f64::from(self.squares[j]) - offset * offset * self.count();
        (offset + f64::from(self.shift[j]), around.max(0.0))
    }
}

/// Most rows that are summed in 32 bits.
const PART_ROWS: usize = 256;

impl Moments {
    /// Of the columns of `[M, C]`.
    pub fn of(x: &[f32], channels: usize) -> Self {
        let rows = rows_per_chunk(channels).min(PART_ROWS);
        let parts = x.par_chunks(rows * channels).enumerate().map(|(i, x)| {
            let (mut sums, mut squares) = (vec![0.0; channels], vec![0.0; channels]);
            let shift = x[..channels].to_vec();
            add_shifted_rows(x, &shift, &mut sums, &mut squares);
            Part {
                first_row: i * rows,
                rows: x.len() / channels,
                cols: 0..channels,
                shift,
                sums,
                squares,
            }
        });
        Self::joined(parts.collect(), channels)
    }

    /// Of a matrix that `parts` cover, in whatever order.
    pub fn joined(mut parts: Vec<Part>, channels: usize) -> Self {
        // Sums in a fixed order, whichever thread was first.
        parts.sort_unstable_by_key(|p| (p.first_row, p.cols.start));
        let (mut mean, mut var) = (vec![0.0; channels], vec![0.0; channels]);
        let mut count = vec![0.0; channels];
        for part in &parts {
            for (j, column) in part.cols.clone().enumerate() {
                mean[column] += part.count() * part.centred(j).0;
                count[column] += part.count();
            }
        }
        for (mean, count) in mean.iter_mut().zip(&count) {
            *mean /= count;
        }
        for part in &parts {
            for (j, column) in part.cols.clone().enumerate() {
                let (centre, around) = part.centred(j);
                var[column] += around + part.count() * (centre - mean[column]).powi(2);
            }
        }
        for (var, count) in var.iter_mut().zip(&count) {
            *var /= count;
        }
        Self { mean, var }
    }
}

multiversion! {
    fn add_shifted<FMA>(block: &mut ViewMut<'_>, shift: &[f32], sums: &mut [f32], squares: &mut [f32]) {
        for i in 0..block.height() {
            add_row::<FMA>(block.row(i), shift, sums, squares);
        }
    }
}

multiversion! {
    fn add_shifted_rows<FMA>(x: &[f32], shift: &[f32], sums: &mut [f32], squares: &mut [f32]) {
        for row in x.chunks_exact(shift.len()) {
            add_row::<FMA>(row, shift, sums, squares);
        }
    }
}

#[inline(always)]
fn add_row<const FMA: bool>(row: &[f32], shift: &[f32], sums: &mut [f32], squares: &mut [f32]) {
    let c = row.len();
    let (shift, sums, squares) = (&shift[..c], &mut sums[..c], &mut squares[..c]);
    for j in 0..c {
        let v = row[j] - shift[j];
        sums[j] += v;
        squares[j] = fma::<FMA>(v, v, squares[j]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::kernel::testing::numbers;

    fn check(got: &Moments, x: &[f32], channels: usize, offset: f64) {
        for j in 0..channels {
            let x: Vec<f64> = x
                .iter()
                .skip(j)
                .step_by(channels)
                .map(|v| f64::from(*v))
                .collect();
            let centre = x.iter().sum::<f64>() / x.len() as f64;
            let var = x.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / x.len() as f64;
            assert!((got.mean[j] - centre).abs() < 1e-6 * (1.0 + offset));
            assert!((got.var[j] - var).abs() < 1e-6, "{} {var}", got.var[j]);
        }
    }

    #[test]
    fn moments_stay_exact_far_from_zero() {
        for (m, c, offset) in [(2, 1, 0.0), (3000, 5, 0.0), (700, 33, 1000.0)] {
            let mut x: Vec<f32> = numbers("x", m * c).iter().map(|v| v + offset).collect();
            check(&Moments::of(&x, c), &x, c, f64::from(offset));

            // Blocks of two sizes, in another order.
            let mut whole = ViewMut::dense(&mut x, m, c);
            let mut parts = Vec::new();
            let (half, left) = (m / 2, c.div_ceil(2));
            for rows in [half..m, 0..half] {
                for cols in [left..c, 0..left].into_iter().filter(|c| !c.is_empty()) {
                    let mut block = whole.block(rows.clone(), cols.clone());
                    parts.push(Part::of(&mut block, rows.start, cols));
                }
            }
            check(&Moments::joined(parts, c), &x, c, f64::from(offset));
        }
    }
}
