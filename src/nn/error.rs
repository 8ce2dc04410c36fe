//! What can go wrong when a network is built, filled or run.

use std::fmt;

use super::device::DeviceError;
use crate::text::Shown;

/// Errors of the executor.
#[derive(Debug, thiserror::Error)]
pub enum NnError {
    /// The architecture asks for something that this executor cannot do.
    #[error("cannot run {arch}: {path}: {reason}")]
    Unsupported {
        arch: String,
        path: String,
        reason: String,
    },
    /// A state dict that is not this network's.
    #[error(
        "these parameters do not belong to {arch} with {classes} classes: {mismatch}; give the architecture and number of classes that they were made for"
    )]
    Mismatch {
        arch: String,
        classes: usize,
        mismatch: Mismatch,
    },
    #[error(
        "{arch} takes batches of at least one image, {image} values each, but got {got} values for {batch} images"
    )]
    BadBatch {
        arch: String,
        /// Values of one image.
        image: usize,
        batch: usize,
        got: usize,
    },
    #[error("a batch of {images} images came with {labels} labels")]
    LabelCount { images: usize, labels: usize },
    #[error("image {image} of the batch has label {label}, but the network tells only {classes} classes apart (0 to {}); build it for the data set's classes", classes - 1)]
    LabelOutOfRange {
        image: usize,
        label: u32,
        classes: usize,
    },
    /// A variance needs two values.
    #[error(
        "{path}: batch statistics need more than one value per channel; train with a larger batch or larger images"
    )]
    TooFewValues { path: String },
    #[error(
        "a batch of {batch} images does not fit into the device's memory; try a smaller one (--batch {})",
        (batch / 2).max(1)
    )]
    DeviceMemory { batch: usize },
    #[error(
        "a batch of {batch} images is more than a device's kernels can count; give at most {at_most} (--batch {at_most})"
    )]
    BatchTooLarge { batch: usize, at_most: usize },
    #[error(
        "a training step was begun, but no batch was staged for it; stage one before each step"
    )]
    NothingStaged,
    #[error(
        "the results of a training step were asked for, but none was begun since the last batch; begin one first"
    )]
    NoStep,
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// How a state dict differs from the one that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// Names that the network has and the state dict lacks.
    pub missing: Vec<String>,
    /// Names that the network does not know.
    pub unexpected: Vec<String>,
    /// Names with the shape that is needed and the one that is there.
    pub misshapen: Vec<(String, String, String)>,
}

/// Names that a message lists of each kind.
const SHOWN: usize = 3;

impl Mismatch {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.misshapen.is_empty()
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let misshapen: Vec<String> = self
            .misshapen
            .iter()
            .map(|(name, wanted, got)| format!("{name} ({got} instead of {wanted})"))
            .collect();
        let kinds = [
            ("missing", &self.missing),
            ("unexpected", &self.unexpected),
            ("of another shape", &misshapen),
        ];
        let parts: Vec<String> = kinds
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(kind, names)| sentence(kind, names))
            .collect();
        f.write_str(&parts.join("; "))
    }
}

fn sentence(kind: &str, names: &[String]) -> String {
    let first: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|n| Shown::new(n).to_string())
        .collect();
    let dots = if names.len() > SHOWN { ", ..." } else { "" };
    format!("{} {kind}: {}{dots}", names.len(), first.join(", "))
}
