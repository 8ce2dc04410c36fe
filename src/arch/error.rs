//! What can go wrong when an architecture is described or looked up.

use thiserror::Error;

use super::Shape;
use super::onnx::OnnxError;
use crate::text::Shown;

/// Why an architecture could not be built.
#[derive(Debug, Error, Clone, PartialEq)]
pub enum ArchError {
    #[error("there is no architecture called \"{name}\"{}; `hyperscope arch list` shows all", nearest(.suggestions))]
    Unknown {
        name: String,
        suggestions: Vec<String>,
    },
    #[error("{arch}, {path}: {op} cannot take an input of shape {input}: {reason}")]
    BadShape {
        arch: String,
        path: String,
        op: &'static str,
        input: Shape,
        reason: String,
    },
    #[error("the pattern \"{}\" cannot be read: {reason}", Shown::new(.pattern))]
    Pattern { pattern: String, reason: String },
    #[error("{arch} has no tensor and no module that fits \"{}\"{}; `hyperscope arch show {arch} --json` lists its tensors", Shown::new(.pattern), nearest(.suggestions))]
    NoTensor {
        arch: String,
        pattern: String,
        suggestions: Vec<String>,
    },
    #[error("{arch}: nothing leads from the images to the classifier")]
    Disconnected { arch: String },
    #[error("{file}: {problem}")]
    Onnx { file: String, problem: OnnxError },
    #[error("{arch}: {what} must be {allowed}, not {got}")]
    BadOption {
        arch: String,
        what: &'static str,
        allowed: String,
        got: usize,
    },
}

fn nearest(names: &[String]) -> String {
    if names.is_empty() {
        String::new()
    } else {
        format!("; the nearest are {}", names.join(", "))
    }
}
