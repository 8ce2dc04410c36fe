//! Recognises activations by what they do to numbers.
//!
//! Exporters write GELU, SiLU, HardSwish and others as chains of additions, products and error functions,
//! each in its own way. Whatever the chain, it is a function of one number; it is followed at some points,
//! and the activation with the same values there is the one that was meant.

use crate::arch::Activation;

/// Number of points.
const POINTS: usize = 33;

/// How far apart values may lie, absolutely and as a share: constants in files are 32-bit. The nearest two
/// activations, GELU and its approximation by tanh, differ by 5e-4.
const TOLERANCE: f64 = 2e-6;

/// A function of one number, known at points from -8 to 8.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Curve([f64; POINTS]);

impl Curve {
    /// The number itself.
    pub fn identity() -> Self {
        let step = 16.0 / (POINTS - 1) as f64;
        // Slightly off the round numbers, where kinks lie.
        Self(std::array::from_fn(|i| -8.0 + step * i as f64 + 0.013))
    }

    pub fn map(self, f: impl Fn(f64) -> f64) -> Self {
        Self(self.0.map(f))
    }

    pub fn with(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }

    /// The activation that it is.
    pub fn activation(self) -> Option<Activation> {
        let all = Activation::ALL.into_iter();
        all.into_iter()
            .find(|a| self.is(Self::identity().map(|x| value(*a, x))))
    }

    /// `[a, b]` if it is `a x + b`.
    pub fn line(self) -> Option<[f64; 2]> {
        let x = Self::identity().0;
        let slope = (self.0[POINTS - 1] - self.0[0]) / (x[POINTS - 1] - x[0]);
        let offset = self.0[0] - slope * x[0];
        let line = Self::identity().map(|x| slope * x + offset);
        (slope.is_finite() && offset.is_finite() && self.is(line)).then(|| {
            // A chain without additions has no offset; what is left of one is rounding.
            let offset = if offset.abs() < 1e-12 { 0.0 } else { offset };
            [slope, offset]
        })
    }

    fn is(self, other: Self) -> bool {
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= TOLERANCE * (1.0 + b.abs());
        self.0.iter().zip(&other.0).all(near)
    }
}

fn value(activation: Activation, x: f64) -> f64 {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let hard_sigmoid = |x: f64| ((x + 3.0) / 6.0).clamp(0.0, 1.0);
    match activation {
        Activation::Relu => x.max(0.0),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::Gelu => gelu(x),
        Activation::Silu => x * sigmoid(x),
        Activation::Sigmoid => sigmoid(x),
        Activation::Hardsigmoid => hard_sigmoid(x),
        Activation::Hardswish => x * hard_sigmoid(x),
        Activation::Tanh => x.tanh(),
    }
}

/// The exact GELU.
pub(super) fn gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2))
}

/// The error function to about 1e-15: its series near zero, a continued fraction beyond.
pub(super) fn erf(x: f64) -> f64 {
    let a = x.abs();
    if !a.is_finite() || a > 6.0 {
        return if a.is_nan() { a } else { 1.0_f64.copysign(x) };
    }
    let scale = (-a * a).exp() / std::f64::consts::PI.sqrt();
    let value = if a < 2.5 {
        // 2 / sqrt(pi) exp(-a^2) sum of 2^n a^(2n+1) / (2n+1)!!
        let mut term = a;
        let mut sum = a;
        for n in 1..80 {
            term *= 2.0 * a * a / f64::from(2 * n + 1);
            sum += term;
        }
        2.0 * scale * sum
    } else {
        let mut fraction = a;
        for n in (1..=60).rev() {
            fraction = a + f64::from(n) / 2.0 / fraction;
        }
        1.0 - scale / fraction
    };
    value.copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_are_told_apart() {
        for activation in Activation::ALL {
            let curve = Curve::identity().map(|x| value(activation, x));
            assert_eq!(curve.activation(), Some(activation));
            assert_eq!(curve.line(), None);
        }
        let root = (2.0 / std::f64::consts::PI).sqrt();
        let approximate = |x: f64| 0.5 * x * (1.0 + (root * (x + 0.044_715 * x.powi(3))).tanh());
        let others: [fn(f64) -> f64; 3] = [|x| x, |x| x.max(0.1 * x), f64::exp];
        assert_eq!(Curve::identity().map(approximate).activation(), None);
        for other in others {
            assert_eq!(Curve::identity().map(other).activation(), None);
        }
    }

    #[test]
    fn lines_are_found_with_their_numbers() {
        let [a, b] = Curve::identity().map(|x| (x - 0.5) / 0.25).line().unwrap();
        assert!((a - 4.0).abs() < 1e-12 && (b + 2.0).abs() < 1e-12);
        assert_eq!(Curve::identity().map(|x| 3.0 * x).line().unwrap()[1], 0.0);
    }

    #[test]
    fn the_error_function_has_its_known_values() {
        for (x, expected) in [
            (0.0, 0.0),
            (0.5, 0.520_499_877_813_046_5),
            (-1.0, -0.842_700_792_949_714_9),
            (2.0, 0.995_322_265_018_952_7),
            (3.0, 0.999_977_909_503_001_4),
        ] {
            assert!((erf(x) - expected).abs() < 1e-14, "{x}");
        }
    }
}
