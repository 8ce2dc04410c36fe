//! Activations, value by value.

use rayon::prelude::*;

use super::rows::CHUNK;
use super::simd::fma;
use crate::arch::Activation;

/// The interval that an activation cuts values to, if that is all it does. Its gradient then follows
/// from its output: it passes strictly inside.
pub const fn bounds(activation: Activation) -> Option<[f32; 2]> {
    match activation {
        Activation::Relu => Some([0.0, f32::INFINITY]),
        Activation::Relu6 => Some([0.0, 6.0]),
        _ => None,
    }
}

/// The nearest value within bounds; a NaN stays one.
#[inline(always)]
pub fn clamp(x: f32, [floor, ceiling]: [f32; 2]) -> f32 {
    let x = if x < floor { floor } else { x };
    if x > ceiling { ceiling } else { x }
}

/// `y = f(x)`.
pub fn forward(activation: Activation, x: &[f32], y: &mut [f32]) {
    y.par_chunks_mut(CHUNK)
        .zip(x.par_chunks(CHUNK))
        .for_each(|(y, x)| {
            y.copy_from_slice(x);
            forward_chunk(activation, y);
        });
}

/// `x = f(x)`.
pub fn in_place(activation: Activation, x: &mut [f32]) {
    x.par_chunks_mut(CHUNK)
        .for_each(|x| forward_chunk(activation, x));
}

/// Takes a gradient through a clamp: zero wherever its output `y` is not inside the bounds.
pub fn mask(bounds: [f32; 2], y: &[f32], gradient: &mut [f32]) {
    gradient
        .par_chunks_mut(CHUNK)
        .zip(y.par_chunks(CHUNK))
        .for_each(|(g, y)| mask_chunk(bounds, y, g));
}

/// Multiplies a gradient by the derivative at `x`.
pub fn backward(activation: Activation, x: &[f32], gradient: &mut [f32]) {
    gradient
        .par_chunks_mut(CHUNK)
        .zip(x.par_chunks(CHUNK))
        .for_each(|(g, x)| backward_chunk(activation, x, g));
}

multiversion! {
    /// [`forward`] in place, on this thread.
    pub fn forward_chunk<FMA>(activation: Activation, x: &mut [f32]) {
        match activation {
            Activation::Relu => replace(x, |x| clamp(x, [0.0, f32::INFINITY])),
            Activation::Relu6 => replace(x, |x| clamp(x, [0.0, 6.0])),
            Activation::Gelu => replace(x, |x| x * normal::<FMA>(x).0),
            Activation::Silu => replace(x, |x| x * sigmoid::<FMA>(x)),
            Activation::Sigmoid => replace(x, sigmoid::<FMA>),
            Activation::Hardsigmoid => replace(x, hardsigmoid::<FMA>),
            Activation::Hardswish => replace(x, |x| x * hardsigmoid::<FMA>(x)),
            Activation::Tanh => replace(x, tanh::<FMA>),
        }
    }
}

multiversion! {
    /// [`mask`] on this thread.
    pub fn mask_chunk<FMA>(bounds: [f32; 2], y: &[f32], gradient: &mut [f32]) {
        let [floor, ceiling] = bounds;
        for (g, y) in gradient.iter_mut().zip(y) {
            *g = if *y > floor && *y < ceiling { *g } else { 0.0 };
        }
    }
}

multiversion! {
    /// [`backward`] on this thread.
    pub fn backward_chunk<FMA>(activation: Activation, x: &[f32], gradient: &mut [f32]) {
        let g = gradient;
        match activation {
            Activation::Relu => scale(g, x, |x| inside(x, 0.0, f32::INFINITY)),
            Activation::Relu6 => scale(g, x, |x| inside(x, 0.0, 6.0)),
            Activation::Gelu => scale(g, x, |x| {
                let (below, density) = normal::<FMA>(x);
                fma::<FMA>(x, density, below)
            }),
            Activation::Silu => scale(g, x, |x| {
                let s = sigmoid::<FMA>(x);
                s * fma::<FMA>(x, 1.0 - s, 1.0)
            }),
            Activation::Sigmoid => scale(g, x, |x| {
                let s = sigmoid::<FMA>(x);
                s * (1.0 - s)
            }),
            Activation::Hardsigmoid => scale(g, x, |x| SIXTH * inside(x, -3.0, 3.0)),
            Activation::Hardswish => scale(g, x, |x| {
                fma::<FMA>(SIXTH * x, inside(x, -3.0, 3.0), hardsigmoid::<FMA>(x))
            }),
            Activation::Tanh => scale(g, x, |x| {
                let y = tanh::<FMA>(x);
                fma::<FMA>(-y, y, 1.0)
            }),
        }
    }
}

const SIXTH: f32 = 1.0 / 6.0;

#[inline(always)]
fn replace(values: &mut [f32], f: impl Fn(f32) -> f32) {
    for x in values {
        *x = f(*x);
    }
}

#[inline(always)]
fn scale(gradient: &mut [f32], x: &[f32], slope: impl Fn(f32) -> f32) {
    for (g, x) in gradient.iter_mut().zip(x) {
        *g *= slope(*x);
    }
}

/// One strictly between the bounds, otherwise zero.
#[inline(always)]
fn inside(x: f32, floor: f32, ceiling: f32) -> f32 {
    if x > floor && x < ceiling { 1.0 } else { 0.0 }
}

#[inline(always)]
fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    1.0 / (1.0 + exp::<FMA>(-x))
}

#[inline(always)]
fn tanh<const FMA: bool>(x: f32) -> f32 {
    fma::<FMA>(2.0, sigmoid::<FMA>(2.0 * x), -1.0)
}

#[inline(always)]
fn hardsigmoid<const FMA: bool>(x: f32) -> f32 {
    clamp(fma::<FMA>(x, SIXTH, 0.5), [0.0, 1.0])
}

/// Distribution function and density of the standard normal distribution at `x`.
///
/// The error function by the rational approximation 7.1.26 of Abramowitz & Stegun, whose error is at
/// most 1.5e-7.
#[inline(always)]
fn normal<const FMA: bool>(x: f32) -> (f32, f32) {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let e = exp::<FMA>(-z * z);
    let t = 1.0 / fma::<FMA>(0.327_591_1, z, 1.0);
    let mut p = 1.061_405_4;
    for coefficient in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        p = fma::<FMA>(p, t, coefficient);
    }
    // Half the complementary error function: the tail beyond |x|.
    let tail = 0.5 * p * t * e;
    let below = if x < 0.0 { tail } else { 1.0 - tail };
    const DENSITY_AT_ZERO: f32 = 0.398_942_3;
    (below, DENSITY_AT_ZERO * e)
}

/// `e^x` in vectors: `2^n` times a polynomial of degree 6 on `[-ln 2 / 2, ln 2 / 2]` (the coefficients
/// of Cephes' `expf`; relative error about 1e-7).
#[inline(always)]
pub(super) fn exp<const FMA: bool>(x: f32) -> f32 {
    // Adding and taking off 1.5 * 2^23 rounds to the nearest whole number. With the exponent's bias on top,
    // the sum's last bits are the exponent of 2^n.
    const ROUND: f32 = 12_582_912.0 + 127.0;
    // ln 2 in two parts, the first with few digits so that the product is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let rounded = fma::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let n = rounded - ROUND;
    let r = fma::<FMA>(n, -LN2_HIGH, x);
    let r = fma::<FMA>(n, -LN2_LOW, r);
    let mut p = 1.987_569_1e-4;
    for coefficient in [
        1.398_2e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ] {
        p = fma::<FMA>(p, r, coefficient);
    }
    let p = fma::<FMA>(p * r, r, r) + 1.0;
    f32::from_bits(rounded.to_bits() << 23) * p
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error function by its Taylor series, in 64 bits; good to 1e-12 for |x| < 4.
    fn erf(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    /// Value and slope in 64 bits.
    fn plain(activation: Activation, x: f64) -> (f64, f64) {
        let sigmoid = 1.0 / (1.0 + (-x).exp());
        let hard = ((x + 3.0) / 6.0).clamp(0.0, 1.0);
        let hard_slope = if x.abs() < 3.0 { 1.0 / 6.0 } else { 0.0 };
        let step = |on: bool| if on { 1.0 } else { 0.0 };
        match activation {
            Activation::Relu => (x.max(0.0), step(x > 0.0)),
            Activation::Relu6 => (x.clamp(0.0, 6.0), step(x > 0.0 && x < 6.0)),
            Activation::Gelu => {
                let below = 0.5 * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2));
                let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
                (x * below, below + x * density)
            }
            Activation::Silu => (x * sigmoid, sigmoid + x * sigmoid * (1.0 - sigmoid)),
            Activation::Sigmoid => (sigmoid, sigmoid * (1.0 - sigmoid)),
            Activation::Hardsigmoid => (hard, hard_slope),
            Activation::Hardswish => (x * hard, hard + x * hard_slope),
            Activation::Tanh => (x.tanh(), 1.0 - x.tanh().powi(2)),
        }
    }

    #[test]
    fn activations_and_their_derivatives_are_exact_to_five_digits_more_than_training_needs() {
        // No kink is among the points, and the series of the error function ends before 6.
        let x: Vec<f32> = (-540..=540).map(|i| (i as f32 + 0.5) / 90.0).collect();
        for activation in Activation::ALL {
            let x: Vec<f32> = match activation {
                Activation::Gelu => x.iter().map(|x| x * 0.9).collect(),
                _ => x.iter().map(|x| x * 1.5).collect(),
            };
            let mut y = vec![0.0; x.len()];
            forward(activation, &x, &mut y);
            let mut dx = vec![1.0; x.len()];
            backward(activation, &x, &mut dx);
            for ((x, y), dx) in x.iter().zip(&y).zip(&dx) {
                let (value, slope) = plain(activation, f64::from(*x));
                let off = (f64::from(*y) - value).abs();
                assert!(off < 1e-6, "{activation:?}({x}) is {y}");
                let off = (f64::from(*dx) - slope).abs();
                assert!(off < 1e-6, "{activation:?}'({x}) is {dx}");
            }
            if let Some(bounds) = bounds(activation) {
                let mut masked = vec![1.0; x.len()];
                mask(bounds, &y, &mut masked);
                assert_eq!(masked, dx);
            }
        }
    }

    #[test]
    fn extreme_values_stay_finite_and_nan_stays_nan() {
        let x = [-1e30, -40.0, 0.0, 1e30, f32::NAN];
        for activation in Activation::ALL {
            let mut y = [0.0; 5];
            forward(activation, &x, &mut y);
            assert!(y[..4].iter().all(|y| y.is_finite()), "{activation:?}");
            assert!(y[4].is_nan(), "{activation:?}");
            let floor = match activation {
                Activation::Tanh => -1.0,
                _ => 0.0,
            };
            assert!((y[1] - floor).abs() < 1e-12, "{activation:?}");
        }
        let mut y = [9.0; 3];
        forward(Activation::Relu, &[-0.0, f32::NEG_INFINITY, 1e30], &mut y);
        assert_eq!(y, [0.0, 0.0, 1e30]);
    }
}
