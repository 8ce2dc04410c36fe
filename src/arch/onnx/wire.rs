//! Looks over the bytes of a file before they become messages.
//!
//! Two bytes can ask for a message that takes two hundred in memory. So the messages that a file asks for
//! are counted first, along the schema, and a file that would grow out of proportion is refused.

use std::mem::size_of;

use super::OnnxError;
use super::proto::{
    AttributeProto, Dimension, FunctionProto, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto, TensorType,
    TypeProto, ValueInfoProto,
};

/// What a file may take in memory: so many times its own size, and this much in any case. The densest of
/// real files, whose weights are all filled in while reading, stay below twelve times.
const MOST_GROWTH: usize = 24;
const ALLOWANCE: usize = 1 << 20;

/// Graphs within attributes of nodes of graphs; no network has any.
const DEEPEST: usize = 24;

/// A message of the schema that holds others.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    Type,
    TensorType,
    Shape,
    Function,
    /// One without messages inside, of this size.
    Leaf(usize),
}

impl Kind {
    const fn size(self) -> usize {
        match self {
            Self::Model => size_of::<ModelProto>(),
            Self::Graph => size_of::<GraphProto>(),
            Self::Node => size_of::<NodeProto>(),
            Self::Attribute => size_of::<AttributeProto>(),
            Self::Tensor => size_of::<TensorProto>(),
            Self::ValueInfo => size_of::<ValueInfoProto>(),
            Self::Type => size_of::<TypeProto>(),
            Self::TensorType => size_of::<TensorType>(),
            Self::Shape => size_of::<TensorShapeProto>(),
            Self::Function => size_of::<FunctionProto>(),
            Self::Leaf(size) => size,
        }
    }

    /// The message that a field holds, if it holds one that is read.
    const fn field(self, number: u64) -> Option<Self> {
        const PAIR: Kind = Kind::Leaf(size_of::<StringStringEntryProto>());
        const OPSET: Kind = Kind::Leaf(size_of::<OperatorSetIdProto>());
        const DIMENSION: Kind = Kind::Leaf(size_of::<Dimension>());
        const TEXT: Kind = Kind::Leaf(size_of::<String>());
        Some(match (self, number) {
            (Self::Model, 7) | (Self::Attribute, 6) => Self::Graph,
            (Self::Model, 8) | (Self::Function, 9) => OPSET,
            (Self::Model, 14) | (Self::Tensor, 13) => PAIR,
            (Self::Model, 25) => Self::Function,
            (Self::Graph, 1) | (Self::Function, 7) => Self::Node,
            (Self::Graph, 5) | (Self::Attribute, 5) => Self::Tensor,
            (Self::Graph, 11..=13) => Self::ValueInfo,
            (Self::Node, 5) | (Self::Function, 11) => Self::Attribute,
            (Self::Node, 1 | 2) | (Self::Function, 4..=6) | (Self::Attribute, 9) => TEXT,
            (Self::ValueInfo, 2) => Self::Type,
            (Self::Type, 1) => Self::TensorType,
            (Self::TensorType, 2) => Self::Shape,
            (Self::Shape, 1) => DIMENSION,
            _ => return None,
        })
    }
}

/// Checks that `file` is made of fields as protocol buffers are, and asks for no more memory than its size
/// warrants.
pub(super) fn check(file: &[u8]) -> Result<(), OnnxError> {
    let mut scan = Scan {
        left: file.len().saturating_mul(MOST_GROWTH) + ALLOWANCE,
    };
    scan.message(file, Kind::Model, 0)
        .map_err(|reason| OnnxError::Damaged(reason.to_owned()))
}

struct Scan {
    /// Bytes of memory that may still be asked for.
    left: usize,
}

impl Scan {
    fn message(&mut self, mut bytes: &[u8], kind: Kind, depth: usize) -> Result<(), &'static str> {
        if depth > DEEPEST {
            return Err("its messages are nested too deeply");
        }
        self.left = self.left.checked_sub(kind.size()).ok_or(
            "it asks for far more memory than its size warrants: thousands of empty messages",
        )?;
        if matches!(kind, Kind::Leaf(_)) {
            return Ok(());
        }
        while !bytes.is_empty() {
            let key = varint(&mut bytes)?;
            let body = match key & 7 {
                0 => {
                    varint(&mut bytes)?;
                    continue;
                }
                1 => {
                    take(&mut bytes, 8)?;
                    continue;
                }
                2 => {
                    let length = varint(&mut bytes)?;
                    take(&mut bytes, length)?
                }
                5 => {
                    take(&mut bytes, 4)?;
                    continue;
                }
                _ => return Err("a field of a type that is not used"),
            };
            if let Some(inner) = kind.field(key >> 3) {
                self.message(body, inner, depth + 1)?;
            }
        }
        Ok(())
    }
}

fn take<'a>(bytes: &mut &'a [u8], count: u64) -> Result<&'a [u8], &'static str> {
    let count = usize::try_from(count).map_err(|_| "a field is longer than the file")?;
    let (taken, rest) = bytes
        .split_at_checked(count)
        .ok_or("a field is longer than what holds it")?;
    *bytes = rest;
    Ok(taken)
}

/// A number in groups of seven bits, the lowest first.
fn varint(bytes: &mut &[u8]) -> Result<u64, &'static str> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or("it ends within a number")?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err("a number is too long")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_messages_by_the_million_are_refused_before_they_are_made() {
        // A graph (field 7) of a million nodes of two bytes each.
        let nodes = [0x0a, 0].repeat(1_000_000);
        let mut file = vec![0x3a, 0x80, 0x89, 0x7a];
        file.extend(&nodes);
        let error = check(&file).unwrap_err().to_string();
        assert!(error.contains("memory"), "{error}");
        // A few are harmless.
        assert_eq!(check(&[0x3a, 4, 0x0a, 0, 0x0a, 0]), Ok(()));
    }

    #[test]
    fn graphs_within_graphs_without_end_are_refused() {
        // Graph, node, attribute, graph, ...
        let mut file = Vec::new();
        for i in 0..60 {
            let field = [6, 5, 1][i % 3] << 3 | 2;
            let mut outer = vec![field, file.len() as u8];
            outer.extend(&file);
            file = outer;
            if file.len() > 100 {
                break;
            }
        }
        let mut model = vec![0x3a, file.len() as u8];
        model.extend(&file);
        let error = check(&model).unwrap_err().to_string();
        assert!(error.contains("nested"), "{error}");
    }

    #[test]
    fn fields_that_reach_beyond_their_message_are_refused() {
        for file in [&[0x3a, 9, 0x0a][..], &[0x08], &[0x08, 0x80], &[0x0b, 0]] {
            assert!(
                matches!(check(file), Err(OnnxError::Damaged(_))),
                "{file:?}"
            );
        }
    }
}
