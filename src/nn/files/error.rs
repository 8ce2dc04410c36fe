//! What can go wrong with a file of parameters.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::arch::onnx::OnnxError;
use crate::nn::pickle::PickleError;
use crate::text::Shown;

/// A file that could not be read or written.
#[derive(Debug, Error)]
pub enum FileError {
    #[error("reading {}: {problem}", Shown::new(&.path.to_string_lossy()))]
    Read {
        path: PathBuf,
        problem: Box<Problem>,
    },
    #[error("writing {}: {reason}; nothing was left there", Shown::new(&.path.to_string_lossy()))]
    Write { path: PathBuf, reason: io::Error },
}

impl FileError {
    /// What was wrong with a file that was read.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Read { problem, .. } => Some(problem),
            Self::Write { .. } => None,
        }
    }
}

/// What was wrong with the file, and what to do.
#[derive(Debug, Error)]
pub enum Problem {
    #[error("{0}")]
    Io(io::Error),
    #[error("this is a folder; give one file in it")]
    Folder,
    #[error("the file is empty; fetch or save it again")]
    Empty,
    #[error("this is {what}, not parameters; {advice}")]
    Foreign {
        what: &'static str,
        advice: &'static str,
    },
    #[error("the file is cut short or damaged: {0}; fetch or save it again")]
    Damaged(String),
    #[error("{0}")]
    Pickle(PickleError),
    #[error("{0}")]
    Onnx(#[from] OnnxError),
    #[error("tensor \"{}\" has the element type {}, which is not supported; store it as F32, F16, BF16, F64 or I64", Shown::new(.tensor), Shown::new(.element))]
    ElementType { tensor: String, element: String },
    #[error("\"{}\" is no tensor but an instance of {}, which is never made here; save a plain state dict", Shown::new(.name), Shown::new(.class))]
    NotATensor { name: String, class: String },
    #[error("there are no named tensors in it ({}); in Python, save model.state_dict()", Shown::new(.found))]
    NoTensors { found: String },
    #[error(
        "its tensors would take far more memory than the file has bytes, or than this machine has; \
         save a plain state dict, or take a machine with more memory"
    )]
    TooMuch,
}

impl Problem {
    /// The file is damaged in a way that `what` says.
    pub(super) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::damaged("it ends too early"),
            io::ErrorKind::InvalidData => Self::damaged(error.to_string()),
            io::ErrorKind::OutOfMemory | io::ErrorKind::FileTooLarge => Self::TooMuch,
            _ => Self::Io(error),
        }
    }
}

impl From<PickleError> for Problem {
    fn from(error: PickleError) -> Self {
        match error {
            PickleError::Io(error) => error.into(),
            other => Self::Pickle(other),
        }
    }
}
