//! Attention: which tokens look at which, and what makes a score.

use super::{Offsets, Partition};

/// The core of self-attention, between the projection to queries, keys and values and the one of
/// the result: softmax over scores, times values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attention {
    /// Channels of the queries, over all heads; keys and values have as many.
    pub channels: usize,
    pub heads: usize,
    pub kind: AttentionKind,
}

/// The families' ways to attend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttentionKind {
    /// `nn.MultiheadAttention`: all tokens of a sample; scores are `q k / sqrt(d)` with `d` channels
    /// of a head.
    Multihead,
    /// The same sum from a single projection without bias, as DeepNets-1M and many others write it:
    /// PyTorch records other views.
    Fused,
    /// Swin: within windows; a learnt bias for every offset is added, and tokens of different
    /// regions are kept apart.
    Windowed(Partition),
    /// Swin v2: as Swin, but scores are cosines times a learnt factor, and the biases are the second
    /// input: a small network's function of the offset, `b` standing for `16 sigmoid(b)`.
    Cosine(Partition),
    /// MaxViT: within windows, with a learnt bias for every offset; scores are `q k / sqrt(C)` with
    /// the channels of all heads.
    MultiAxis(Partition),
}

impl Attention {
    /// Channels of a head.
    #[must_use]
    pub const fn head_channels(&self) -> usize {
        self.channels / self.heads
    }

    /// Channels whose number a score is divided by the root of, where it is.
    #[must_use]
    pub const fn scaling_channels(&self) -> usize {
        match self.kind {
            AttentionKind::MultiAxis(_) => self.channels,
            _ => self.head_channels(),
        }
    }

    /// The windows it runs in, unless it sees everything.
    #[must_use]
    pub const fn partition(&self) -> Option<Partition> {
        match self.kind {
            AttentionKind::Multihead | AttentionKind::Fused => None,
            AttentionKind::Windowed(p) | AttentionKind::Cosine(p) | AttentionKind::MultiAxis(p) => {
                Some(p)
            }
        }
    }

    /// The offsets that have biases.
    #[must_use]
    pub fn offsets(&self) -> Option<Offsets> {
        self.partition().map(|p| Offsets { window: p.window })
    }
}

/// Linear layers of an attention that differ from an ordinary one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Projection {
    /// Queries, keys and values of `nn.MultiheadAttention`, which owns the tensors itself:
    /// `in_proj_weight` and `in_proj_bias`.
    MultiheadIn,
    /// The result of `nn.MultiheadAttention`.
    MultiheadOut,
    /// Queries, keys and values of Swin v2: the bias of the keys is stored, but never used.
    Keyless,
}
