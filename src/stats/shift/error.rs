//! What can go wrong when networks are set against a population.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::arch::ArchError;

#[derive(Debug, Error)]
pub enum ShiftError {
    #[error("{}: {reason}; `hyperscope deepnets reference -o FILE` writes such a file", .path.display())]
    NotReference { path: PathBuf, reason: String },
    #[error("reading the reference population {}", .path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} has no networks of the split {split}", .path.display())]
    NoSplit { path: PathBuf, split: &'static str },
    #[error("a population needs {least} networks at least, not {got}")]
    TooFew { least: usize, got: usize },
    #[error("all networks look the same to the GHN {ghn}, so none lies far from them")]
    Alike { ghn: String },
    #[error(transparent)]
    Arch(#[from] ArchError),
}
