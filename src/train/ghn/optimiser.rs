//! The optimiser of a GHN's weights, which lie on the CPU, and their running average.

use super::{GhnOptimiserKind, GhnRecipe, muon};
use crate::ghn::{Ghn, Gradient, Weight};
use crate::nn::{StateDict, Tensor, Values, adamw};
use crate::train::optim::{ADAM_MOMENTS, STEPS, adamw_numbers, stored_steps};

/// Adam or AdamW, with a running average of the weights if that is asked for.
#[derive(Clone, Debug)]
pub struct Optimiser {
    kind: GhnOptimiserKind,
    weight_decay: f64,
    /// Share of the past in Adam's mean of squares.
    beta2: f64,
    /// Share of the past in the average of weights.
    decay: f64,
    slots: Vec<Slot>,
    steps: u64,
}

/// What is kept beside a weight.
#[derive(Clone, Debug)]
struct Slot {
    name: String,
    /// Means of the gradient and of its square.
    moments: [Vec<f32>; 2],
    /// Empty without an average.
    average: Vec<f32>,
}

/// Name in a checkpoint of the weights that are not averaged.
const LATEST: &str = "latest";
/// Share of the past in Adam's mean of the gradient.
const ADAM_MEAN: f64 = 0.9;
/// The average forgets the first steps sooner: after `t` of them its share of the past is at most
/// `(1 + t) / (10 + t)`.
const HASTE: [f64; 2] = [1.0, 10.0];

impl Optimiser {
    pub fn new(recipe: &GhnRecipe, ghn: &mut Ghn) -> Self {
        let decay = recipe.average;
        let slot = |weight: &mut Weight| Slot {
            name: weight.name().to_owned(),
            moments: [const { Vec::new() }; 2].map(|_: Vec<f32>| vec![0.0; weight.len()]),
            average: if decay > 0.0 {
                weight.to_vec()
            } else {
                Vec::new()
            },
        };
        Self {
            kind: recipe.optimizer,
            weight_decay: recipe.weight_decay,
            beta2: recipe.beta2,
            decay,
            slots: ghn.weights_mut().into_iter().map(slot).collect(),
            steps: 0,
        }
    }

    /// Changes the weights by the gradient, which is used up.
    pub fn step(&mut self, ghn: &mut Ghn, gradient: &mut Gradient, lr: f64) {
        self.steps += 1;
        let (added, decoupled) = match self.kind {
            GhnOptimiserKind::Adam => (self.weight_decay as f32, 0.0),
            GhnOptimiserKind::AdamW | GhnOptimiserKind::Muon => (0.0, self.weight_decay),
        };
        let numbers = adamw_numbers(lr, decoupled, [ADAM_MEAN, self.beta2], self.steps);
        let shrink = (1.0 - lr * decoupled) as f32;
        let done = self.steps as f64;
        let decay = self.decay.min((HASTE[0] + done) / (HASTE[1] + done)) as f32;
        let (mut weights, mut gradients) = (ghn.weights_mut(), gradient.weights_mut());
        for ((w, g), slot) in weights.iter_mut().zip(&mut gradients).zip(&mut self.slots) {
            if added > 0.0 {
                for (g, w) in g.iter_mut().zip(&***w) {
                    *g += added * w;
                }
            }
            let [mean, square] = &mut slot.moments;
            if self.kind == GhnOptimiserKind::Muon && is_layer(w) {
                let columns = w.columns();
                muon::direct(g, mean, columns);
                for (w, g) in w.iter_mut().zip(&***g) {
                    *w = shrink * *w - lr as f32 * g;
                }
            } else {
                adamw(&numbers, w, g, mean, square);
            }
            for (average, w) in slot.average.iter_mut().zip(&***w) {
                *average = decay * *average + (1.0 - decay) * w;
            }
        }
    }

    /// Exchanges the weights with their average, if there is one: once to predict with it, once more to go on.
    pub fn exchange(&mut self, ghn: &mut Ghn) {
        for (weight, slot) in ghn.weights_mut().into_iter().zip(&mut self.slots) {
            if !slot.average.is_empty() {
                weight.swap_with_slice(&mut slot.average);
            }
        }
    }

    /// What predicts, and what is needed to go on.
    pub fn state(&mut self, ghn: &mut Ghn) -> [StateDict; 2] {
        let mut rest = StateDict::default();
        for slot in &self.slots {
            for (name, values) in ADAM_MOMENTS.iter().zip(&slot.moments) {
                let tensor = Tensor::new(vec![values.len()], values.clone());
                rest.insert(format!("{name}.{}", slot.name), tensor);
            }
        }
        rest.insert(STEPS, Tensor::count(self.steps.cast_signed()));
        if self.decay > 0.0 {
            for (name, tensor) in ghn.state() {
                rest.insert(format!("{LATEST}.{name}"), tensor);
            }
        }
        self.exchange(ghn);
        let predicting = ghn.state();
        self.exchange(ghn);
        [predicting, rest]
    }

    /// Takes over what [`Optimiser::state`] gave; false if it is of another GHN or optimiser.
    #[must_use]
    pub fn load(&mut self, ghn: &mut Ghn, [predicting, mut rest]: [StateDict; 2]) -> bool {
        let Some(steps) = stored_steps(&rest) else {
            return false;
        };
        if !ghn.load(predicting) {
            return false;
        }
        for slot in &mut self.slots {
            for (name, values) in ADAM_MOMENTS.iter().zip(&mut slot.moments) {
                match rest
                    .take(&format!("{name}.{}", slot.name))
                    .map(|t| t.values)
                {
                    Some(Values::F32(stored)) if stored.len() == values.len() => *values = stored,
                    _ => return false,
                }
            }
        }
        if self.decay > 0.0 {
            for (weight, slot) in ghn.weights_mut().into_iter().zip(&mut self.slots) {
                slot.average.copy_from_slice(weight);
            }
            let latest = rest.into_iter().filter_map(|(name, tensor)| {
                Some((
                    name.strip_prefix(LATEST)?.strip_prefix('.')?.to_owned(),
                    tensor,
                ))
            });
            if !ghn.load(latest.collect()) {
                return false;
            }
        }
        self.steps = steps;
        true
    }
}

/// Whether it is the matrix of a layer, and no table of embeddings.
fn is_layer(weight: &Weight) -> bool {
    weight.shape().len() == 2 && !weight.name().contains("embed")
}
