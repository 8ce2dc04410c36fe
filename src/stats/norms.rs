//! The norm of a predicted network beside the published one: the check of a GHN that needs no data.
//!
//! The authors of GHN-3 published, for 74 networks of torchvision, the norm of all parameters after a prediction. They
//! took the networks as torchvision builds them: 1000 classes, auxiliary classifiers included, images of 224 (Inception:
//! 299). What a GHN does not predict counts too, with the framework's initial values.

mod table;

use std::time::Instant;

use rayon::prelude::*;
use serde::Serialize;
use thiserror::Error;

pub use table::{NormTable, TableError};

use crate::arch::{self, Arch, ArchError, zoo};
use crate::ghn::{Ghn, GhnError, PredictOptions};
use crate::init::random;
use crate::nn::StateDict;

/// Largest difference of a norm from the published one: the published check allows as much. The printed digits would
/// allow less, but the initial values of what is not predicted are drawn.
pub const PUBLISHED_TOLERANCE: f64 = 1e-2;

/// Side of the images that torchvision's Inception is made for; its auxiliary classifier takes no smaller ones.
const INCEPTION_SIDE: usize = 299;

/// The norm of a network's predicted parameters, and the published one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NormCheck {
    pub model: String,
    pub published: f64,
    /// Why there is no norm, where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// None if it could not be had, or is not finite.
    pub norm: Option<f64>,
    /// `norm - published`.
    pub difference: Option<f64>,
    /// The difference in percent of the published norm.
    pub percent: Option<f64>,
    pub agrees: bool,
    /// Parameters that the GHN did not predict.
    pub unpredicted: usize,
    pub seconds: f64,
}

impl NormCheck {
    /// Predicts the parameters of `model` and compares. Initial values of what `ghn` does not predict are drawn with
    /// `seed`. Only one network is in memory at a time.
    #[must_use]
    pub fn run(ghn: &Ghn, model: &str, published: f64, tolerance: f64, seed: u64) -> Self {
        let start = Instant::now();
        let predicted = predicted_norm(ghn, model, seed);
        let (norm, unpredicted, error) = match predicted {
            Ok((norm, unpredicted)) => (norm, unpredicted, None),
            Err(error) => (f64::NAN, 0, Some(error.to_string())),
        };
        let difference = norm - published;
        let defined = |value: f64| value.is_finite().then_some(value);
        Self {
            model: model.to_owned(),
            published,
            error,
            norm: defined(norm),
            difference: defined(difference),
            percent: defined(100.0 * difference / published),
            // What is not a number agrees with nothing.
            agrees: difference.abs() <= tolerance,
            unpredicted,
            seconds: start.elapsed().as_secs_f64(),
        }
    }
}

/// Why there is no norm.
#[derive(Debug, Error)]
enum NormError {
    #[error(transparent)]
    Arch(#[from] ArchError),
    #[error(transparent)]
    Ghn(#[from] GhnError),
}

/// The norm after a prediction, and the number of parameters that were not predicted.
fn predicted_norm(ghn: &Ghn, model: &str, seed: u64) -> Result<(f64, usize), NormError> {
    let arch = as_published(model)?;
    let options = PredictOptions {
        seed,
        ..PredictOptions::default()
    };
    let prediction = ghn.predict(&arch, &options)?;
    let unpredicted = prediction.unpredicted.len();
    let state = random::complete(&arch, prediction.tensors, seed);
    Ok((parameter_norm(&arch, &state), unpredicted))
}

/// The network as torchvision builds it when it is asked for nothing special.
fn as_published(model: &str) -> Result<Arch, ArchError> {
    let mut options = zoo::Options {
        auxiliary: true,
        ..arch::usual_options(model)?
    };
    if model == "inception_v3" {
        options.side = INCEPTION_SIDE;
    }
    arch::build(model, &options)
}

/// Euclidean norm of all parameters of `arch` in `state`, summed in float64; buffers do not count, nor does what `state`
/// lacks.
#[must_use]
pub fn parameter_norm(arch: &Arch, state: &StateDict) -> f64 {
    let parameters = arch.tensors().par_iter().filter(|t| t.role.is_parameter());
    let squares = parameters.map(|spec| {
        let values = state.get(&spec.name).and_then(|t| t.floats());
        let squares = values.unwrap_or_default().iter();
        squares.map(|v| f64::from(*v).powi(2)).sum::<f64>()
    });
    // Summed in their order, so that the number of threads changes nothing.
    squares.collect::<Vec<f64>>().iter().sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ghn::Config;

    #[test]
    fn every_network_of_the_published_table_can_be_built() {
        let table = NormTable::published();
        let rows: Vec<_> = table.rows("ghn3").collect();
        assert_eq!(rows.len(), 74);
        for (model, norm) in rows {
            let arch = as_published(model).unwrap();
            assert_eq!(arch.classes(), 1000, "{model}");
            assert!(norm > 1.0, "{model}");
        }
    }

    #[test]
    fn a_norm_counts_parameters_only() {
        let arch = as_published("squeezenet1_1").unwrap();
        let zeros = random::state(&arch, 1).into_iter().map(|(name, mut t)| {
            t.floats_mut().unwrap().fill(0.0);
            (name, t)
        });
        let mut state: StateDict = zeros.collect();
        assert_eq!(parameter_norm(&arch, &state), 0.0);
        state
            .get_mut("features.0.weight")
            .unwrap()
            .floats_mut()
            .unwrap()[..2]
            .copy_from_slice(&[3.0, 4.0]);
        assert_eq!(parameter_norm(&arch, &state), 5.0);
        let arch = zoo::build("resnet18", &zoo::Options::default()).unwrap();
        let mut state = random::state(&arch, 1);
        let before = parameter_norm(&arch, &state);
        let running = state.get_mut("bn1.running_var").unwrap();
        running.floats_mut().unwrap().fill(1e6);
        assert_eq!(parameter_norm(&arch, &state), before);
    }

    #[test]
    fn a_norm_within_the_tolerance_agrees_and_no_other() {
        let ghn = Ghn::untrained(&Config::ghn2_cifar10(), 1).unwrap();
        let run = |model: &str, published| NormCheck::run(&ghn, model, published, 1e-2, 1);
        let norm = run("squeezenet1_1", 1.0).norm.unwrap();
        assert!(run("squeezenet1_1", norm + 0.009).agrees);
        let off = run("squeezenet1_1", norm + 0.011);
        assert!(!off.agrees);
        assert!((off.difference.unwrap() + 0.011).abs() < 1e-9);
        let unknown = run("resnet51", 1.0);
        assert!(!unknown.agrees && unknown.norm.is_none());
        assert!(unknown.error.unwrap().contains("resnet51"));
    }
}
