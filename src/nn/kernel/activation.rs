//! ReLU and GELU, value by value.

use rayon::prelude::*;

use super::rows::CHUNK;
use super::simd::fma;

/// `y = max(x, 0)`; a NaN stays one.
pub fn relu(x: &[f32], y: &mut [f32]) {
    y.par_chunks_mut(CHUNK)
        .zip(x.par_chunks(CHUNK))
        .for_each(|(y, x)| relu_chunk(x, y));
}

multiversion! {
    fn relu_chunk<FMA>(x: &[f32], y: &mut [f32]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = if *x < 0.0 { 0.0 } else { *x };
        }
    }
}

/// `y = x Phi(x)` with the normal distribution function, the exact GELU.
pub fn gelu(x: &[f32], y: &mut [f32]) {
    y.par_chunks_mut(CHUNK)
        .zip(x.par_chunks(CHUNK))
        .for_each(|(y, x)| gelu_chunk(x, y));
}

/// Multiplies the gradient by the derivative of GELU at `x`.
pub fn gelu_backward(x: &[f32], gradient: &mut [f32]) {
    gradient
        .par_chunks_mut(CHUNK)
        .zip(x.par_chunks(CHUNK))
        .for_each(|(g, x)| gelu_backward_chunk(x, g));
}

multiversion! {
    fn gelu_chunk<FMA>(x: &[f32], y: &mut [f32]) {
        for (y, x) in y.iter_mut().zip(x) {
            let (below, _) = normal::<FMA>(*x);
            *y = *x * below;
        }
    }
}

multiversion! {
    fn gelu_backward_chunk<FMA>(x: &[f32], g: &mut [f32]) {
        for (g, x) in g.iter_mut().zip(x) {
            let (below, density) = normal::<FMA>(*x);
            *g *= fma::<FMA>(*x, density, below);
        }
    }
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
    // Adding and taking off 1.5 * 2^23 rounds to the nearest whole number.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first with few digits so that the product is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let n = fma::<FMA>(x, std::f32::consts::LOG2_E, ROUND) - ROUND;
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
    f32::from_bits(((n as i32 + 127) << 23).cast_unsigned()) * p
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

    #[test]
    fn gelu_and_its_derivative_are_exact_to_five_digits_more_than_training_needs() {
        let x: Vec<f32> = (-500..=500).map(|i| i as f32 / 100.0).collect();
        let mut y = vec![0.0; x.len()];
        gelu(&x, &mut y);
        let mut dx = vec![1.0; x.len()];
        gelu_backward(&x, &mut dx);
        for ((x, y), dx) in x.iter().zip(y).zip(dx) {
            let x = f64::from(*x);
            let below = 0.5 * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2));
            let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            assert!((f64::from(y) - x * below).abs() < 1e-6, "gelu({x})");
            let slope = below + x * density;
            assert!((f64::from(dx) - slope).abs() < 1e-6, "gelu'({x})");
        }
    }

    #[test]
    fn extreme_values_stay_finite_and_nan_stays_nan() {
        let mut y = [0.0; 5];
        gelu(&[-1e30, -40.0, 0.0, 1e30, f32::NAN], &mut y);
        assert_eq!(y[3], 1e30);
        assert!(y[..3].iter().all(|y| y.abs() < 1e-30));
        assert!(y[4].is_nan());
        relu(&[-1.0, -0.0, 2.0, f32::NEG_INFINITY, f32::NAN], &mut y);
        assert_eq!(&y[..4], &[0.0, 0.0, 2.0, 0.0]);
        assert!(y[4].is_nan());
    }
}
