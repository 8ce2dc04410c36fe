//! What a network asks of the device that it runs on.

use super::error::NnError;
use super::network::{Examples, Images, Mode, StepOptions, StepOutput, StepTime};
use super::state::StateDict;
use super::update::Update;

/// A compiled architecture with its parameters, on one device. Batches have been checked: their sizes
/// fit the architecture, and labels its classes.
///
/// Every call fails if the device does.
pub trait Backend: Send {
    /// See [`Network::load`](super::Network::load).
    fn load(&mut self, state: &StateDict) -> Result<(), NnError>;

    fn state(&mut self) -> Result<StateDict, NnError>;

    fn gradients(&mut self) -> Result<StateDict, NnError>;

    fn forward(
        &mut self,
        images: &Images<'_>,
        mode: Mode,
        logits: &mut Vec<f32>,
    ) -> Result<(), NnError>;

    /// See [`Network::stage`](super::Network::stage).
    fn stage(&mut self, examples: Examples) -> Result<(), NnError>;

    /// Begins a training step on `given`, or without it on what was staged.
    fn begin_step(
        &mut self,
        given: Option<(&Images<'_>, &[u32])>,
        options: &StepOptions,
    ) -> Result<(), NnError>;

    /// What the step that was begun last found.
    fn end_step(&mut self, logits: &mut Vec<f32>) -> Result<StepOutput, NnError>;

    /// See [`Network::clip_gradients`](super::Network::clip_gradients).
    fn clip_gradients(&mut self, max_norm: f64) -> Result<f64, NnError>;

    fn update(&mut self, update: &Update) -> Result<(), NnError>;

    fn reset_moments(&mut self, slots: usize) -> Result<(), NnError>;

    fn moments(&mut self, slot: usize) -> Result<StateDict, NnError>;

    fn load_moments(&mut self, slot: usize, state: &StateDict) -> Result<(), NnError>;

    /// Puts gradients in place.
    #[cfg(test)]
    fn set_gradients(&mut self, gradients: &StateDict) -> Result<(), NnError>;

    /// See [`Network::step_times`](super::Network::step_times).
    fn step_times(&self) -> Vec<StepTime>;

    /// See [`Network::time_steps`](super::Network::time_steps).
    fn time_steps(&mut self);

    fn buffer_bytes(&self) -> usize;
}
