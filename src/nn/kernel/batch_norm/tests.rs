use super::*;
use crate::nn::kernel::testing::{assert_near, numbers};

fn column(x: &[f32], channels: usize, j: usize) -> Vec<f64> {
    x.iter()
        .skip(j)
        .step_by(channels)
        .map(|v| f64::from(*v))
        .collect()
}

/// Everything that may lie behind a norm: nothing, clamps, a curve.
const BEHIND: [Option<Activation>; 4] = [
    None,
    Some(Activation::Relu),
    Some(Activation::Relu6),
    Some(Activation::Silu),
];

fn affine(channels: usize) -> Affine {
    Affine {
        factor: numbers("a", channels).iter().map(|v| 8.0 * v).collect(),
        offset: numbers("b", channels).iter().map(|v| 8.0 * v).collect(),
    }
}

fn factors(channels: usize, clamped: Option<Clamped<'_>>) -> InputGradient<'_> {
    InputGradient {
        a: numbers("a", channels),
        u: numbers("u", channels),
        v: numbers("v", channels),
        clamped,
    }
}

#[test]
fn the_affine_part_adds_the_residual_before_the_activation() {
    let (m, c) = (400, 130);
    let (x, r) = (numbers("x", m * c), numbers("r", m * c));
    let affine = affine(c);
    for activation in BEHIND {
        for residual in [None, Some(&r[..])] {
            let mut plain: Vec<f32> = (0..m * c)
                .map(|i| {
                    let y = x[i] * affine.factor[i % c] + affine.offset[i % c];
                    y + residual.map_or(0.0, |r| r[i])
                })
                .collect();
            if let Some(activation) = activation {
                activation::forward_chunk(activation, &mut plain);
            }
            let mut y = vec![f32::NAN; m * c];
            apply(&x[..], residual, &affine, activation, &mut y);
            assert_near(&y, &plain, 1e-6);
        }
    }
}

#[test]
fn sums_see_the_gradient_before_the_activation() {
    let (m, c) = (600, 130);
    let (x, dy) = (numbers("x", m * c), numbers("dy", m * c));
    let (centre, affine) = (numbers("mean", c), affine(c));
    let factors = |clamped| factors(c, clamped);
    for activation in BEHIND {
        let mut input = vec![f32::NAN; m * c];
        apply(&x[..], None, &affine, None, &mut input);
        let mut y = vec![f32::NAN; m * c];
        apply(&x[..], None, &affine, activation, &mut y);
        let mut plain = dy.clone();
        let behind = match activation {
            None => Behind::Nothing,
            Some(activation) => {
                activation::backward_chunk(activation, &input, &mut plain);
                match activation::bounds(activation) {
                    Some(bounds) => Behind::Clamp(bounds, &y),
                    None => Behind::Curve(activation, &affine),
                }
            }
        };
        let mut g = dy.clone();
        let (sums, dots) = gradient_sums(&x[..], &mut g, behind, &centre);
        assert_near(&g, &plain, 1e-6);
        for j in 0..c {
            let (x, g) = (column(&x, c, j), column(&plain, c, j));
            let dot: f64 = x
                .iter()
                .zip(&g)
                .map(|(x, g)| (x - f64::from(centre[j])) * g)
                .sum();
            assert!((sums[j] - g.iter().sum::<f64>()).abs() < 1e-4);
            assert!((dots[j] - dot).abs() < 1e-4);
        }
        let Some(bounds) = activation.and_then(activation::bounds) else {
            continue;
        };
        // Without the output, the same.
        let affine = &affine;
        let clamped = Clamped { bounds, affine };
        assert_eq!(clamped.gradient_sums(&x[..], &dy, &centre), (sums, dots));
        factors(None).in_place(&x, &mut g);
        let mut dx = dy.clone();
        factors(Some(clamped)).in_place(&x, &mut dx);
        assert_eq!(dx, g);
    }
}

#[test]
fn the_input_gradient_is_the_same_in_place_and_beside() {
    let (m, c) = (300, 37);
    let (x, g) = (numbers("x", m * c), numbers("g", m * c));
    let factors = factors(c, None);
    let plain: Vec<f32> = (0..m * c)
        .map(|i| factors.a[i % c] * g[i] + factors.u[i % c] * x[i] + factors.v[i % c])
        .collect();
    let mut dx = vec![f32::NAN; m * c];
    factors.beside(&x, &g, &mut dx);
    assert_near(&dx, &plain, 1e-6);
    let mut in_place = g;
    factors.in_place(&x, &mut in_place);
    assert_eq!(in_place, dx);
}
