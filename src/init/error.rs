//! What can go wrong when first parameters are made.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::arch::ArchError;
use crate::ghn::GhnError;
use crate::nn::Mismatch;
use crate::nn::files::FileError;
use crate::text::Shown;

/// Why there are no first parameters, or no post-processed ones.
#[derive(Debug, Error)]
pub enum InitError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("post-processing {arch}: the parameters have no tensor \"{}\"; are they of this architecture?", Shown::new(.tensor))]
    MissingTensor { arch: String, tensor: String },
    #[error("post-processing {arch}: \"{}\" has the shape {got:?}, the architecture wants {expected:?}", Shown::new(.tensor))]
    Shape {
        arch: String,
        tensor: String,
        expected: Vec<usize>,
        got: Vec<usize>,
    },
    #[error("post-processing: \"{}\" holds {count} values that are not finite; nothing was changed. Take other parameters, or repair this tensor", Shown::new(.tensor))]
    NotFinite { tensor: String, count: usize },
    #[error("beta must be a finite number that is not negative, not {0}")]
    Beta(f64),
    #[error(
        "{arch} has {count} layers with a weight matrix, so the first one treated cannot be number {number}; give 1 to {count}, or a name"
    )]
    LayerNumber {
        arch: String,
        count: usize,
        number: usize,
    },
    #[error("{arch} has no layer with a weight matrix called \"{}\"{}", Shown::new(.name), nearest(.suggestions))]
    LayerName {
        arch: String,
        name: String,
        suggestions: Vec<String>,
    },
    #[error("\"{}\" is no start: give rand, ghn, ghn+noise, ghn+orth, ghn+noise+orth, rand+noise, rand+orth, rand+noise+orth, or a file of parameters", Shown::new(.given))]
    Start { given: String },
    #[error(transparent)]
    Arch(#[from] ArchError),
    #[error(transparent)]
    Ghn(#[from] GhnError),
    #[error("{} holds a network for {stored} classes, but {arch} is built for {wanted} classes here; take data with {stored} classes, or ask for a random classification layer", shown(.path))]
    Classes {
        path: PathBuf,
        arch: String,
        wanted: usize,
        stored: usize,
    },
    #[error("the parameters in {} are not those of {arch}: {mismatch}; give the architecture, class count and image size that they were made for", shown(.path))]
    Foreign {
        path: PathBuf,
        arch: String,
        mismatch: Mismatch,
    },
    #[error("\"{}\" in {} holds whole numbers instead of parameters", Shown::new(.tensor), shown(.path))]
    Kind { path: PathBuf, tensor: String },
    #[error("cancelled")]
    Cancelled,
}

fn shown(path: &Path) -> Shown {
    Shown::new(&path.to_string_lossy())
}

fn nearest(names: &[String]) -> String {
    if names.is_empty() {
        String::new()
    } else {
        format!("; the nearest are {}", names.join(", "))
    }
}
