//! How different the rows and filters within each weight are.

use std::collections::HashSet;
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::{Moments, Spectrum, nullable};
use crate::arch::{Arch, TensorRole};
use crate::nn::correlation::{mean_absolute_correlation, row_correlation};
use crate::nn::linalg::{MatrixView, singular_values};
use crate::nn::{StateDict, Tensor, parallel};

/// Most rows whose correlations are averaged pair by pair; of larger matrices as many, evenly
/// spread. Every network of the zoo but VGG (25,088 inputs) and AlexNet is below.
const MOST_ROWS: usize = 8192;

/// Diversity of one weight: the fields of `stats diversity --json`.
///
/// `M` is the tall matrix view: `[out, rest]`, transposed if it has fewer rows than columns. Numbers
/// that are undefined (a weight that is not finite, a matrix of one column) are not a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diversity {
    pub name: String,
    /// PyTorch's shape.
    pub shape: Vec<usize>,
    /// Singular values above `longer side * 2^-23 * largest`.
    pub rank: usize,
    /// `exp(-sum p ln p)`, `p = sigma^2 / sum sigma^2`.
    #[serde(with = "nullable")]
    pub effective_rank: f64,
    /// `sum sigma^2 / sigma_max^2`.
    #[serde(with = "nullable")]
    pub stable_rank: f64,
    /// Largest singular value.
    #[serde(with = "nullable")]
    pub sigma_max: f64,
    /// Smallest singular value; below about 1e-7 of the largest it is rounding.
    #[serde(with = "nullable")]
    pub sigma_min: f64,
    /// Mean absolute correlation of all pairs of different rows of `M`.
    #[serde(with = "nullable")]
    pub mean_abs_corr: f64,
    /// Standard deviation of all entries of the correlation matrix of the rows of `M`, diagonal
    /// included: the `s` of post-processing.
    #[serde(with = "nullable")]
    pub std_corr: f64,
    /// Share of the filters (first dimension) that are an exact copy of an earlier one.
    #[serde(with = "nullable")]
    pub duplicate_fraction: f64,
    /// Of the finite values.
    #[serde(with = "nullable")]
    pub mean: f64,
    /// Of the finite values, divided by their number.
    #[serde(with = "nullable")]
    pub std: f64,
    /// How many values are not finite.
    pub nan: u64,
    /// A short outline of the spectrum for one table cell: up to 16 singular values in falling
    /// order, evenly spaced over all of them, divided by the largest.
    pub outline: Vec<f32>,
}

/// Names of the weights that diversity is about: those of layers with a weight matrix, in order.
#[must_use]
pub fn weights_of_arch(arch: &Arch) -> Vec<String> {
    arch.matrix_modules()
        .flat_map(|module| &arch.tensors()[module.tensors.clone()])
        .filter(|tensor| tensor.role == TensorRole::Weight)
        .map(|tensor| tensor.name.clone())
        .collect()
}

/// The same without an architecture: floating-point tensors of two dimensions, and those of more
/// that are longer than one in at least two (a layer scale of `[C, 1, 1]` is a vector).
#[must_use]
pub fn weights_of_state(state: &StateDict) -> Vec<String> {
    let is_matrix = |tensor: &Tensor| {
        let long = tensor.shape.iter().filter(|d| **d > 1).count();
        tensor.floats().is_some() && (tensor.shape.len() == 2 || long >= 2) && !tensor.is_empty()
    };
    let weights = state.iter().filter(|(_, tensor)| is_matrix(tensor));
    weights.map(|(name, _)| name.to_owned()).collect()
}

/// Diversity of one weight; `None` if it has fewer than two dimensions or is no floating-point
/// tensor.
#[must_use]
pub fn diversity_of(name: &str, tensor: &Tensor) -> Option<Diversity> {
    let values = tensor.floats()?;
    let matrix = MatrixView::new(&tensor.shape, values)?;
    let (mean, std, nan) = moments(values);
    let mut row = Diversity {
        name: name.to_owned(),
        shape: tensor.shape.clone(),
        rank: 0,
        effective_rank: f64::NAN,
        stable_rank: f64::NAN,
        sigma_max: f64::NAN,
        sigma_min: f64::NAN,
        mean_abs_corr: f64::NAN,
        std_corr: f64::NAN,
        duplicate_fraction: duplicate_fraction(values, tensor.shape[0]),
        mean,
        std,
        nan,
        outline: Vec::new(),
    };
    if nan > 0 {
        return Some(row);
    }
    if let Ok(sigma) = singular_values(&matrix) {
        let spectrum = Spectrum::new(sigma, matrix.rows());
        row.rank = spectrum.rank();
        row.effective_rank = spectrum.effective_rank();
        row.stable_rank = spectrum.stable_rank();
        row.sigma_max = spectrum.largest();
        row.sigma_min = spectrum.smallest();
        row.outline = spectrum.outline();
    }
    row.mean_abs_corr = mean_absolute_correlation(&matrix, MOST_ROWS);
    row.std_corr = row_correlation(&matrix).std;
    Some(row)
}

/// Diversity of the weights called `names`, several at once; `each` hears of every one as it is
/// done, with its index among those of `names` that are weights of `state`, and ends the work by
/// breaking.
pub fn diversity(
    state: &StateDict,
    names: &[String],
    mut each: impl FnMut(usize, Diversity) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let weights: Vec<(&str, &Tensor)> = names
        .iter()
        .filter_map(|name| Some((name.as_str(), state.get(name)?)))
        .collect();
    parallel::for_each(
        &weights,
        |(name, tensor)| diversity_of(name, tensor),
        |index, row| match row {
            Some(row) => each(index, row),
            None => ControlFlow::Continue(()),
        },
    )
}

/// Mean and standard deviation of the finite values, and how many are not.
fn moments(values: &[f32]) -> (f64, f64, u64) {
    let finite = values
        .iter()
        .map(|v| f64::from(*v))
        .filter(|v| v.is_finite());
    let nan = (values.len() - finite.clone().count()) as u64;
    let Moments { mean, deviation } = Moments::of(finite);
    (mean, deviation, nan)
}

/// Filters that are bit for bit a copy of an earlier one, as a share of all.
fn duplicate_fraction(values: &[f32], filters: usize) -> f64 {
    let filter = |i: usize| &values[i * values.len() / filters..(i + 1) * values.len() / filters];
    let distinct: HashSet<&[u8]> = (0..filters)
        .map(|i| bytemuck::cast_slice(filter(i)))
        .collect();
    1.0 - distinct.len() as f64 / filters as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;
    use rand::Rng;

    fn draw(count: usize) -> Vec<f32> {
        let mut stream = stream(5, "diversity/test");
        (0..count).map(|_| stream.random::<f32>() - 0.4).collect()
    }

    #[test]
    fn copies_lower_the_rank_and_are_counted() {
        let mut values = draw(8 * 30);
        values.extend_from_within(..);
        let row = diversity_of("w", &Tensor::new(vec![16, 30], values)).unwrap();
        assert_eq!(row.rank, 8);
        assert_eq!(row.duplicate_fraction, 0.5);
        assert!(row.sigma_min < 1e-6 * row.sigma_max);
        assert_eq!(row.outline.len(), 16);
    }

    #[test]
    fn weights_that_are_not_finite_are_told_and_nothing_hangs() {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut values = draw(64 * 64);
            values[100] = bad;
            let row = diversity_of("w", &Tensor::new(vec![64, 64], values)).unwrap();
            assert_eq!((row.nan, row.rank), (1, 0));
            assert!(row.effective_rank.is_nan() && row.mean.is_finite());
            let json = serde_json::to_string(&row).unwrap();
            assert!(json.contains("\"effective_rank\":null"));
            let back: Diversity = serde_json::from_str(&json).unwrap();
            assert!(back.effective_rank.is_nan());
        }
    }

    #[test]
    fn vectors_and_counters_are_no_weights() {
        let mut state = StateDict::default();
        state.insert("bias", Tensor::new(vec![3], vec![0.0; 3]));
        state.insert("scale", Tensor::new(vec![3, 1, 1], vec![0.0; 3]));
        state.insert("count", Tensor::count(1));
        state.insert("fc", Tensor::new(vec![1, 3], vec![0.0; 3]));
        state.insert("conv", Tensor::new(vec![2, 1, 3, 3], vec![0.0; 18]));
        state.insert("none", Tensor::new(vec![0, 3], vec![]));
        assert_eq!(weights_of_state(&state), ["fc", "conv"]);
        assert!(diversity_of("none", state.get("none").unwrap()).is_none());
    }

    #[test]
    fn all_weights_are_heard_of_and_a_break_ends_it() {
        let mut state = StateDict::default();
        for i in 0..20 {
            state.insert(format!("w{i}"), Tensor::new(vec![4, 6], draw(24)));
        }
        let names = weights_of_state(&state);
        let mut heard = vec![false; names.len()];
        let flow = diversity(&state, &names, |index, row| {
            assert_eq!(row.name, names[index]);
            heard[index] = true;
            ControlFlow::Continue(())
        });
        assert!(flow.is_continue() && heard.iter().all(|h| *h));
        let flow = diversity(&state, &names, |_, _| ControlFlow::Break(()));
        assert!(flow.is_break());
    }

    #[test]
    fn a_matrix_of_one_column_has_no_correlation_but_a_rank() {
        let row = diversity_of("w", &Tensor::new(vec![4, 1, 1, 1], draw(4))).unwrap();
        assert_eq!(row.rank, 1);
        assert!(row.std_corr.is_nan() && row.mean_abs_corr.is_nan());
    }
}
