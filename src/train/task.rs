//! What a training run is asked to do.

use std::path::PathBuf;

use super::optim::OptimiserSettings;
use super::{Best, LastMetrics, Split};
use crate::arch::Arch;
use crate::data::{EvalLoader, TrainLoader};
use crate::nn::{Placement, StateDict};

/// A training run, ready to begin.
pub struct Task {
    pub arch: Arch,
    /// Where and how the network runs.
    pub placement: Placement,
    /// The parameters to begin with, complete, buffers included. Not needed, hence `None`, when
    /// [`Task::checkpoints`] holds a checkpoint: the run then goes on from there.
    pub start: Option<StateDict>,
    pub loaders: Loaders,
    pub optimiser: OptimiserSettings,
    /// Learning rate of the first epoch; a cosine takes it to zero over the epochs.
    pub lr: f64,
    pub epochs: u32,
    /// Largest norm of all gradients together; `None` leaves them as they are.
    pub clip: Option<f64>,
    /// Share of the target that is spread over all classes, 0 to 1.
    pub label_smoothing: f64,
    /// Seed of dropout and stochastic depth; the loaders have their own.
    pub seed: u64,
    pub evaluation: Evaluation,
    /// The run's folder `checkpoint`.
    pub checkpoints: PathBuf,
}

/// The images of a run.
pub struct Loaders {
    pub train: TrainLoader,
    pub val: Option<EvalLoader>,
    pub test: EvalLoader,
    /// On what the first parameters are looked at before the first step, if they are.
    pub before: Option<Before>,
}

/// Images for a look at a run's first parameters.
pub struct Before {
    /// Where they are from.
    pub split: Split,
    /// Mixed: with batch statistics, a batch of one class is no fair sample.
    pub images: EvalLoader,
}

/// When a run evaluates. The last epoch is always evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// Every so many epochs.
    pub every: u32,
    pub test: TestTime,
}

/// When the test images are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestTime {
    /// With every evaluation, for the curves. The best checkpoint then goes by the test images.
    Always,
    /// Once, after the last epoch, as the protocol has it.
    AtTheEnd,
}

/// How a run ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All epochs are done.
    Finished,
    /// Somebody asked for it; a checkpoint was written.
    Stopped,
}

/// What a run led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub end: End,
    /// Epochs done.
    pub epochs: u32,
    /// Optimiser steps done.
    pub step: u64,
    /// The newest results.
    pub last: LastMetrics,
    pub best: Option<Best>,
    /// Time spent on the run, pauses not counted.
    pub seconds: f64,
}
