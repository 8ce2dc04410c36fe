//! Student's t distribution, for whole degrees of freedom.

use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

/// Halvings of a quarter turn after which neighbouring numbers are no longer told apart.
const HALVINGS: usize = 60;

/// The `t` that bounds the middle `level` (0 to 1) of the distribution with so many degrees of freedom:
/// a value lies in `-t..t` with that probability. Not a number without a degree of freedom or for
/// a level outside `0..1`.
#[must_use]
pub fn two_sided(level: f64, freedom: usize) -> f64 {
    if freedom == 0 || !(0.0..1.0).contains(&level) {
        return f64::NAN;
    }
    let (mut low, mut high) = (0.0, FRAC_PI_2);
    for _ in 0..HALVINGS {
        let angle = 0.5 * (low + high);
        if middle(angle, freedom) < level {
            low = angle;
        } else {
            high = angle;
        }
    }
    high.tan() * (freedom as f64).sqrt()
}

/// The probability of `-t..t`, where `angle` is `atan(t / sqrt(freedom))`: a finite sum for whole
/// degrees of freedom (Abramowitz and Stegun, 26.7.3 and 26.7.4).
fn middle(angle: f64, freedom: usize) -> f64 {
    let (sin, cos) = angle.sin_cos();
    let odd = freedom % 2 == 1;
    // Powers of the cosine from 1 or 0 on, up to freedom - 2, two by two.
    let mut term = if odd { cos } else { 1.0 };
    let mut power = if odd { 1 } else { 0 };
    let mut sum = 0.0;
    while power + 2 <= freedom {
        sum += term;
        term *= cos * cos * (power + 1) as f64 / (power + 2) as f64;
        power += 2;
    }
    if odd {
        FRAC_2_PI * (angle + sin * sum)
    } else {
        sin * sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quantiles as the tables of textbooks have them, to their digits.
    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (freedom, at_95, at_99) in [
            (1, 12.706_204_736, 63.656_741_162),
            (2, 4.302_652_730, 9.924_843_201),
            (3, 3.182_446_305, 5.840_909_310),
            (4, 2.776_445_105, 4.604_094_871),
            (9, 2.262_157_163, 3.249_835_542),
            (10, 2.228_138_852, 3.169_272_673),
            (30, 2.042_272_456, 2.749_995_654),
            (100, 1.983_971_519, 2.625_890_521),
        ] {
            for (level, t) in [(0.95, at_95), (0.99, at_99)] {
                let got = two_sided(level, freedom);
                assert!((got - t).abs() < 2e-9 * t, "{freedom} {level}: {got}");
            }
        }
    }

    #[test]
    fn without_a_degree_of_freedom_there_is_no_quantile() {
        assert!(two_sided(0.95, 0).is_nan());
        assert!(two_sided(1.0, 3).is_nan());
        assert!(two_sided(0.0, 3).abs() < 1e-12);
    }
}
