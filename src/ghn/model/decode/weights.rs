//! Node states to blocks of weights, and back.
//!
//! Letters: `n` nodes, `C` width of a state, `O`/`I` channels out/in, `P` kernel positions,
//! `K` the GHN's classes.

use super::super::super::GhnError;
use super::super::config::{Config, Decoder};
use super::super::plan::BlockShape;
use super::super::tile::{resized, through_resized};
use super::super::weight::Weight;
use super::super::weights::Weights;
use super::blocks::Blocks;
use super::conv::ConvDecoder;
use super::lowrank::LowRankDecoder;
use super::mlp::MlpDecoder;

/// Decodes weights.
#[derive(Clone, Debug)]
pub struct WeightDecoder {
    pub config: Config,
    pub kind: Kind,
}

/// A decoder of either kind.
#[derive(Clone, Debug)]
pub enum Kind {
    Conv(ConvDecoder),
    Mlp(MlpDecoder),
    LowRank(LowRankDecoder),
}

/// What the way back from some blocks needs: what each layer saw.
#[derive(Clone, Debug)]
pub struct Tape(pub(super) Vec<Vec<f32>>);

impl WeightDecoder {
    pub fn new(config: &Config, weights: &Weights) -> Result<Self, GhnError> {
        let kind = match config.decoder {
            Decoder::Conv => Kind::Conv(ConvDecoder::new(config, weights)?),
            Decoder::Mlp => Kind::Mlp(MlpDecoder::new(config, weights)?),
            Decoder::LowRank { rank, spread } => {
                Kind::LowRank(LowRankDecoder::new(config, rank, spread, weights)?)
            }
        };
        Ok(Self {
            config: *config,
            kind,
        })
    }

    /// Its tensors.
    pub fn list<'a>(&'a mut self, all: &mut Vec<&'a mut Weight>) {
        match &mut self.kind {
            Kind::Conv(decoder) => decoder.list(all),
            Kind::Mlp(decoder) => decoder.list(all),
            Kind::LowRank(decoder) => decoder.list(all),
        }
    }

    /// Blocks for states `[n, C]`, or the classifier's for one state, if possible not before they are asked for.
    pub fn decode(
        &self,
        states: &[f32],
        shape: BlockShape,
        classifies: bool,
    ) -> (Blocks<'_>, Tape) {
        let (values, tape) = match &self.kind {
            _ if classifies => self.class_block(states, shape),
            Kind::Conv(decoder) if self.decoded(shape) == shape => {
                let (last, tape) = decoder.until_last(states, shape);
                return (Blocks::ByOutput(last), tape);
            }
            _ => self.blocks(states, shape),
        };
        let per_output = values.len() / shape.outputs;
        (Blocks::Whole(values, per_output), tape)
    }

    /// Decodes a block for each state `[n, C]`: `[O, I, P, n]`. Kernels larger than the decoder's are decoded
    /// at its size and stretched.
    pub fn blocks(&self, states: &[f32], shape: BlockShape) -> (Vec<f32>, Tape) {
        let decoded = self.decoded(shape);
        let (values, tape) = match &self.kind {
            Kind::Conv(decoder) => decoder.blocks(states, decoded),
            Kind::Mlp(decoder) => decoder.blocks(states, decoded),
            Kind::LowRank(decoder) => decoder.blocks(states, decoded),
        };
        if decoded == shape {
            return (values, tape);
        }
        let plane = values.len() / (shape.outputs * shape.inputs);
        let planes = values.chunks_exact(plane);
        let stretched = planes.flat_map(|plane| resized(plane, decoded.kernel, shape.kernel));
        (stretched.collect(), tape)
    }

    /// The way back of [`WeightDecoder::blocks`]: from the derivatives by the blocks, `[O, I, P, n]`, to those
    /// by the states, `[n, C]`; those by the decoder's weights are added to `gradient`.
    pub fn back_from_blocks(
        &self,
        Tape(tape): &Tape,
        shape: BlockShape,
        by_blocks: Vec<f32>,
        gradient: &mut Self,
    ) -> Vec<f32> {
        let decoded = self.decoded(shape);
        let by_blocks = if decoded == shape {
            by_blocks
        } else {
            let plane = by_blocks.len() / (shape.outputs * shape.inputs);
            let planes = by_blocks.chunks_exact(plane);
            let shrunk =
                planes.flat_map(|plane| through_resized(plane, decoded.kernel, shape.kernel));
            shrunk.collect()
        };
        let by = &by_blocks;
        match (&self.kind, &mut gradient.kind) {
            (Kind::Conv(decoder), Kind::Conv(sums)) => {
                decoder.back_from_blocks(tape, decoded, by, sums)
            }
            (Kind::Mlp(decoder), Kind::Mlp(sums)) => {
                decoder.back_from_blocks(tape, decoded, by, sums)
            }
            (Kind::LowRank(decoder), Kind::LowRank(sums)) => {
                decoder.back_from_blocks(tape, decoded, by, sums)
            }
            _ => unreachable!("the gradient is this decoder's"),
        }
    }

    /// Decodes the classifier's weight from one state: `[K, I]`.
    pub fn class_block(&self, state: &[f32], shape: BlockShape) -> (Vec<f32>, Tape) {
        match &self.kind {
            Kind::Conv(decoder) => decoder.class_block(state, shape),
            Kind::Mlp(decoder) => decoder.class_block(state, shape),
            Kind::LowRank(decoder) => decoder.blocks(state, shape),
        }
    }

    /// The way back of [`WeightDecoder::class_block`].
    pub fn back_from_class_block(
        &self,
        Tape(tape): &Tape,
        shape: BlockShape,
        by_block: &[f32],
        gradient: &mut Self,
    ) -> Vec<f32> {
        match (&self.kind, &mut gradient.kind) {
            (Kind::Conv(decoder), Kind::Conv(sums)) => {
                decoder.back_from_class_block(tape, shape, by_block, sums)
            }
            (Kind::Mlp(decoder), Kind::Mlp(sums)) => {
                decoder.back_from_class_block(tape, shape, by_block, sums)
            }
            (Kind::LowRank(decoder), Kind::LowRank(sums)) => {
                decoder.back_from_blocks(tape, shape, by_block, sums)
            }
            _ => unreachable!("the gradient is this decoder's"),
        }
    }

    /// What the decoder makes of a block: it may be smaller than the kernel.
    fn decoded(&self, shape: BlockShape) -> BlockShape {
        BlockShape {
            kernel: self.config.decoded_kernel(shape.kernel),
            ..shape
        }
    }
}
