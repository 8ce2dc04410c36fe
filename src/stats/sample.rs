//! A few measurements of the same thing, such as the accuracies of several seeds.

use serde::Serialize;

use super::Moments;
use super::student;

/// Mean and spread of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sample {
    pub n: usize,
    pub mean: f64,
    /// Sample standard deviation: squares are divided by `n - 1`. None for a single value.
    pub deviation: Option<f64>,
}

impl Sample {
    /// None without a value.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        let Moments { mean, deviation } = Moments::of(values.iter().copied());
        let to_sample = |d: f64| d * (n as f64 / (n - 1) as f64).sqrt();
        (n > 0).then(|| Self {
            n,
            mean,
            deviation: (n > 1).then(|| to_sample(deviation)),
        })
    }

    /// Of the mean. None for a single value.
    #[must_use]
    pub fn standard_error(&self) -> Option<f64> {
        Some(self.deviation? / (self.n as f64).sqrt())
    }

    /// The interval that holds the true mean with probability `level`, if values spread normally:
    /// Student's t with `n - 1` degrees of freedom. None for a single value, which says nothing of
    /// its own spread.
    #[must_use]
    pub fn interval(&self, level: f64) -> Option<[f64; 2]> {
        let t = student::two_sided(level, self.n - 1);
        let half = t * self.standard_error()?;
        Some([self.mean - half, self.mean + half])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked by hand: the mean of 1, 2, 4, 7 is 3.5, squares sum to 21, 21 / 3 = 7; the half width
    /// is 3.182446 * sqrt(7) / 2.
    #[test]
    fn a_sample_by_hand() {
        let sample = Sample::of(&[1.0, 2.0, 4.0, 7.0]).unwrap();
        assert_eq!((sample.n, sample.mean), (4, 3.5));
        assert!((sample.deviation.unwrap() - 7_f64.sqrt()).abs() < 1e-12);
        let [low, high] = sample.interval(0.95).unwrap();
        let half = 3.182_446_305 * 7_f64.sqrt() / 2.0;
        assert!((high - 3.5 - half).abs() < 1e-8 && (3.5 - low - half).abs() < 1e-8);
    }

    #[test]
    fn a_single_value_has_no_spread_and_no_interval() {
        let one = Sample::of(&[3.0]).unwrap();
        assert_eq!(
            (one.mean, one.deviation, one.interval(0.95)),
            (3.0, None, None)
        );
        assert_eq!(Sample::of(&[]), None);
    }
}
