//! Linear algebra on weights: every call of `faer` is in this file, so that its generic code is
//! compiled once.
//!
//! Everything runs on the calling thread: callers work on several tensors at once instead, and a
//! result does not depend on the number of threads. Sums and decompositions are in 64 bits: the
//! noise of post-processing is so small (about 1e-5) that in 32 bits the columns that it decides
//! would depend on the machine.
//!
//! Letters: `M` the matrix view of a weight, `R` rows, `C` columns, `R >= C`.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::{evd, householder, matmul, qr::no_pivoting::factor};
use faer::{Accum, Conj, Mat, MatMut, MatRef, Par};
use thiserror::Error;

/// Rows that are multiplied at once.
const BLOCK: usize = 256;

/// A weight as the matrix that post-processing and diversity look at: `[out, rest]` of its
/// PyTorch layout, seen from the side that makes it tall.
#[derive(Clone, Copy, Debug)]
pub struct MatrixView<'a> {
    values: &'a [f32],
    out: usize,
    rest: usize,
}

/// Why a decomposition was not found.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum LinalgError {
    #[error("it holds numbers that are not finite")]
    NotFinite,
    #[error("the search for its singular values did not come to an end")]
    NoConvergence,
}

impl<'a> MatrixView<'a> {
    /// The matrix view of a weight of PyTorch's `shape`, row-major.
    ///
    /// `None` if it has fewer than two dimensions or no elements, or if the values do not match.
    #[must_use]
    pub fn new(shape: &[usize], values: &'a [f32]) -> Option<Self> {
        let (out, rest) = (*shape.first()?, shape.get(1..)?);
        let rest: usize = rest.iter().product();
        let fits = shape.len() >= 2 && !values.is_empty() && values.len() == out * rest;
        fits.then_some(Self { values, out, rest })
    }

    /// Whether the rows of the matrix are the columns of `[out, rest]`.
    #[must_use]
    pub const fn is_transposed(&self) -> bool {
        self.out < self.rest
    }

    /// The longer side.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.out.max(self.rest)
    }

    /// The shorter side.
    #[must_use]
    pub fn cols(&self) -> usize {
        self.out.min(self.rest)
    }

    /// Writes a row into `to`, which has as many places as there are columns.
    pub fn copy_row(&self, row: usize, to: &mut [f64]) {
        if self.is_transposed() {
            let column = self.values[row..].iter().step_by(self.rest);
            for (to, value) in to.iter_mut().zip(column) {
                *to = f64::from(*value);
            }
        } else {
            let row = &self.values[row * self.rest..(row + 1) * self.rest];
            for (to, value) in to.iter_mut().zip(row) {
                *to = f64::from(*value);
            }
        }
    }

    /// The elements in PyTorch's order.
    #[must_use]
    pub const fn values(&self) -> &'a [f32] {
        self.values
    }

    fn is_finite(&self) -> bool {
        self.values.iter().all(|v| v.is_finite())
    }
}

/// A symmetric matrix of sums of products.
#[derive(Clone, Debug)]
pub struct Gram(Mat<f64>);

impl Gram {
    /// `Z^T Z` for the `rows` by `cols` matrix `Z` whose row `r` is what `fill(r, row)` writes.
    pub fn of_rows(rows: usize, cols: usize, mut fill: impl FnMut(usize, &mut [f64])) -> Self {
        let mut sum = Mat::zeros(cols, cols);
        let mut block = vec![0.0; BLOCK.min(rows) * cols];
        for first in (0..rows).step_by(BLOCK) {
            let count = BLOCK.min(rows - first);
            let block = &mut block[..count * cols];
            for (r, row) in block.chunks_exact_mut(cols).enumerate() {
                fill(first + r, row);
            }
            let z = MatRef::from_row_major_slice(&*block, count, cols);
            matmul::triangular::matmul(
                &mut sum,
                matmul::triangular::BlockStructure::TriangularLower,
                Accum::Add,
                z.transpose(),
                matmul::triangular::BlockStructure::Rectangular,
                z,
                matmul::triangular::BlockStructure::Rectangular,
                1.0,
                Par::Seq,
            );
        }
        Self(sum)
    }

    /// Sum of the squares of all elements.
    #[must_use]
    pub fn squared_sum(&self) -> f64 {
        let n = self.0.nrows();
        (0..n)
            .map(|j| {
                let below: f64 = (j + 1..n).map(|i| self.0[(i, j)].powi(2)).sum();
                self.0[(j, j)].powi(2) + 2.0 * below
            })
            .sum()
    }

    /// Eigenvalues, falling.
    fn eigenvalues(&self) -> Result<Vec<f64>, LinalgError> {
        let n = self.0.nrows();
        let mut values = Diag::<f64>::zeros(n);
        let scratch = evd::self_adjoint_evd_scratch::<f64>(
            n,
            evd::ComputeEigenvectors::No,
            Par::Seq,
            Default::default(),
        );
        evd::self_adjoint_evd(
            self.0.as_ref(),
            values.as_mut(),
            None,
            Par::Seq,
            MemStack::new(&mut MemBuffer::new(scratch)),
            Default::default(),
        )
        .map_err(|_| LinalgError::NoConvergence)?;
        Ok(values.column_vector().iter().rev().copied().collect())
    }
}

/// Singular values of `M`, falling: roots of the eigenvalues of `M^T M`, summed in 64 bits. Values
/// below about 1e-7 of the largest are noise, which is where 32-bit weights end, too.
///
/// # Errors
/// If `M` is not finite, or (never seen) the iteration does not converge.
pub fn singular_values(matrix: &MatrixView<'_>) -> Result<Vec<f64>, LinalgError> {
    if !matrix.is_finite() {
        return Err(LinalgError::NotFinite);
    }
    let gram = Gram::of_rows(matrix.rows(), matrix.cols(), |r, row| {
        matrix.copy_row(r, row);
    });
    let eigenvalues = gram.eigenvalues()?;
    Ok(eigenvalues.iter().map(|e| e.max(0.0).sqrt()).collect())
}

/// The orthogonal factor of a thin QR.
#[derive(Clone, Debug)]
pub struct Orthogonal {
    /// `Q` in the layout of the weight that it came from: `[out, rest]`, row-major.
    pub values: Vec<f32>,
    /// Diagonal of `R` before signs were made positive.
    pub r_diagonal: Vec<f64>,
}

/// `Q` of `M = Q R` (Householder), with every column times the sign of its diagonal element of `R`;
/// a column whose element is zero keeps its sign.
///
/// # Errors
/// If `M` is not finite.
pub fn orthogonal_factor(matrix: &MatrixView<'_>) -> Result<Orthogonal, LinalgError> {
    if !matrix.is_finite() {
        return Err(LinalgError::NotFinite);
    }
    let (rows, cols) = (matrix.rows(), matrix.cols());
    let mut packed = Mat::<f64>::zeros(rows, cols);
    let mut row = vec![0.0; cols];
    for r in 0..rows {
        matrix.copy_row(r, &mut row);
        for (c, value) in row.iter().enumerate() {
            packed[(r, c)] = *value;
        }
    }
    let block = factor::recommended_block_size::<f64>(rows, cols);
    let mut coefficients = Mat::zeros(block, cols);
    let scratch =
        factor::qr_in_place_scratch::<f64>(rows, cols, block, Par::Seq, Default::default());
    factor::qr_in_place(
        packed.as_mut(),
        coefficients.as_mut(),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    );
    let r_diagonal: Vec<f64> = (0..cols).map(|j| packed[(j, j)]).collect();
    let mut q = Mat::<f64>::identity(rows, cols);
    apply_reflections(&packed, &coefficients, q.as_mut());
    let values = signed(matrix, &q, &r_diagonal);
    Ok(Orthogonal { values, r_diagonal })
}

fn apply_reflections(packed: &Mat<f64>, coefficients: &Mat<f64>, q: MatMut<'_, f64>) {
    let (rows, cols) = (packed.nrows(), packed.ncols());
    let scratch = householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<f64>(
        rows,
        coefficients.nrows(),
        cols,
    );
    householder::apply_block_householder_sequence_on_the_left_in_place_with_conj(
        packed.as_ref(),
        coefficients.as_ref(),
        Conj::No,
        q,
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
    );
}

/// `Q` with signs, back in the weight's own layout.
fn signed(matrix: &MatrixView<'_>, q: &Mat<f64>, r_diagonal: &[f64]) -> Vec<f32> {
    let sign = |column: usize| if r_diagonal[column] < 0.0 { -1.0 } else { 1.0 };
    let mut values = Vec::with_capacity(matrix.values.len());
    for o in 0..matrix.out {
        for i in 0..matrix.rest {
            let (row, column) = if matrix.is_transposed() {
                (i, o)
            } else {
                (o, i)
            };
            values.push((sign(column) * q[(row, column)]) as f32);
        }
    }
    values
}

/// Sum of the absolute values of `z_i . z_j` over all pairs `i < j` of rows of the row-major `rows`
/// by `cols` matrix `z`.
#[must_use]
pub fn sum_of_absolute_products(z: &[f32], rows: usize, cols: usize) -> f64 {
    let block_of = |first: usize| {
        let count = BLOCK.min(rows - first);
        let values = &z[first * cols..(first + count) * cols];
        MatRef::from_row_major_slice(values, count, cols)
    };
    let mut products = Mat::<f32>::zeros(BLOCK.min(rows), BLOCK.min(rows));
    let mut sum = 0.0;
    for i in (0..rows).step_by(BLOCK) {
        for j in (i..rows).step_by(BLOCK) {
            let (left, right) = (block_of(i), block_of(j));
            let mut part = products.submatrix_mut(0, 0, left.nrows(), right.nrows());
            let right = right.transpose();
            matmul::matmul(&mut part, Accum::Replace, left, right, 1.0, Par::Seq);
            sum += if i == j {
                absolute_sum(part.as_ref(), |row, column| row < column)
            } else {
                absolute_sum(part.as_ref(), |_, _| true)
            };
        }
    }
    sum
}

fn absolute_sum(part: MatRef<'_, f32>, counts: impl Fn(usize, usize) -> bool) -> f64 {
    let mut sum = 0.0;
    for column in 0..part.ncols() {
        let rows = (0..part.nrows()).filter(|row| counts(*row, column));
        sum += f64::from(rows.map(|row| part[(row, column)].abs()).sum::<f32>());
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;
    use rand::Rng;

    fn draw(count: usize) -> Vec<f32> {
        let mut stream = random::stream(7, "linalg/test");
        (0..count).map(|_| stream.random::<f32>() - 0.5).collect()
    }

    #[test]
    fn a_wide_weight_is_seen_from_its_side() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let view = MatrixView::new(&[2, 3], &values).unwrap();
        assert!(view.is_transposed());
        assert_eq!((view.rows(), view.cols()), (3, 2));
        let mut row = [0.0; 2];
        view.copy_row(1, &mut row);
        assert_eq!(row, [2.0, 5.0]);
        assert!(MatrixView::new(&[6], &values).is_none());
        assert!(MatrixView::new(&[0, 3], &[]).is_none());
    }

    #[test]
    fn singular_values_of_a_diagonal_are_its_sizes() {
        let values = [0.0, -3.0, 0.0, 2.0, 0.0, 0.0];
        let view = MatrixView::new(&[2, 3], &values).unwrap();
        let sigma = singular_values(&view).unwrap();
        assert!((sigma[0] - 3.0).abs() < 1e-12 && (sigma[1] - 2.0).abs() < 1e-12);
    }

    #[test]
    fn singular_values_agree_with_the_decomposition_in_64_bits() {
        for (out, rest) in [(40, 300), (513, 7), (300, 300), (1, 5), (5, 1)] {
            let values = draw(out * rest);
            let view = MatrixView::new(&[out, rest], &values).unwrap();
            let wide: Vec<f64> = values.iter().map(|v| f64::from(*v)).collect();
            let expected = MatRef::from_row_major_slice(&wide[..], out, rest)
                .singular_values()
                .unwrap();
            let sigma = singular_values(&view).unwrap();
            assert_eq!(sigma.len(), expected.len());
            for (a, b) in sigma.iter().zip(&expected) {
                // Squaring costs half the digits of the smallest values.
                assert!((a - b).abs() < 1e-7 * expected[0], "{a} {b}");
            }
        }
    }

    #[test]
    fn the_orthogonal_factor_is_orthogonal_and_its_r_positive() {
        for (out, rest) in [(30, 200), (200, 30), (64, 64), (3, 1)] {
            let values = draw(out * rest);
            let view = MatrixView::new(&[out, rest], &values).unwrap();
            let q = orthogonal_factor(&view).unwrap();
            let factor = MatrixView::new(&[out, rest], &q.values).unwrap();
            let sigma = singular_values(&factor).unwrap();
            assert!(sigma.iter().all(|s| (s - 1.0).abs() < 1e-6));
            // R = Q^T M has a positive diagonal.
            let (mut a, mut b) = (vec![0.0; view.cols()], vec![0.0; view.cols()]);
            let mut diagonal = vec![0.0; view.cols()];
            for r in 0..view.rows() {
                view.copy_row(r, &mut a);
                factor.copy_row(r, &mut b);
                for c in 0..view.cols() {
                    diagonal[c] += a[c] * b[c];
                }
            }
            assert!(diagonal.iter().all(|d| *d > 0.0));
        }
    }

    #[test]
    fn products_of_rows_are_summed_in_blocks() {
        let (rows, cols) = (600, 5);
        let z = draw(rows * cols);
        let mut expected = 0.0;
        for i in 0..rows {
            for j in i + 1..rows {
                let product: f64 = (0..cols)
                    .map(|c| f64::from(z[i * cols + c]) * f64::from(z[j * cols + c]))
                    .sum();
                expected += product.abs();
            }
        }
        let sum = sum_of_absolute_products(&z, rows, cols);
        assert!((sum / expected - 1.0).abs() < 1e-5);
    }

    #[test]
    fn numbers_that_are_not_finite_end_at_once() {
        let values = [1.0, f32::NAN, 2.0, f32::INFINITY];
        let view = MatrixView::new(&[2, 2], &values).unwrap();
        assert_eq!(singular_values(&view), Err(LinalgError::NotFinite));
        assert!(orthogonal_factor(&view).is_err());
    }
}
