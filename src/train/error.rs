//! Why a training run ended before its time.

use thiserror::Error;

use super::Split;
use super::checkpoint::CheckpointError;
use crate::data::DataError;
use crate::ghn::GhnError;
use crate::nn::NnError;

/// Why a training run could not go on.
#[derive(Debug, Error)]
pub enum TrainError {
    #[error("{doing}")]
    Network {
        doing: &'static str,
        source: NnError,
    },
    #[error("{doing}")]
    Data {
        doing: &'static str,
        source: DataError,
    },
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A loss or gradient became infinite or not a number.
    #[error("{0}")]
    NotFinite(NotFinite),
    #[error("the loss on the {split:?} images is {loss} after epoch {epoch}; {culprit}; {ADVICE}")]
    EvaluationNotFinite {
        split: Split,
        /// Counted from 1.
        epoch: u32,
        loss: f64,
        /// The first tensor that is not finite, in words.
        culprit: String,
    },
    /// The network's activations leave the numbers where batch norms measure them.
    #[error(
        "measuring the statistics of the batch norms: {culprit}; the activations before it overflow, so these \
         parameters are of no use in inference"
    )]
    StatisticsNotFinite {
        /// The first tensor that is not finite, in words.
        culprit: String,
    },
    /// A GHN could not predict.
    #[error("predicting the parameters of a network")]
    Ghn(#[source] GhnError),
    /// Training a GHN has lost its way.
    #[error(
        "{skipped} of {networks} predicted networks left the numbers by step {step}, more than one in fifty; \
         the checkpoints are kept as they were; try a lower learning rate"
    )]
    Diverged {
        step: u64,
        skipped: u64,
        networks: u64,
    },
    #[error("{0}")]
    BadTask(String),
}

const ADVICE: &str = "the checkpoints are kept as they were; try a lower learning rate (--lr)";

/// Where training left the numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct NotFinite {
    /// Counted from 1.
    pub step: u64,
    /// Counted from 1.
    pub epoch: u32,
    pub loss: f64,
    pub grad_norm: f64,
    /// The first tensor that is not finite, in words.
    pub culprit: String,
}

impl std::fmt::Display for NotFinite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            step,
            epoch,
            loss,
            grad_norm,
            culprit,
        } = self;
        write!(
            f,
            "training left the numbers at step {step}, epoch {epoch}: loss {loss}, gradient norm {grad_norm}; \
             {culprit}; {ADVICE}"
        )
    }
}
