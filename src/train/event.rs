//! What a training run says while it runs: one value per line of the run's event log.

use serde::{Deserialize, Serialize};

/// Which images an evaluation used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    Train,
    Val,
    Test,
}

impl Split {
    /// Its word in sentences.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Train => "training",
            Self::Val => "validation",
            Self::Test => "test",
        }
    }
}

/// The state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Asked for, no worker has begun.
    Queued,
    /// A worker reads data and makes the first parameters.
    Starting,
    Running,
    Paused,
    /// Ended before the last epoch because somebody asked for it; can be resumed.
    Stopped,
    /// All epochs done.
    Finished,
    /// An error or a loss that is not a number ended it.
    Failed,
}

/// One event. `step` counts optimiser steps from 1, `epoch` is the fraction of epochs done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// Means over the steps since the last event of this kind.
    Train {
        step: u64,
        epoch: f64,
        loss: f64,
        /// Share of right answers on the augmented training images, in percent.
        top1: f64,
        lr: f64,
        grad_norm: f64,
        images_per_s: f64,
        /// Share of the time that the step waited for images, 0 to 1.
        data_wait: f64,
    },
    /// One pass over a split.
    Eval {
        step: u64,
        epoch: f64,
        split: Split,
        loss: f64,
        /// Percent.
        top1: f64,
        /// Percent; absent for fewer than six classes.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        top5: Option<f64>,
        images: u64,
        seconds: f64,
    },
    /// What the first parameters are worth, before any step, on some of a split's images. Batch norms use the
    /// statistics of each batch, since neither predicted nor random parameters come with running ones.
    Before {
        split: Split,
        loss: f64,
        /// Percent.
        top1: f64,
        images: u64,
        seconds: f64,
    },
    /// Training a GHN.
    Phases(StepPhases),
    /// The process itself.
    System {
        step: u64,
        epoch: f64,
        rss_bytes: u64,
        cpu_percent: f64,
    },
    State {
        state: RunState,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        reason: Option<String>,
    },
    Note {
        text: String,
    },
}

/// Where the time of a step of a GHN's training goes, in seconds: means over the steps since the last event of
/// this kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepPhases {
    pub step: u64,
    pub epoch: f64,
    /// Drawing networks, and their graphs.
    pub graph: f64,
    /// States, decoders, tiles, and putting the parameters into networks.
    pub predict: f64,
    /// Of the networks.
    pub forward: f64,
    /// Of the networks, and back through the prediction.
    pub backward: f64,
    /// The optimiser.
    pub update: f64,
    /// Networks left out since the start of the run, because their numbers were not finite.
    pub skipped: u64,
}

impl StepPhases {
    /// All of it.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.graph + self.predict + self.forward + self.backward + self.update
    }
}
