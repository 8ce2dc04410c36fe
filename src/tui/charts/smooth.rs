//! Exponential smoothing of a whole series.

use super::series::Series;

/// A smoothed copy of a series that follows it as it grows.
///
/// Each value is the mean of all before it since the last gap, older ones weighing less by `decay` per
/// point, and divided by one minus `decay` to the power of their number, so that the first values are not
/// drawn towards zero. A value that is not finite is kept, and smoothing begins anew after it.
#[derive(Clone, Debug)]
pub struct Smoothed {
    decay: f64,
    mean: f64,
    /// `decay` to the power of the number of values since the last gap.
    bias: f64,
    series: Series,
}

impl Smoothed {
    /// `decay` from 0 (no smoothing) up to, but not including, 1.
    #[must_use]
    pub fn new(decay: f64) -> Self {
        Self {
            decay: decay.clamp(0.0, 0.9999),
            mean: 0.0,
            bias: 1.0,
            series: Series::new(),
        }
    }

    #[must_use]
    pub fn decay(&self) -> f64 {
        self.decay
    }

    /// Takes in the points of `raw` that it has not seen. If `raw` has lost points, it begins anew.
    pub fn follow(&mut self, raw: &Series) {
        if raw.len() < self.series.len() {
            *self = Self::new(self.decay);
        }
        for &value in &raw.values()[self.series.len()..] {
            let smooth = self.next(f64::from(value));
            self.series.push(smooth);
        }
    }

    fn next(&mut self, value: f64) -> f64 {
        if !value.is_finite() {
            self.mean = 0.0;
            self.bias = 1.0;
            return value;
        }
        self.mean = self.decay * self.mean + (1.0 - self.decay) * value;
        self.bias *= self.decay;
        self.mean / (1.0 - self.bias)
    }

    #[must_use]
    pub fn series(&self) -> &Series {
        &self.series
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smooth(decay: f64, values: &[f64]) -> Vec<f32> {
        let raw: Series = values.iter().copied().collect();
        let mut smoothed = Smoothed::new(decay);
        smoothed.follow(&raw);
        smoothed.series().values().to_vec()
    }

    #[test]
    fn a_constant_stays_what_it_is_from_the_first_point() {
        for value in smooth(0.99, &[3.0; 50]) {
            assert!((value - 3.0).abs() < 1e-6);
        }
    }

    #[test]
    fn values_are_weighted_means_of_those_before() {
        let smoothed = smooth(0.5, &[1.0, 2.0, 4.0]);
        let second = (0.5 * 1.0 + 2.0) / 1.5;
        let third = (0.25 * 1.0 + 0.5 * 2.0 + 4.0) / 1.75;
        for (value, expected) in smoothed.iter().zip([1.0, second, third]) {
            assert!((f64::from(*value) - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn nothing_is_carried_across_a_nan() {
        let smoothed = smooth(0.9, &[100.0, 100.0, f64::NAN, 1.0, 1.0]);
        assert!(smoothed[2].is_nan());
        assert!((smoothed[3] - 1.0).abs() < 1e-6);
    }

    #[test]
    fn following_in_parts_equals_following_at_once() {
        let values: Vec<f64> = (0..100).map(|i| f64::from(i * 37 % 11)).collect();
        let mut raw = Series::new();
        let mut in_parts = Smoothed::new(0.8);
        for chunk in values.chunks(7) {
            raw.extend(chunk.iter().copied());
            in_parts.follow(&raw);
        }
        assert_eq!(in_parts.series().values(), smooth(0.8, &values));
    }

    #[test]
    fn a_series_that_lost_points_is_followed_anew() {
        let mut raw: Series = (0..20).map(f64::from).collect();
        let mut smoothed = Smoothed::new(0.5);
        smoothed.follow(&raw);
        raw.truncate(5);
        smoothed.follow(&raw);
        assert_eq!(
            smoothed.series().values(),
            smooth(0.5, &[0.0, 1.0, 2.0, 3.0, 4.0])
        );
    }
}
