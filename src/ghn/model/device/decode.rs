//! Decoders on a device: states to blocks and vectors.
//!
//! Letters: `n` nodes, `C` width of a state, `O`/`I` channels out/in, `P` kernel positions.

mod conv;
mod lowrank;
mod mlp;
mod vectors;

use super::super::config::Config;
use super::super::decode::{self, Kind};
use super::super::plan::BlockShape;
use crate::nn::DeviceError;
use crate::nn::arrays::{Array, Arrays, Tiling, View};
use conv::ConvDecoder;
use lowrank::LowRankDecoder;
use mlp::MlpDecoder;

pub(super) use vectors::VectorDecoder;

/// Values that a decoder may need at once, in all its steps; more nodes than fit are decoded one part after
/// another. Tests have small GHNs, and parts all the same.
const MOST_VALUES: usize = if cfg!(test) { 1 << 14 } else { 1 << 28 };

/// Decodes weights.
#[derive(Debug)]
pub(super) struct WeightDecoder {
    config: Config,
    kind: DeviceKind,
}

#[derive(Debug)]
enum DeviceKind {
    Conv(ConvDecoder),
    Mlp(MlpDecoder),
    LowRank(LowRankDecoder),
}

/// Decoded blocks of some nodes.
#[derive(Debug)]
pub(super) struct Blocks {
    values: Array,
    /// Values of a node.
    per_node: usize,
    /// Outputs, inputs, height, width of a block, whose kernel may be smaller than the weight's.
    sides: [usize; 4],
    /// Values from one output, input, line, position to the next.
    strides: [usize; 4],
}

impl Blocks {
    /// The block of a node.
    pub fn of(&self, node: usize) -> View {
        let view = self.values.view();
        view.part(node * self.per_node, self.per_node)
    }

    /// How a weight `[out, in, height, width]` is made from one.
    pub const fn tiling(&self, weight: [usize; 4]) -> Tiling {
        Tiling {
            block: self.sides,
            strides: self.strides,
            weight,
            channels_last: false,
        }
    }
}

impl WeightDecoder {
    pub fn keep(from: &decode::WeightDecoder, arrays: &mut Arrays) -> Result<Self, DeviceError> {
        Ok(Self {
            config: from.config,
            kind: match &from.kind {
                Kind::Conv(decoder) => DeviceKind::Conv(ConvDecoder::keep(decoder, arrays)?),
                Kind::Mlp(decoder) => DeviceKind::Mlp(MlpDecoder::keep(decoder, arrays)?),
                Kind::LowRank(decoder) => {
                    DeviceKind::LowRank(LowRankDecoder::keep(decoder, arrays)?)
                }
            },
        })
    }

    /// How many nodes can be decoded in one go.
    pub fn most_nodes(&self, shape: BlockShape) -> usize {
        let shape = self.decoded(shape);
        let per_node = match &self.kind {
            DeviceKind::Conv(decoder) => decoder.values_per_node(shape),
            DeviceKind::Mlp(decoder) => decoder.values_per_node(shape),
            DeviceKind::LowRank(decoder) => decoder.values_per_node(shape),
        };
        (MOST_VALUES / per_node).max(1)
    }

    /// Decodes a block for each state `[n, C]`. Kernels larger than the decoder's come at its size.
    pub fn blocks(
        &self,
        states: View,
        shape: BlockShape,
        arrays: &mut Arrays,
    ) -> Result<Blocks, DeviceError> {
        let shape = self.decoded(shape);
        match &self.kind {
            DeviceKind::Conv(decoder) => decoder.blocks(states, shape, arrays),
            DeviceKind::Mlp(decoder) => decoder.blocks(states, shape, arrays),
            DeviceKind::LowRank(decoder) => decoder.blocks(states, shape, arrays),
        }
    }

    /// Decodes the classifier's weight from one state.
    pub fn class_block(
        &self,
        state: View,
        shape: BlockShape,
        arrays: &mut Arrays,
    ) -> Result<Blocks, DeviceError> {
        match &self.kind {
            DeviceKind::Conv(decoder) => decoder.class_block(state, shape, arrays),
            DeviceKind::Mlp(decoder) => decoder.class_block(state, shape, arrays),
            DeviceKind::LowRank(decoder) => decoder.blocks(state, shape, arrays),
        }
    }

    fn decoded(&self, shape: BlockShape) -> BlockShape {
        BlockShape {
            kernel: self.config.decoded_kernel(shape.kernel),
            ..shape
        }
    }
}

/// The outputs of a layer that makes `channels` planes of `[height, width]`, with positions first: rows of a
/// kernel become neighbours.
fn positions_first(channels: usize, plane: usize) -> Vec<usize> {
    let of_position = |p: usize| (0..channels).map(move |c| c * plane + p);
    (0..plane).flat_map(of_position).collect()
}
