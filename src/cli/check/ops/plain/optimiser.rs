//! Optimiser steps.

use crate::nn::{StateDict, Tensor};
use crate::train::OptimiserKind;

/// An optimiser's rule over all tensors of a state.
pub struct Rule {
    kind: OptimiserKind,
    steps: i32,
    tensors: Vec<Parameter>,
}

struct Parameter {
    name: String,
    value: Vec<f64>,
    first: Vec<f64>,
    second: Vec<f64>,
}

impl Rule {
    pub fn new(kind: OptimiserKind, state: &StateDict) -> Self {
        let tensor = |(name, t): (&str, &Tensor)| {
            let value: Vec<f64> = t.floats()?.iter().map(|v| f64::from(*v)).collect();
            Some(Parameter {
                name: name.to_owned(),
                first: vec![0.0; value.len()],
                second: vec![0.0; value.len()],
                value,
            })
        };
        Self {
            kind,
            steps: 0,
            tensors: state.iter().filter_map(tensor).collect(),
        }
    }

    /// `torch.optim.SGD` with a momentum of 0.9, or `AdamW`, on gradients times `clip`.
    pub fn step(&mut self, gradients: &StateDict, clip: f64, lr: f64, decay: f64) {
        const BETAS: [f64; 2] = [0.9, 0.999];
        self.steps += 1;
        let [first, second] = BETAS.map(|b| 1.0 - b.powi(self.steps));
        for p in &mut self.tensors {
            let gradient = gradients.get(&p.name).and_then(Tensor::floats);
            for (i, g) in gradient.unwrap_or_default().iter().enumerate() {
                let g = f64::from(*g) * clip;
                let (w, m, v) = (&mut p.value[i], &mut p.first[i], &mut p.second[i]);
                match self.kind {
                    OptimiserKind::Sgd => {
                        *m = 0.9 * *m + g + decay * *w;
                        *w -= lr * *m;
                    }
                    OptimiserKind::AdamW => {
                        *m = BETAS[0] * *m + (1.0 - BETAS[0]) * g;
                        *v = BETAS[1] * *v + (1.0 - BETAS[1]) * g * g;
                        *w -= lr * decay * *w;
                        *w -= lr * (*m / first) / ((*v / second).sqrt() + 1e-8);
                    }
                }
            }
        }
    }

    /// The parameters now.
    pub fn values(&self) -> impl Iterator<Item = (&str, &[f64])> {
        self.tensors.iter().map(|p| (p.name.as_str(), &p.value[..]))
    }
}
