//! Optimisers: SGD with momentum and AdamW.
//!
//! One group of parameters with one learning rate, as the protocol has it; weight decay acts on every
//! parameter, norms and biases included, as in PyTorch's own optimisers.

mod rule;
mod settings;

pub use rule::{ADAM_MOMENTS, adamw_numbers};
pub use settings::{OptimiserKind, OptimiserSettings, UnknownOptimiser};

use crate::arch::Arch;
use crate::nn::{Mismatch, Network, NnError, StateDict, Tensor, Values};

/// An optimiser of one network. Its memory of past gradients lies beside the network's parameters, on
/// the network's device.
#[derive(Clone, Debug)]
pub struct Optimiser {
    settings: OptimiserSettings,
    /// Steps done.
    steps: u64,
}

/// Name of the number of steps in the state.
pub(super) const STEPS: &str = "steps";

impl Optimiser {
    /// An optimiser that has not seen a gradient yet. What another one remembered of this network's
    /// gradients is forgotten.
    ///
    /// # Errors
    /// If the network's device fails, as with every call here.
    pub fn new(settings: &OptimiserSettings, network: &mut Network) -> Result<Self, NnError> {
        network.reset_moments(rule::moments(settings.kind).len())?;
        Ok(Self {
            settings: *settings,
            steps: 0,
        })
    }

    #[must_use]
    pub const fn settings(&self) -> &OptimiserSettings {
        &self.settings
    }

    /// Changes the parameters by the gradients that the network holds.
    ///
    /// # Errors
    /// If the network's device fails.
    pub fn step(&mut self, network: &mut Network, lr: f64) -> Result<(), NnError> {
        self.steps += 1;
        network.update(&rule::update(&self.settings, lr, self.steps))
    }

    /// The memory of past gradients: for each parameter `momentum.NAME`, or `exp_avg.NAME` and
    /// `exp_avg_sq.NAME`, in PyTorch's shape and layout; and `steps`.
    ///
    /// # Errors
    /// If the network's device fails.
    pub fn state(&self, network: &mut Network) -> Result<StateDict, NnError> {
        let kinds = rule::moments(self.settings.kind);
        let mut slots = Vec::new();
        for slot in 0..kinds.len() {
            slots.push(network.moments(slot)?.into_iter());
        }
        let mut state = StateDict::default();
        for _ in parameters(network.arch()) {
            for (kind, slot) in kinds.iter().zip(&mut slots) {
                if let Some((name, tensor)) = slot.next() {
                    state.insert(format!("{kind}.{name}"), tensor);
                }
            }
        }
        state.insert(STEPS, Tensor::count(self.steps.cast_signed()));
        Ok(state)
    }

    /// Takes over what [`Optimiser::state`] gave.
    ///
    /// # Errors
    /// [`NnError::Mismatch`] if the state is not one of this kind of optimiser for this network; then
    /// nothing has changed. And if the network's device fails.
    pub fn load(&mut self, state: &StateDict, network: &mut Network) -> Result<(), NnError> {
        let mut mismatch = Mismatch::default();
        let kinds = rule::moments(self.settings.kind);
        let mut slots = vec![StateDict::default(); kinds.len()];
        for (name, shape) in parameters(network.arch()) {
            for (kind, slot) in kinds.iter().zip(&mut slots) {
                let full = format!("{kind}.{name}");
                match state.get(&full) {
                    None => mismatch.missing.push(full),
                    Some(tensor) if tensor.shape == shape && tensor.floats().is_some() => {
                        slot.insert(name, tensor.clone());
                    }
                    Some(tensor) => {
                        let got = format!("{:?}", tensor.shape);
                        let wanted = "its parameter's shape".to_owned();
                        mismatch.misshapen.push((full, wanted, got));
                    }
                }
            }
        }
        let steps = stored_steps(state);
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
        for (slot, moments) in slots.iter().enumerate() {
            network.load_moments(slot, moments)?;
        }
        self.steps = steps;
        Ok(())
    }
}

/// The number of steps in an optimiser's state.
pub(super) fn stored_steps(state: &StateDict) -> Option<u64> {
    match &state.get(STEPS)?.values {
        Values::I64(values) => values.first().and_then(|n| u64::try_from(*n).ok()),
        Values::F32(_) => None,
    }
}

/// Names and shapes of an architecture's parameters.
fn parameters(arch: &Arch) -> impl Iterator<Item = (&str, &[usize])> {
    let specs = arch.tensors().iter().filter(|s| s.role.is_parameter());
    specs.map(|s| (s.name.as_str(), &s.shape[..]))
}

#[cfg(test)]
mod tests;
