//! One pass over a split without learning from it.

use std::ops::ControlFlow;
use std::time::Instant;

use super::{Metrics, Tally, TrainError};
use crate::data::EvalLoader;
use crate::nn::{Images, Mode, Network};

/// Accuracy and loss of a network over all images of a loader.
///
/// Use [`Mode::Eval`] for a trained network, and [`Mode::BatchStatistics`] for predicted parameters
/// that were never trained: their running statistics are not predicted.
///
/// # Errors
/// If an image cannot be read, or the images do not fit the network.
pub fn evaluate(
    network: &mut Network,
    loader: &mut EvalLoader,
    mode: Mode,
) -> Result<Metrics, TrainError> {
    let all = evaluate_with(network, loader, mode, |_| ControlFlow::Continue(()))?;
    Ok(all.unwrap_or_else(|| Tally::default().metrics(0.0)))
}

/// As [`evaluate`]; calls `after_batch` with the number of images done so far, and gives up with
/// `None` when that says so.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_with(
    network: &mut Network,
    loader: &mut EvalLoader,
    mode: Mode,
    mut after_batch: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<Option<Metrics>, TrainError> {
    let begun = Instant::now();
    let mut tally = Tally::default();
    let reading = |source| TrainError::Data {
        doing: "reading images to evaluate on",
        source,
    };
    loader.restart().map_err(reading)?;
    for batch in loader {
        let batch = batch.map_err(reading)?;
        let images = Images {
            pixels: &batch.pixels,
            batch: batch.batch,
        };
        let logits = network
            .forward(&images, mode)
            .map_err(|source| TrainError::Network {
                doing: "evaluating the network",
                source,
            })?;
        tally.add(logits, &batch.labels);
        if after_batch(tally.images()).is_break() {
            return Ok(None);
        }
    }
    Ok(Some(tally.metrics(begun.elapsed().as_secs_f64())))
}
