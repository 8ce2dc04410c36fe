//! Accuracy of networks whose parameters were predicted and never trained.

use crate::arch::deepnets::{self, Split};
use crate::arch::zoo::Options;
use crate::arch::{self, Arch, ArchError};
use crate::data::EvalLoader;
use crate::ghn::{ClassLayers, Ghn, PredictOptions};
use crate::init::random::complete;
use crate::nn::{Mode, Network, Placement};
use crate::train::{Metrics, TrainError, evaluate};

/// A network and how well it did.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictedNetwork {
    pub name: String,
    pub parameters: usize,
    pub metrics: Metrics,
}

/// The first networks of a split.
pub fn names(split: Split, count: usize) -> Vec<String> {
    (0..count as u64)
        .map(|seed| deepnets::name_of(split, seed))
        .collect()
}

/// A network for images of this side.
pub fn network(name: &str, classes: usize, side: usize) -> Result<Arch, TrainError> {
    let built = arch::build(name, &Options::for_images(classes, side));
    built.map_err(|source: ArchError| TrainError::BadTask(source.to_string()))
}

/// Predicts all parameters of a network, its classification layer included, and evaluates it on all images of
/// a loader. Batch norms use the statistics of each batch, as the running ones are not predicted.
///
/// # Errors
/// If images cannot be read or do not fit the network, or memory runs out.
pub fn evaluate_ghn(
    ghn: &Ghn,
    arch: Arch,
    loader: &mut EvalLoader,
    placement: Placement,
) -> Result<PredictedNetwork, TrainError> {
    let options = PredictOptions {
        class_layers: ClassLayers::Always,
        ..PredictOptions::default()
    };
    let predicted = ghn.predict(&arch, &options).map_err(TrainError::Ghn)?;
    let doing = "evaluating a predicted network";
    let failed = |source| TrainError::Network { doing, source };
    let mut network = Network::on(&arch, placement).map_err(failed)?;
    let state = complete(&arch, predicted.tensors, options.seed);
    network.load(&state).map_err(failed)?;
    let metrics = evaluate(&mut network, loader, Mode::BatchStatistics)?;
    Ok(PredictedNetwork {
        name: arch.name().to_owned(),
        parameters: arch.parameter_count(),
        metrics,
    })
}
