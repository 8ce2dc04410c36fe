//! The numbers of one step, from an optimiser's settings.

use super::settings::{OptimiserKind, OptimiserSettings};
use crate::nn::{AdamWNumbers, SgdNumbers, Update};

/// AdamW's shares of the past in the mean and in the mean square of the gradient, torch's defaults.
const BETAS: [f64; 2] = [0.9, 0.999];
/// Keeps AdamW's quotient finite, torch's default.
const EPS: f64 = 1e-8;

/// What the `step`th step does, counted from 1.
pub fn update(settings: &OptimiserSettings, lr: f64, step: u64) -> Update {
    match settings.kind {
        OptimiserKind::Sgd => Update::Sgd(SgdNumbers {
            lr: lr as f32,
            momentum: settings.momentum as f32,
            weight_decay: settings.weight_decay as f32,
        }),
        OptimiserKind::AdamW => {
            Update::AdamW(adamw_numbers(lr, settings.weight_decay, BETAS, step))
        }
    }
}

/// AdamW's numbers for the `step`th step, counted from 1; `betas` are the shares of the past in the means of the
/// gradient and of its square.
pub fn adamw_numbers(lr: f64, weight_decay: f64, betas: [f64; 2], step: u64) -> AdamWNumbers {
    let exponent = i32::try_from(step).unwrap_or(i32::MAX);
    let [correction, root] = betas.map(|beta| 1.0 - beta.powi(exponent));
    let [old_mean, old_square] = betas.map(|beta| beta as f32);
    let [new_mean, new_square] = betas.map(|beta| (1.0 - beta) as f32);
    AdamWNumbers {
        rate: (lr / correction) as f32,
        root: root.sqrt() as f32,
        shrink: (1.0 - lr * weight_decay) as f32,
        eps: EPS as f32,
        old_mean,
        new_mean,
        old_square,
        new_square,
    }
}

/// The names in files of Adam's means of the gradient and of its square.
pub const ADAM_MOMENTS: [&str; 2] = ["exp_avg", "exp_avg_sq"];

/// The names in files of what an optimiser remembers of every gradient.
pub const fn moments(kind: OptimiserKind) -> &'static [&'static str] {
    match kind {
        OptimiserKind::Sgd => &["momentum"],
        OptimiserKind::AdamW => &ADAM_MOMENTS,
    }
}
