//! From values to fractions of an axis and to dots, and back.

/// Farthest dot that is told apart; keeps the integer arithmetic of lines far from overflow.
const FAR: f64 = (1 << 24) as f64;

/// An axis between two values. On a log scale both are above zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    log: bool,
    low: f64,
    high: f64,
}

impl Scale {
    /// A linear axis; `high` is moved up if it does not lie above `low`.
    #[must_use]
    pub fn linear(low: f64, high: f64) -> Self {
        let high = if high > low {
            high
        } else {
            low + low.abs().max(1.0)
        };
        Self {
            log: false,
            low,
            high,
        }
    }

    /// A logarithmic axis. Bounds that are not above zero are replaced.
    #[must_use]
    pub fn log(low: f64, high: f64) -> Self {
        let low = if low > 0.0 { low } else { f64::MIN_POSITIVE };
        let high = if high > low { high } else { low * 10.0 };
        Self {
            log: true,
            low,
            high,
        }
    }

    #[must_use]
    pub fn is_log(&self) -> bool {
        self.log
    }

    #[must_use]
    pub fn low(&self) -> f64 {
        self.low
    }

    #[must_use]
    pub fn high(&self) -> f64 {
        self.high
    }

    /// Where `value` lies: 0 at the lower bound, 1 at the upper. None if it has no place at all: not
    /// finite, or not above zero on a log axis.
    #[must_use]
    pub fn fraction(&self, value: f64) -> Option<f64> {
        if !value.is_finite() || (self.log && value <= 0.0) {
            return None;
        }
        if self.log {
            let low = self.low.log10();
            Some((value.log10() - low) / (self.high.log10() - low))
        } else {
            Some((value - self.low) / (self.high - self.low))
        }
    }

    /// The value at a fraction of the axis.
    #[must_use]
    pub fn value(&self, fraction: f64) -> f64 {
        if self.log {
            let low = self.low.log10();
            10_f64.powf(low + fraction * (self.high.log10() - low))
        } else {
            self.low + fraction * (self.high - self.low)
        }
    }

    /// The nearest of `dots` dots, the bounds being the first and the last; outside the axis it is below
    /// zero or at least `dots`.
    pub(super) fn dot(&self, value: f64, dots: usize) -> Option<i64> {
        let last = dots.saturating_sub(1) as f64;
        let fraction = self.fraction(value)?;
        Some((fraction * last).round().clamp(-FAR, FAR) as i64)
    }

    /// The part of the axis between two fractions.
    #[must_use]
    pub fn part(&self, from: f64, to: f64) -> Self {
        let (low, high) = (self.value(from), self.value(to));
        if self.log {
            Self::log(low, high)
        } else {
            Self::linear(low, high)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_the_first_and_last_dot() {
        for scale in [Scale::linear(-2.0, 7.0), Scale::log(1e-3, 1e3)] {
            assert_eq!(scale.dot(scale.low(), 9), Some(0));
            assert_eq!(scale.dot(scale.high(), 9), Some(8));
        }
        assert_eq!(Scale::log(1e-3, 1e3).dot(1.0, 9), Some(4));
    }

    #[test]
    fn values_without_a_logarithm_have_no_place() {
        let scale = Scale::log(0.1, 10.0);
        assert_eq!(scale.dot(0.0, 9), None);
        assert_eq!(scale.dot(-1.0, 9), None);
        assert_eq!(scale.dot(f64::NAN, 9), None);
        assert_eq!(Scale::linear(0.0, 1.0).dot(f64::INFINITY, 9), None);
    }

    #[test]
    fn value_undoes_fraction() {
        for scale in [Scale::linear(-2.0, 7.0), Scale::log(1e-3, 1e3)] {
            for part in [0.0, 0.1, 0.5, 0.99, 1.0] {
                let back = scale.fraction(scale.value(part)).unwrap();
                assert!((back - part).abs() < 1e-12);
            }
        }
    }
}
