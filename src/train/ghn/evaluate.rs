//! Accuracy of networks whose parameters were predicted and never trained.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `part` | [`Part`]: which networks |
//! | `evaluator` | [`Evaluator`]: one network after the other on the same images |
//! | `evaluation` | [`GhnEvaluation`]: what came out |
//! | `published` | [`published_accuracies`]: what others reached |

mod evaluation;
mod evaluator;
mod part;
mod published;

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::arch::zoo::Options;
use crate::arch::{self, Arch, ArchError};
use crate::data::EvalLoader;
use crate::ghn::{ClassLayers, Ghn, PredictOptions};
use crate::init::random::complete;
use crate::nn::{Mode, Network, Placement, StateDict};
use crate::train::{Metrics, TrainError, evaluate_with};

pub use evaluation::{
    Accuracy, BadEvaluation, EvaluatedNetwork, EvaluatedPart, EvaluationSetting, GhnEvaluation,
};
pub use evaluator::{Evaluator, EvaluatorOptions, USUAL_BATCH, USUAL_NETWORKS, USUAL_SIDE};
pub use part::Part;
pub use published::{PublishedAccuracy, published_accuracies};

/// A network and how well it did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictedNetwork {
    pub name: String,
    pub params: usize,
    #[serde(flatten)]
    pub metrics: Metrics,
}

/// A network for images of this side.
pub fn network(name: &str, classes: usize, side: usize) -> Result<Arch, TrainError> {
    let built = arch::build(name, &Options::for_images(classes, side));
    built.map_err(|source: ArchError| TrainError::BadTask(source.to_string()))
}

/// Predicts all parameters of a network, its classification layer included, and evaluates it on all images of
/// a loader. Batch norms use the statistics of each batch, as the running ones are not predicted.
///
/// None if `after_batch`, which hears of the images done so far, gives up.
///
/// # Errors
/// If images cannot be read or do not fit the network, or memory runs out.
pub fn evaluate_predicted(
    ghn: &Ghn,
    arch: &Arch,
    loader: &mut EvalLoader,
    placement: Placement,
    after_batch: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<Option<PredictedNetwork>, TrainError> {
    let options = PredictOptions {
        class_layers: ClassLayers::Always,
        ..PredictOptions::default()
    };
    let predicted = ghn.predict(arch, &options).map_err(TrainError::Ghn)?;
    let state = complete(arch, predicted.tensors, options.seed);
    let metrics = evaluate_untrained(arch, &state, loader, placement, after_batch)?;
    Ok(metrics.map(|metrics| PredictedNetwork {
        name: arch.name().to_owned(),
        params: arch.parameter_count(),
        metrics,
    }))
}

/// Evaluates parameters that were never trained, with the statistics of each batch.
fn evaluate_untrained(
    arch: &Arch,
    state: &StateDict,
    loader: &mut EvalLoader,
    placement: Placement,
    after_batch: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<Option<Metrics>, TrainError> {
    let doing = "evaluating an untrained network";
    let failed = |source| TrainError::Network { doing, source };
    let mut network = Network::on(arch, placement).map_err(failed)?;
    network.load(state).map_err(failed)?;
    evaluate_with(&mut network, loader, Mode::BatchStatistics, after_batch)
}
