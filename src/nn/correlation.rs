//! Correlations between the rows of a matrix view, as the paper's published code takes them
//! (numpy's `corrcoef`), without ever holding the rows-by-rows matrix.
//!
//! With `z_i` the row `i` less its mean, divided by its norm, the correlation of two rows is
//! `z_i . z_j`. So the sum of all correlations is `|sum_i z_i|^2`, and the sum of their squares is
//! `|Z Z^T|^2 = |Z^T Z|^2`, a matrix of only columns by columns.

use super::linalg::{Gram, MatrixView, sum_of_absolute_products};

/// How alike the rows are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowCorrelation {
    /// Standard deviation (n - 1) of all entries of the correlation matrix, the ones on the diagonal
    /// included. Not a number if fewer than two rows vary.
    pub std: f64,
    /// Rows without any variation; they have no correlation and are left out.
    pub constant_rows: usize,
}

/// Takes the row's mean away and divides by its norm. False, and all zeros, if it does not vary.
fn standardise(row: &mut [f64]) -> bool {
    let varies = row.iter().any(|v| *v != row[0]);
    let mean = row.iter().sum::<f64>() / row.len() as f64;
    row.iter_mut().for_each(|v| *v -= mean);
    let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
    if !varies || norm == 0.0 {
        row.fill(0.0);
        return false;
    }
    row.iter_mut().for_each(|v| *v /= norm);
    true
}

/// The spread of the correlations between all rows.
#[must_use]
pub fn row_correlation(matrix: &MatrixView<'_>) -> RowCorrelation {
    let (rows, cols) = (matrix.rows(), matrix.cols());
    let mut total = vec![0.0; cols];
    let mut constant_rows = 0;
    let gram = Gram::of_rows(rows, cols, |r, row| {
        matrix.copy_row(r, row);
        if standardise(row) {
            total.iter_mut().zip(row).for_each(|(t, v)| *t += *v);
        } else {
            constant_rows += 1;
        }
    });
    let varying = (rows - constant_rows) as f64;
    let entries = varying * varying;
    let sum: f64 = total.iter().map(|t| t * t).sum();
    let variance = (gram.squared_sum() - sum * sum / entries) / (entries - 1.0);
    let std = if varying < 2.0 {
        f64::NAN
    } else {
        variance.max(0.0).sqrt()
    };
    RowCorrelation { std, constant_rows }
}

/// Mean absolute correlation of all pairs of different rows that vary, of at most `most` rows spread
/// evenly over the matrix. Not a number if there is no pair.
#[must_use]
pub fn mean_absolute_correlation(matrix: &MatrixView<'_>, most: usize) -> f64 {
    let (z, rows) = standardised_rows(matrix, most);
    if rows < 2 {
        return f64::NAN;
    }
    let pairs = (rows * (rows - 1) / 2) as f64;
    sum_of_absolute_products(&z, rows, matrix.cols()) / pairs
}

/// Correlations between at most `most` rows, spread evenly: row-major, and the matrix's side. A row
/// that does not vary has correlation 0 with every row.
#[must_use]
pub fn thinned_correlation(matrix: &MatrixView<'_>, most: usize) -> (Vec<f32>, usize) {
    let cols = matrix.cols();
    let mut z = Vec::new();
    let mut row = vec![0.0; cols];
    let chosen: Vec<usize> = spread(matrix.rows(), most).collect();
    for r in &chosen {
        matrix.copy_row(*r, &mut row);
        standardise(&mut row);
        z.extend_from_slice(&row);
    }
    let side = chosen.len();
    let row_of = |i: usize| &z[i * cols..(i + 1) * cols];
    let mut correlation = Vec::with_capacity(side * side);
    for i in 0..side {
        for j in 0..side {
            let product: f64 = row_of(i).iter().zip(row_of(j)).map(|(a, b)| a * b).sum();
            correlation.push(product.clamp(-1.0, 1.0) as f32);
        }
    }
    (correlation, side)
}

/// At most `most` of the indices below `count`, evenly spread.
fn spread(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let chosen = count.min(most);
    (0..chosen).map(move |i| i * count / chosen)
}

/// The varying ones of at most `most` rows, row-major, and how many they are.
fn standardised_rows(matrix: &MatrixView<'_>, most: usize) -> (Vec<f32>, usize) {
    let cols = matrix.cols();
    let mut z = Vec::with_capacity(matrix.rows().min(most) * cols);
    let mut row = vec![0.0; cols];
    for r in spread(matrix.rows(), most) {
        matrix.copy_row(r, &mut row);
        if standardise(&mut row) {
            z.extend(row.iter().map(|v| *v as f32));
        }
    }
    let rows = z.len() / cols;
    (z, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;
    use rand::Rng;

    /// The plain reference: every entry of the correlation matrix.
    fn entries(matrix: &MatrixView<'_>) -> Vec<f64> {
        let (correlation, side) = thinned_correlation(matrix, usize::MAX);
        assert_eq!(side, matrix.rows());
        correlation.iter().map(|c| f64::from(*c)).collect()
    }

    fn std(values: &[f64]) -> f64 {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        (squares / (values.len() - 1) as f64).sqrt()
    }

    #[test]
    fn the_spread_needs_no_correlation_matrix() {
        let mut stream = random::stream(3, "correlation/test");
        for (out, rest) in [(20, 9), (5, 300), (17, 17)] {
            let values: Vec<f32> = (0..out * rest).map(|_| stream.random()).collect();
            let matrix = MatrixView::new(&[out, rest], &values).unwrap();
            let got = row_correlation(&matrix).std;
            assert!((got - std(&entries(&matrix))).abs() < 1e-6);
            let all = entries(&matrix);
            let rows = matrix.rows();
            let absolute: f64 = all.iter().map(|c| c.abs()).sum::<f64>() - rows as f64;
            let expected = absolute / (rows * (rows - 1)) as f64;
            let got = mean_absolute_correlation(&matrix, usize::MAX);
            assert!((got - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn constant_rows_are_left_out_and_counted() {
        let values = [1.0, 2.0, 0.1, 0.1, 3.0, -1.0, 0.0, 5.0];
        let matrix = MatrixView::new(&[4, 2], &values).unwrap();
        let got = row_correlation(&matrix);
        assert_eq!(got.constant_rows, 1);
        // Of the other three rows two rise and one falls: correlations are 1 and -1.
        let expected = std(&[1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0]);
        assert!((got.std - expected).abs() < 1e-12);
    }

    #[test]
    fn a_matrix_of_one_column_has_no_correlations() {
        let matrix = MatrixView::new(&[4, 1], &[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert!(row_correlation(&matrix).std.is_nan());
        assert!(mean_absolute_correlation(&matrix, 100).is_nan());
    }
}
