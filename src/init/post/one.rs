//! Noise and orthogonal re-initialisation of one weight.

use super::{InitError, Noise, Post, WarningKind};
use crate::nn::correlation::row_correlation;
use crate::nn::linalg::{MatrixView, Orthogonal, orthogonal_factor};

/// A weight's new values, and what there is to say about them.
#[derive(Clone, Debug, PartialEq)]
pub struct Treated {
    /// Row-major, in PyTorch's layout.
    pub values: Vec<f32>,
    /// Spread of the row correlations, if noise was asked for.
    pub correlation_std: Option<f64>,
    pub warnings: Vec<WarningKind>,
}

/// Treats one weight of finite `values` and at least two dimensions.
pub(super) fn treat(
    name: &str,
    shape: &[usize],
    values: &[f32],
    post: &Post,
    noise: &Noise<'_>,
) -> Result<Treated, InitError> {
    let mut treated = Treated {
        values: values.to_vec(),
        correlation_std: None,
        warnings: Vec::new(),
    };
    let Some(matrix) = MatrixView::new(shape, values) else {
        return Ok(treated);
    };
    let mut noisy = false;
    if post.adds_noise() {
        let correlation = row_correlation(&matrix);
        if correlation.std.is_nan() {
            treated.warnings.push(WarningKind::NoSpread);
        } else {
            if correlation.constant_rows > 0 {
                treated.warnings.push(WarningKind::ConstantRows);
            }
            treated.correlation_std = Some(correlation.std);
            let scale = post.beta * correlation.std;
            add_noise(
                &mut treated.values,
                shape,
                scale,
                post.max_size,
                noise(name),
            );
            noisy = scale > 0.0;
        }
    }
    if post.orth {
        let (values, warnings) =
            orthogonalise(shape, &treated.values).ok_or_else(|| InitError::NotFinite {
                tensor: name.to_owned(),
                count: treated.values.iter().filter(|v| !v.is_finite()).count(),
            })?;
        treated.values = values;
        // With noise the columns are told apart by it, however faintly.
        let rounding = |w: &WarningKind| *w == WarningKind::RankDeficient;
        let kept = warnings.into_iter().filter(|w| !(noisy && rounding(w)));
        treated.warnings.extend(kept);
    }
    Ok(treated)
}

/// Adds `scale` times the drawn numbers to the elements beyond `max_size` of either channel
/// dimension, in row-major order.
pub fn add_noise(
    values: &mut [f32],
    shape: &[usize],
    scale: f64,
    max_size: usize,
    mut noise: impl Iterator<Item = f32>,
) {
    let [out, inputs, kernel @ ..] = shape else {
        return;
    };
    let kernel: usize = kernel.iter().product();
    for o in max_size..*out {
        for i in max_size..*inputs {
            let first = (o * inputs + i) * kernel;
            for value in &mut values[first..first + kernel] {
                let draw = noise.next().unwrap_or_default();
                *value = (f64::from(*value) + scale * f64::from(draw)) as f32;
            }
        }
    }
}

/// The orthogonal factor of a weight, in the weight's layout, and what to warn of. `None` if it is
/// not finite or has fewer than two dimensions.
#[must_use]
pub fn orthogonalise(shape: &[usize], values: &[f32]) -> Option<(Vec<f32>, Vec<WarningKind>)> {
    let matrix = MatrixView::new(shape, values)?;
    let Orthogonal { values, r_diagonal } = orthogonal_factor(&matrix).ok()?;
    let largest = r_diagonal.iter().fold(0.0_f64, |m, r| m.max(r.abs()));
    // Weights are 32-bit: what is smaller than their rounding is no direction of its own.
    let rounding = matrix.rows() as f64 * f64::from(f32::EPSILON) * largest;
    let mut warnings = Vec::new();
    if r_diagonal.iter().any(|r| r.abs() <= rounding) {
        warnings.push(WarningKind::RankDeficient);
    }
    if r_diagonal.contains(&0.0) {
        warnings.push(WarningKind::ZeroDiagonal);
    }
    Some((values, warnings))
}
