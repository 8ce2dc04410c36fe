//! What can go wrong with a data set.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Split;

/// Why a data set could not be opened or an image could not be read.
#[derive(Debug, Error)]
pub enum DataError {
    #[error(
        "there is no data set \"{spec}\": it is neither `synthetic`, nor a name set in the config file{}, \
         nor a file or folder",
        known(.names)
    )]
    Unknown { spec: String, names: Vec<String> },

    #[error(
        "{path} holds no data set that is known. Looked for: CIFAR-10 or CIFAR-100 in the binary version \
         (data_batch_1.bin ... test_batch.bin, or train.bin and test.bin), Parquet files with image bytes, \
         MNIST's idx files (train-images-idx3-ubyte and the like, plain or .gz), and images (.jpg, .jpeg, .png) \
         in train/CLASS/, test/CLASS/, val/CLASS/ or CLASS/. {found}"
    )]
    Unrecognised { path: PathBuf, found: String },

    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },

    #[error("{path} is not as a {kind} should be: {problem}. {advice}")]
    Malformed {
        path: PathBuf,
        kind: &'static str,
        problem: String,
        advice: &'static str,
    },

    #[error(
        "cannot decode the image {place}: {problem}. Replace it or take it out of the data set"
    )]
    Image { place: String, problem: String },

    #[error("the data set {name} ({path}) has no {split} images: {advice}")]
    NoPart {
        name: String,
        path: PathBuf,
        split: Split,
        advice: String,
    },

    #[error("the data set {name} cannot be used so: {problem}")]
    Option { name: String, problem: String },

    #[error("cannot start a thread that prepares batches: {0}")]
    Thread(io::Error),

    #[error(
        "a thread that prepares batches stopped without an answer; this is a bug in hyperscope"
    )]
    ThreadDied,
}

impl DataError {
    pub(super) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Read {
            path: path.to_owned(),
            source,
        }
    }
}

fn known(names: &[String]) -> String {
    if names.is_empty() {
        " (which sets none)".to_owned()
    } else {
        format!(" ({})", names.join(", "))
    }
}
