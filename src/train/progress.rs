//! How far a run has come: what stands in a checkpoint beside the tensors.
//!
//! No generator's state is among it: every random draw is a function of (seed, purpose, epoch,
//! batch), so the place in the epoch is enough to go on with the same numbers.

use serde::{Deserialize, Serialize};

use super::{Metrics, Split};

/// Number of the format; a reader refuses one that it does not know.
pub const VERSION: u32 = 1;

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub version: u32,
    /// Epochs done, evaluation included.
    pub epoch: u32,
    /// Batches of the current epoch done.
    pub batch: usize,
    /// Optimiser steps done since the start of the run.
    pub step: u64,
    /// First rate of the schedule, as changed by `set lr`.
    #[serde(with = "exact")]
    pub base_lr: f64,
    /// Networks that training a GHN had to leave out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: u64,
    /// Time spent by workers on this run.
    pub seconds: f64,
    /// Sums over the current epoch's steps.
    pub sums: EpochSums,
    /// The newest results.
    pub last: LastMetrics,
    pub best: Option<Best>,
}

impl Progress {
    /// The beginning of a run.
    #[must_use]
    pub fn new(base_lr: f64) -> Self {
        Self {
            version: VERSION,
            epoch: 0,
            batch: 0,
            step: 0,
            base_lr,
            skipped: 0,
            seconds: 0.0,
            sums: EpochSums::default(),
            last: LastMetrics::default(),
            best: None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Sums over the steps of one epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochSums {
    /// Loss times images.
    #[serde(with = "exact")]
    pub loss: f64,
    pub correct: u64,
    pub images: u64,
    /// Time of the steps, waiting for images included.
    pub seconds: f64,
}

/// The newest result of each split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LastMetrics {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub train: Option<Metrics>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub val: Option<Metrics>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub test: Option<Metrics>,
}

/// The epoch whose parameters `checkpoint/best` holds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Counted from 1.
    pub epoch: u32,
    /// Percent, on `split`.
    pub top1: f64,
    pub split: Split,
}

/// Floats that come back bit for bit: as text, because the JSON reader rounds in the last place.
mod exact {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_the_training_depends_on_come_back_bit_for_bit() {
        for value in [0.1 + 0.2, 1e-310, 123_456.789_012_345_68, f64::MAX] {
            let mut progress = Progress::new(value);
            progress.sums.loss = -value;
            let text = serde_json::to_string(&progress).unwrap();
            let back: Progress = serde_json::from_str(&text).unwrap();
            assert_eq!(back.base_lr.to_bits(), value.to_bits());
            assert_eq!(back.sums.loss.to_bits(), (-value).to_bits());
        }
    }
}
