//! What can go wrong with a GHN.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Parameter;

use crate::nn::DeviceError;
use crate::nn::files::FileError;
use crate::text::Shown;

/// Why a GHN could not be opened, or could not predict.
#[derive(Debug, Error)]
pub enum GhnError {
    #[error(
        "there is no GHN called \"{name}\": it is neither `default`, nor a file, nor a name in {}; \
         `hyperscope ghn list` shows what is at hand",
        shown(.folder)
    )]
    Unknown { name: String, folder: PathBuf },
    #[error(
        "the published GHN {name} is not in {}; `hyperscope ghn fetch {name}` brings it there",
        shown(.folder)
    )]
    NotHere { name: &'static str, folder: PathBuf },
    #[error(transparent)]
    File(#[from] FileError),
    #[error("reading {}: {reason}", shown(.path))]
    Read { path: PathBuf, reason: String },
    #[error("{origin}: \"{field}\" of the GHN's config {reason}")]
    Config {
        origin: String,
        field: &'static str,
        reason: String,
    },
    #[error(
        "{origin}: the tensor \"{tensor}\" of shape {expected:?} is missing; \
         is this the checkpoint of a GHN, and does the config belong to it?"
    )]
    Missing {
        origin: String,
        tensor: String,
        expected: Vec<usize>,
    },
    #[error(
        "{origin}: the tensor \"{tensor}\" has shape {found:?}, but the config asks for {expected:?}; \
         does the config belong to it?"
    )]
    Shape {
        origin: String,
        tensor: String,
        found: Vec<usize>,
        expected: Vec<usize>,
    },
    #[error(
        "{origin}: the tensor \"{tensor}\" holds values that are not finite numbers; \
         fetch the file again, or take a checkpoint from before the training broke"
    )]
    NotFinite { origin: String, tensor: String },
    #[error(
        "{origin}: this file holds no GHN: none of its {tensors} tensors is called \"{missing}\"; \
         {looks}; give the checkpoint of a GHN"
    )]
    NotGhn {
        origin: String,
        tensors: usize,
        missing: &'static str,
        /// What the file seems to hold.
        looks: String,
    },
    #[error(
        "there is not enough memory for {values} predicted parameters, {} MB; predict part of the network",
        .values * size_of::<f32>() / 1_000_000
    )]
    Memory { values: usize },
    #[error(
        "the device has not enough memory for this GHN and its prediction: {} MB more were asked for; end what else \
         uses it, or predict with --device cpu",
        .bytes.div_ceil(1_000_000)
    )]
    DeviceMemory { bytes: usize },
    #[error("predicting: {0}")]
    Device(DeviceError),
}

impl From<DeviceError> for GhnError {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::OutOfMemory { bytes } => Self::DeviceMemory { bytes },
            other => Self::Device(other),
        }
    }
}

impl GhnError {
    pub(super) fn no_room_for(parameters: &[Parameter]) -> Self {
        Self::Memory {
            values: parameters.iter().map(Parameter::size).sum(),
        }
    }
}

fn shown(path: &Path) -> Shown {
    Shown::new(&path.to_string_lossy())
}
