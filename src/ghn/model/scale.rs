//! Scaling of predicted values to suit their layer (Knyazev et al. 2021, section 4.3).

use crate::arch::Activation;
use crate::nn::activate;

/// What predicted values become before they are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scaling {
    /// GHN-1: they stay as decoded.
    None,
    /// GHN-2 and later: weights are scaled by their fan-in, norms and biases are bounded.
    FanIn,
}

/// Position encodings with at least this many rows (or channels) are not scaled.
const ENCODING_SIDE: usize = 11;

impl Scaling {
    /// The factor for a weight of this (target) shape with two or more dimensions.
    pub fn weight(self, shape: &[usize]) -> f32 {
        let Self::FanIn = self else { return 1.0 };
        let is_encoding = shape.len() > 2 && shape[0] == 1 && shape[2] >= ENCODING_SIDE;
        if is_encoding {
            return 1.0;
        }
        // Depthwise kernels, and those that are wider than high, are scaled for unit gain; all others
        // for a rectifier's.
        let is_flat = shape.len() > 3 && shape[2] < shape[3];
        let beta = if shape.len() > 2 && (shape[1] == 1 || is_flat) {
            1.0
        } else {
            2.0
        };
        let fan_in: usize = shape[1..].iter().product();
        (beta / fan_in.max(1) as f64).sqrt() as f32
    }

    /// The weight of a norm: around one, between zero and two.
    pub fn norm_weight(self, values: &[f32]) -> Vec<f32> {
        self.bounded(values, 0.5, Activation::Sigmoid, 2.0)
    }

    /// Any bias.
    pub fn bias(self, values: &[f32]) -> Vec<f32> {
        self.bounded(values, 0.2, Activation::Tanh, 1.0)
    }

    /// `height * bounds(slope * value)`.
    fn bounded(self, values: &[f32], slope: f32, bounds: Activation, height: f32) -> Vec<f32> {
        let Self::FanIn = self else {
            return values.to_vec();
        };
        let mut values: Vec<f32> = values.iter().map(|v| slope * v).collect();
        activate(bounds, &mut values);
        values.iter_mut().for_each(|v| *v *= height);
        values
    }

    /// The way back of [`Scaling::norm_weight`]: `by` holds the derivatives by the result, then those by the
    /// `values` that it came from.
    pub fn back_from_norm_weight(self, by: &mut [f32], values: &[f32]) {
        if self == Self::FanIn {
            for (by, v) in by.iter_mut().zip(values) {
                let half = 1.0 / (1.0 + (-0.5 * v).exp());
                *by *= half * (1.0 - half);
            }
        }
    }

    /// The way back of [`Scaling::bias`].
    pub fn back_from_bias(self, by: &mut [f32], values: &[f32]) {
        if self == Self::FanIn {
            for (by, v) in by.iter_mut().zip(values) {
                let bounded = (0.2 * v).tanh();
                *by *= 0.2 * (1.0 - bounded * bounded);
            }
        }
    }
}
