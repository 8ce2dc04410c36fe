//! What one step does to one parameter.

use rayon::prelude::*;

use super::settings::{OptimiserKind, OptimiserSettings};

/// Values that one task changes.
const CHUNK: usize = 1 << 15;
/// AdamW's shares of the past in the mean and in the mean square of the gradient, torch's defaults.
const BETAS: [f64; 2] = [0.9, 0.999];
/// Keeps AdamW's quotient finite, torch's default.
const EPS: f64 = 1e-8;

/// What an optimiser remembers of one parameter's gradients.
#[derive(Clone, Debug, PartialEq)]
pub enum Moments {
    Sgd { momentum: Vec<f32> },
    AdamW { mean: Vec<f32>, square: Vec<f32> },
}

impl Moments {
    /// No gradient seen yet.
    pub fn new(kind: OptimiserKind, length: usize) -> Self {
        match kind {
            OptimiserKind::Sgd => Self::Sgd {
                momentum: vec![0.0; length],
            },
            OptimiserKind::AdamW => Self::AdamW {
                mean: vec![0.0; length],
                square: vec![0.0; length],
            },
        }
    }

    /// The tensors with their names in files.
    pub fn named(&self) -> Vec<(&'static str, &Vec<f32>)> {
        match self {
            Self::Sgd { momentum } => vec![("momentum", momentum)],
            Self::AdamW { mean, square } => vec![("exp_avg", mean), ("exp_avg_sq", square)],
        }
    }

    /// The same, to change.
    pub fn named_mut(&mut self) -> Vec<(&'static str, &mut Vec<f32>)> {
        match self {
            Self::Sgd { momentum } => vec![("momentum", momentum)],
            Self::AdamW { mean, square } => vec![("exp_avg", mean), ("exp_avg_sq", square)],
        }
    }
}

/// The numbers of one step.
pub struct Rule {
    lr: f64,
    momentum: f32,
    weight_decay: f64,
    /// AdamW's step counter.
    step: u64,
}

impl Rule {
    /// The rule of the `step`th step, counted from 1.
    pub fn new(settings: &OptimiserSettings, lr: f64, step: u64) -> Self {
        Self {
            lr,
            momentum: settings.momentum as f32,
            weight_decay: settings.weight_decay,
            step,
        }
    }

    /// Changes one parameter.
    pub fn apply(&self, value: &mut [f32], grad: &[f32], moments: &mut Moments) {
        match moments {
            Moments::Sgd { momentum } => value
                .par_chunks_mut(CHUNK)
                .zip(grad.par_chunks(CHUNK))
                .zip(momentum.par_chunks_mut(CHUNK))
                .for_each(|((w, g), m)| self.sgd(w, g, m)),
            Moments::AdamW { mean, square } => value
                .par_chunks_mut(CHUNK)
                .zip(grad.par_chunks(CHUNK))
                .zip(mean.par_chunks_mut(CHUNK).zip(square.par_chunks_mut(CHUNK)))
                .for_each(|((w, g), (m, v))| self.adamw(w, g, m, v)),
        }
    }

    /// `m = momentum m + g + decay w`, `w -= lr m`.
    fn sgd(&self, w: &mut [f32], g: &[f32], m: &mut [f32]) {
        let (lr, decay) = (self.lr as f32, self.weight_decay as f32);
        for ((w, g), m) in w.iter_mut().zip(g).zip(m) {
            *m = self.momentum * *m + (*g + decay * *w);
            *w -= lr * *m;
        }
    }

    /// Loshchilov & Hutter 2019, algorithm 2, as torch computes it.
    fn adamw(&self, w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) {
        let exponent = i32::try_from(self.step).unwrap_or(i32::MAX);
        let [correction, root] = BETAS.map(|beta| 1.0 - beta.powi(exponent));
        let root = root.sqrt() as f32;
        let rate = (self.lr / correction) as f32;
        let shrink = (1.0 - self.lr * self.weight_decay) as f32;
        let [old_m, old_v] = BETAS.map(|beta| beta as f32);
        let [new_m, new_v] = BETAS.map(|beta| (1.0 - beta) as f32);
        for ((w, g), (m, v)) in w.iter_mut().zip(g).zip(m.iter_mut().zip(v)) {
            *m = old_m * *m + new_m * *g;
            *v = old_v * *v + new_v * *g * *g;
            *w = *w * shrink - rate * *m / (v.sqrt() / root + EPS as f32);
        }
    }
}
