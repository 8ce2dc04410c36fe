//! What a name of the graph stands for while the graph is walked through.

use super::constant::Constant;
use super::curve::Curve;
use super::layout::{Layout, Piece};
use crate::arch::{Conv2d, Linear, NodeId};

/// What an operator gives: its outputs, or why it cannot be taken over.
pub(super) type Made = Result<Vec<Value>, String>;

/// A value of the graph.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there are few, and data is the usual case"
)]
pub(super) enum Value {
    /// No image reaches it.
    Constant(Constant),
    Data(Data),
    /// Its node could not be taken over, or a node before it.
    Unknown,
}

/// A value that depends on the images.
#[derive(Clone, Debug)]
pub(super) struct Data {
    pub form: Form,
    pub layout: Layout,
    /// The graph's node that made it.
    pub at: usize,
}

/// How far a value has come. What follows decides what many nodes of the file were meant to be, so they
/// wait for it; [`Importer::settle`](super::import::Importer::settle) makes a node of the architecture of
/// them.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// An activation of the architecture.
    Node(NodeId),
    /// A function of each number by itself.
    Curve { of: NodeId, curve: Curve },
    /// A convolution or linear layer whose bias may follow.
    Layer(Box<Layer>),
    /// A factor for every channel, then an offset.
    Affine {
        of: NodeId,
        scale: Option<Constant>,
        offset: Option<Constant>,
    },
    /// An image with a margin: pixels at the top, left, bottom, right, and what they hold.
    Padded {
        of: NodeId,
        pads: [usize; 4],
        value: f64,
    },
    /// The mean over the channels of each position.
    Mean { of: NodeId },
    /// What lies above that mean.
    Centred { of: NodeId },
    /// Its square.
    Squared { of: NodeId },
    /// The mean of the squares, with a small number added.
    Variance { of: NodeId, eps: f64 },
    /// Its root.
    Deviation { of: NodeId, eps: f64 },
    /// Above the mean in deviations, and with a factor for every channel.
    Normalised {
        of: NodeId,
        eps: f64,
        scale: Option<Constant>,
    },
    /// Those elements where a digit of an axis has this value, times a factor.
    Picked {
        of: NodeId,
        piece: Piece,
        index: usize,
        factor: f64,
    },
    /// Ranges of rows and columns, after the image was turned cyclically by this many rows up and columns
    /// to the left.
    Region {
        of: NodeId,
        by: [usize; 2],
        rows: Range,
        cols: Range,
    },
    /// Products of queries and keys, or the weights that a softmax makes of them.
    Scores(Box<Scores>),
}

/// Every `step`-th of a row's or column's pixels from `start` to before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub start: usize,
    pub end: usize,
    pub step: usize,
}

impl Range {
    pub const fn all(length: usize) -> Self {
        Self {
            start: 0,
            end: length,
            step: 1,
        }
    }

    pub const fn count(self) -> usize {
        (self.end - self.start).div_ceil(self.step)
    }
}

/// A layer that waits for its bias.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub kind: LayerKind,
    pub input: NodeId,
    pub weight: Weight,
    pub bias: Option<Constant>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum LayerKind {
    Conv(Conv2d),
    Linear(Linear),
}

/// A weight as the file has it, and what is done to it: multiplied by a number, set into a larger kernel
/// of zeros.
#[derive(Clone, Debug)]
pub(super) struct Weight {
    pub constant: Constant,
    pub factor: f64,
    /// Rows and columns of zeros before the kernel.
    pub corner: [usize; 2],
}

/// Attention between the product of queries and keys and that of weights and values.
#[derive(Clone, Debug)]
pub(super) struct Scores {
    pub query: Head,
    pub key: Head,
    pub factor: f64,
    /// What is added to the scores, in the order in which it is.
    pub added: Vec<Constant>,
    pub softmax: bool,
}

/// Queries, keys or values: a part of an activation's channels, cut into heads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Head {
    pub of: NodeId,
    /// Which part of how many: `None` for all channels.
    pub part: Option<[usize; 2]>,
    pub heads: usize,
    /// Channels of a head.
    pub width: usize,
}
