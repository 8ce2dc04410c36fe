//! Optimisers: SGD with momentum and AdamW, with clipping of the gradient's norm.
//!
//! One group of parameters with one learning rate, as the protocol has it; weight decay acts on every
//! parameter, norms and biases included, as in PyTorch's own optimisers.

mod clip;
mod rule;
mod settings;

pub use settings::{OptimiserKind, OptimiserSettings, UnknownOptimiser};

use crate::nn::{Mismatch, Network, NnError, StateDict, Tensor, Values};
use rule::Moments;

/// An optimiser with its memory of past gradients, for one network.
#[derive(Clone, Debug)]
pub struct Optimiser {
    settings: OptimiserSettings,
    /// Steps done.
    steps: u64,
    /// One per parameter, in the network's order and layout.
    moments: Vec<Moments>,
}

/// Name of the number of steps in the state.
const STEPS: &str = "steps";

impl Optimiser {
    /// An optimiser that has not seen a gradient yet.
    #[must_use]
    pub fn new(settings: &OptimiserSettings, network: &mut Network) -> Self {
        let moments = network
            .parameters_mut()
            .map(|p| Moments::new(settings.kind, p.value.len()));
        Self {
            settings: *settings,
            steps: 0,
            moments: moments.collect(),
        }
    }

    #[must_use]
    pub const fn settings(&self) -> &OptimiserSettings {
        &self.settings
    }

    /// Scales all gradients such that the L2 norm over all of them is at most `max_norm`, as
    /// `torch.nn.utils.clip_grad_norm_` does, and returns the norm that it was before, summed in 64
    /// bits. With an infinite `max_norm` this only measures.
    ///
    /// A norm that is not finite leaves the gradients as they are: the caller must not step.
    pub fn clip(&mut self, network: &mut Network, max_norm: f64) -> f64 {
        clip::clip(network, max_norm)
    }

    /// Changes the parameters by the gradients that the network holds.
    pub fn step(&mut self, network: &mut Network, lr: f64) {
        self.steps += 1;
        let rule = rule::Rule::new(&self.settings, lr, self.steps);
        for (parameter, moments) in network.parameters_mut().zip(&mut self.moments) {
            rule.apply(parameter.value, parameter.grad, moments);
        }
    }

    /// The memory of past gradients: for each parameter `momentum.NAME`, or `exp_avg.NAME` and
    /// `exp_avg_sq.NAME`, in PyTorch's shape and layout; and `steps`.
    #[must_use]
    pub fn state(&self, network: &mut Network) -> StateDict {
        let names = parameter_names(network);
        let mut state = StateDict::default();
        for (name, moments) in names.iter().zip(&self.moments) {
            for (kind, values) in moments.named() {
                if let Some(tensor) = network.to_torch(name, values) {
                    state.insert(format!("{kind}.{name}"), tensor);
                }
            }
        }
        state.insert(STEPS, Tensor::count(self.steps.cast_signed()));
        state
    }

    /// Takes over what [`Optimiser::state`] gave.
    ///
    /// # Errors
    /// [`NnError::Mismatch`] if the state is not one of this kind of optimiser for this network; then
    /// nothing has changed.
    pub fn load(&mut self, state: &StateDict, network: &mut Network) -> Result<(), NnError> {
        let mut mismatch = Mismatch::default();
        let mut loaded = self.moments.clone();
        let names = parameter_names(network);
        for (name, moments) in names.iter().zip(&mut loaded) {
            for (kind, values) in moments.named_mut() {
                let full = format!("{kind}.{name}");
                let Some(tensor) = state.get(&full) else {
                    mismatch.missing.push(full);
                    continue;
                };
                match network.packed_from_torch(name, tensor) {
                    Some(packed) => *values = packed,
                    None => {
                        let got = format!("{:?}", tensor.shape);
                        let wanted = "its parameter's shape".to_owned();
                        mismatch.misshapen.push((full, wanted, got));
                    }
                }
            }
        }
        let steps = match state.get(STEPS).map(|t| &t.values) {
            Some(Values::I64(values)) => values.first().and_then(|n| u64::try_from(*n).ok()),
            _ => None,
        };
        let Some(steps) = steps.filter(|_| mismatch.is_empty()) else {
            if steps.is_none() {
                mismatch.missing.push(STEPS.to_owned());
            }
            return Err(NnError::Mismatch {
                arch: format!("{} of {}", self.settings.kind, network.arch().name()),
                classes: network.arch().classes(),
                mismatch,
            });
        };
        self.moments = loaded;
        self.steps = steps;
        Ok(())
    }
}

fn parameter_names(network: &mut Network) -> Vec<String> {
    let names = network.parameters_mut().map(|p| p.name.to_owned());
    names.collect()
}

#[cfg(test)]
mod tests;
