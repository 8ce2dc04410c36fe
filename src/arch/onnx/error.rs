//! What can go wrong with an ONNX file.

use std::fmt;

use thiserror::Error;

use crate::text::Shown;

/// How many nodes are named before the rest is counted.
const MOST_NAMED: usize = 20;

/// Why a file gives no network.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum OnnxError {
    #[error("the file cannot be read: {0}")]
    Io(String),
    #[error("it is no ONNX file, or is cut short or damaged: {0}; export it again")]
    Damaged(String),
    #[error(
        "its opset is {0}; networks of opsets {first} to {last} can be read; export it with another opset_version",
        first = super::OLDEST_OPSET,
        last = super::NEWEST_OPSET
    )]
    Opset(i64),
    #[error("{field}: {reason}")]
    Field { field: String, reason: String },
    #[error("its nodes form a cycle: {} needs its own output", Shown::new(.0))]
    Cycle(String),
    #[error("{}", listed(.0))]
    Unsupported(Vec<Trouble>),
    #[error("tensor \"{}\" should lie in \"{}\" beside the model: {}", Shown::new(.tensor), Shown::new(.location), Shown::new(.reason))]
    External {
        tensor: String,
        location: String,
        reason: String,
    },
    #[error("{0}")]
    Size(String),
}

impl OnnxError {
    /// A part of the file, by the schema's names, that cannot be so.
    pub(super) fn field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Field {
            field: Shown::new(&field.into()).to_string(),
            reason: Shown::new(&reason.into()).to_string(),
        }
    }
}

/// A node that cannot be taken over, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Its name, or that of its output where it has none.
    pub node: String,
    /// The operator, with its domain where that is not the standard one.
    pub op: String,
    pub reason: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, op, reason } = self;
        write!(
            f,
            "{} \"{}\": {}",
            Shown::new(op),
            Shown::new(node),
            Shown::new(reason)
        )
    }
}

fn listed(troubles: &[Trouble]) -> String {
    let nodes = if troubles.len() == 1 { "node" } else { "nodes" };
    let mut text = format!("{} {nodes} cannot be taken over:", troubles.len());
    for trouble in troubles.iter().take(MOST_NAMED) {
        text += &format!(" {trouble};");
    }
    if troubles.len() > MOST_NAMED {
        text += &format!(" and {} more;", troubles.len() - MOST_NAMED);
    }
    text.pop();
    text
}
