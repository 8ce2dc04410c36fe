//! What a detailed view of one tensor draws.

use serde::{Deserialize, Serialize};

use super::Histogram;
use crate::nn::Tensor;
use crate::nn::correlation::thinned_correlation;
use crate::nn::linalg::{MatrixView, singular_values};

/// Longest side of the correlation matrix that is given out.
pub const LARGEST_CORRELATION: usize = 64;

/// One weight in detail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    /// All singular values, falling; none if the weight is not finite.
    pub singular_values: Vec<f32>,
    /// Counts in equal bins from `low` to `high`.
    pub histogram: Histogram,
    /// Correlation between rows of the matrix view, thinned to at most 64 by 64 rows that are evenly
    /// spread, row-major, -1 to 1; none if the weight is not finite.
    pub correlation: Vec<f32>,
    /// Side of that matrix.
    pub correlation_side: usize,
}

/// One weight in detail; `None` if it has fewer than two dimensions or is no floating-point tensor.
#[must_use]
pub fn detail(tensor: &Tensor) -> Option<Detail> {
    let values = tensor.floats()?;
    let matrix = MatrixView::new(&tensor.shape, values)?;
    let mut detail = Detail {
        singular_values: Vec::new(),
        histogram: Histogram::of(values),
        correlation: Vec::new(),
        correlation_side: 0,
    };
    if let Ok(sigma) = singular_values(&matrix) {
        detail.singular_values = sigma.iter().map(|s| *s as f32).collect();
        (detail.correlation, detail.correlation_side) =
            thinned_correlation(&matrix, LARGEST_CORRELATION);
    }
    Some(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_correlation_is_thinned_and_bounded() {
        let values: Vec<f32> = (0..200 * 30).map(|i| (i as f32 * 0.7).sin()).collect();
        let detail = detail(&Tensor::new(vec![200, 30], values)).unwrap();
        assert_eq!(detail.correlation_side, 64);
        assert_eq!(detail.correlation.len(), 64 * 64);
        assert!(detail.correlation.iter().all(|c| c.abs() <= 1.0));
        assert!((detail.correlation[0] - 1.0).abs() < 1e-6);
        assert_eq!(detail.singular_values.len(), 30);
    }

    #[test]
    fn broken_weights_have_a_histogram_only() {
        let detail = detail(&Tensor::new(vec![2, 2], vec![1.0, f32::NAN, 2.0, 3.0])).unwrap();
        assert!(detail.singular_values.is_empty() && detail.correlation.is_empty());
        assert_eq!(detail.histogram.counts.iter().sum::<u64>(), 3);
    }
}
