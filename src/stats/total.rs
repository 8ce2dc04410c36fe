//! Diversity of a whole network.

use serde::{Deserialize, Serialize};

use super::{Diversity, nullable};

/// Diversity of all weights together. Ranks are summed and divided by the sum of the highest ranks
/// that the shapes allow; correlations are averaged with the number of values as weight; mean and
/// deviation are those of all values together. Weights for which a number is undefined are left out
/// of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Total {
    pub tensors: usize,
    pub values: u64,
    /// Sum of the ranks.
    pub rank: usize,
    /// Sum of the shorter sides of the matrices.
    pub full_rank: usize,
    /// `rank / full_rank`.
    #[serde(with = "nullable")]
    pub rank_fraction: f64,
    /// Sum of the effective ranks over `full_rank`.
    #[serde(with = "nullable")]
    pub effective_rank_fraction: f64,
    /// Sum of the stable ranks over `full_rank`.
    #[serde(with = "nullable")]
    pub stable_rank_fraction: f64,
    #[serde(with = "nullable")]
    pub sigma_max: f64,
    #[serde(with = "nullable")]
    pub sigma_min: f64,
    #[serde(with = "nullable")]
    pub mean_abs_corr: f64,
    #[serde(with = "nullable")]
    pub std_corr: f64,
    /// Copies over all filters.
    #[serde(with = "nullable")]
    pub duplicate_fraction: f64,
    #[serde(with = "nullable")]
    pub mean: f64,
    #[serde(with = "nullable")]
    pub std: f64,
    pub nan: u64,
}

impl Total {
    /// The total of all `rows`.
    #[must_use]
    pub fn of(rows: &[Diversity]) -> Self {
        let full_rank = rows.iter().map(shorter_side).sum();
        let rank = rows.iter().map(|r| r.rank).sum();
        let full = |r: &Diversity| shorter_side(r) as f64;
        let values = |r: &Diversity| count(r) as f64;
        let finite = |r: &Diversity| (count(r) - r.nan) as f64;
        let mean = average(rows, |r| r.mean, finite);
        let squares = average(rows, |r| r.mean * r.mean + r.std * r.std, finite);
        Self {
            tensors: rows.len(),
            values: rows.iter().map(count).sum(),
            rank,
            full_rank,
            rank_fraction: rank as f64 / full_rank as f64,
            effective_rank_fraction: average(rows, |r| r.effective_rank / full(r), full),
            stable_rank_fraction: average(rows, |r| r.stable_rank / full(r), full),
            sigma_max: extreme(rows, |r| r.sigma_max, f64::max),
            sigma_min: extreme(rows, |r| r.sigma_min, f64::min),
            mean_abs_corr: average(rows, |r| r.mean_abs_corr, values),
            std_corr: average(rows, |r| r.std_corr, values),
            duplicate_fraction: average(rows, |r| r.duplicate_fraction, |r| r.shape[0] as f64),
            mean,
            std: (squares - mean * mean).max(0.0).sqrt(),
            nan: rows.iter().map(|r| r.nan).sum(),
        }
    }
}

fn count(row: &Diversity) -> u64 {
    row.shape.iter().product::<usize>() as u64
}

fn shorter_side(row: &Diversity) -> usize {
    let rest = row.shape[1..].iter().product();
    row.shape[0].min(rest)
}

/// Weighted mean of a number over the rows for which it is defined.
fn average(
    rows: &[Diversity],
    number: impl Fn(&Diversity) -> f64,
    weight: impl Fn(&Diversity) -> f64,
) -> f64 {
    let defined = rows.iter().filter(|r| !number(r).is_nan());
    let (sum, weights) = defined.fold((0.0, 0.0), |(sum, weights), r| {
        (sum + number(r) * weight(r), weights + weight(r))
    });
    sum / weights
}

fn extreme(
    rows: &[Diversity],
    number: impl Fn(&Diversity) -> f64,
    choose: fn(f64, f64) -> f64,
) -> f64 {
    // f64::max and min pass over what is not a number.
    rows.iter().map(number).fold(f64::NAN, choose)
}

#[cfg(test)]
mod tests {
    use super::super::diversity_of;
    use super::*;
    use crate::nn::Tensor;

    #[test]
    fn all_values_together_have_the_totals_mean_and_deviation() {
        let (a, b) = (vec![1.0, 2.0, 3.0, 5.0], vec![0.0, 0.0, 4.0, 1.0, 2.0, 2.0]);
        let all: Vec<f64> = a.iter().chain(&b).map(|v| f64::from(*v)).collect();
        let rows = [
            diversity_of("a", &Tensor::new(vec![2, 2], a)).unwrap(),
            diversity_of("b", &Tensor::new(vec![3, 2], b)).unwrap(),
        ];
        let total = Total::of(&rows);
        let mean = all.iter().sum::<f64>() / 10.0;
        let squares: f64 = all.iter().map(|v| (v - mean).powi(2)).sum();
        assert!((total.mean - mean).abs() < 1e-12);
        assert!((total.std - (squares / 10.0).sqrt()).abs() < 1e-12);
        assert_eq!((total.rank, total.full_rank), (4, 4));
        assert_eq!(total.sigma_max, rows[0].sigma_max.max(rows[1].sigma_max));
    }

    #[test]
    fn nothing_has_a_total_too() {
        let total = Total::of(&[]);
        assert_eq!(total.tensors, 0);
        assert!(serde_json::to_string(&total).unwrap().contains("null"));
    }
}
