use super::*;
use crate::nn::kernel::testing::{assert_near, numbers};

fn column(x: &[f32], channels: usize, j: usize) -> Vec<f64> {
    x.iter()
        .skip(j)
        .step_by(channels)
        .map(|v| f64::from(*v))
        .collect()
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

#[test]
fn moments_stay_exact_far_from_zero() {
    for (m, c, offset) in [(2, 1, 0.0), (3000, 5, 0.0), (700, 33, 1000.0)] {
        let x: Vec<f32> = numbers("x", m * c).iter().map(|v| v + offset).collect();
        let got = moments(&x, c);
        for j in 0..c {
            let x = column(&x, c, j);
            let centre = mean(&x);
            let var = x.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / m as f64;
            assert!((got.mean[j] - centre).abs() < 1e-6 * (1.0 + f64::from(offset)));
            assert!((got.var[j] - var).abs() < 1e-6, "{} {var}", got.var[j]);
        }
    }
}

#[test]
fn the_affine_part_adds_the_residual_before_the_relu() {
    let (m, c) = (400, 130);
    let (x, r) = (numbers("x", m * c), numbers("r", m * c));
    let affine = Affine {
        factor: numbers("a", c),
        offset: numbers("b", c),
    };
    for relu in [false, true] {
        for residual in [None, Some(&r[..])] {
            let plain: Vec<f32> = (0..m * c)
                .map(|i| {
                    let y = x[i] * affine.factor[i % c] + affine.offset[i % c];
                    let y = y + residual.map_or(0.0, |r| r[i]);
                    if relu { y.max(0.0) } else { y }
                })
                .collect();
            let mut y = vec![f32::NAN; m * c];
            apply(&x, residual, &affine, relu, &mut y);
            assert_near(&y, &plain, 1e-6);
        }
    }
}

#[test]
fn sums_see_the_gradient_behind_the_relu() {
    let (m, c) = (600, 130);
    let (x, y, dy) = (
        numbers("x", m * c),
        numbers("y", m * c),
        numbers("dy", m * c),
    );
    let centre = numbers("mean", c);
    let mut g = dy.clone();
    let (sums, dots) = gradient_sums(&x, &mut g, Some(&y), &centre);
    let plain: Vec<f32> = (0..m * c)
        .map(|i| if y[i] > 0.0 { dy[i] } else { 0.0 })
        .collect();
    assert_eq!(g, plain);
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
}

#[test]
fn the_input_gradient_is_the_same_in_place_and_beside() {
    let (m, c) = (300, 37);
    let (x, g) = (numbers("x", m * c), numbers("g", m * c));
    let factors = InputGradient {
        a: numbers("a", c),
        u: numbers("u", c),
        v: numbers("v", c),
    };
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
