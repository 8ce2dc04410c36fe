//! Counts of values in equal bins.

use serde::{Deserialize, Serialize};

/// Bins of a tensor's histogram.
const BINS: usize = 64;

/// Counts in equal bins from `low` to `high`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    pub low: f64,
    pub high: f64,
    pub counts: Vec<u64>,
}

impl Histogram {
    /// The finite ones of `values` in 64 bins from the smallest to the largest. No bins if there are
    /// none; values that are all equal lie in the middle of a range around them.
    #[must_use]
    pub fn of(values: &[f32]) -> Self {
        let finite = || {
            values
                .iter()
                .map(|v| f64::from(*v))
                .filter(|v| v.is_finite())
        };
        let Some((mut low, mut high)) = finite().fold(None, |range, v| match range {
            None => Some((v, v)),
            Some((low, high)) => Some((v.min(low), v.max(high))),
        }) else {
            return Self::default();
        };
        if low == high {
            let half = (low.abs() / 2.0).max(0.5);
            (low, high) = (low - half, high + half);
        }
        let mut counts = vec![0; BINS];
        let scale = BINS as f64 / (high - low);
        for value in finite() {
            let bin = ((value - low) * scale) as usize;
            counts[bin.min(BINS - 1)] += 1;
        }
        Self { low, high, counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finite_value_is_counted_once() {
        let values = [-1.0, 0.0, 0.5, 1.0, f32::NAN, f32::INFINITY];
        let histogram = Histogram::of(&values);
        assert_eq!(histogram.counts.iter().sum::<u64>(), 4);
        assert_eq!((histogram.low, histogram.high), (-1.0, 1.0));
        assert_eq!((histogram.counts[0], histogram.counts[63]), (1, 1));
    }

    #[test]
    fn equal_values_and_none_have_a_histogram() {
        assert_eq!(Histogram::of(&[3.0; 7]).counts.iter().sum::<u64>(), 7);
        assert!(Histogram::of(&[f32::NAN]).counts.is_empty());
    }
}
