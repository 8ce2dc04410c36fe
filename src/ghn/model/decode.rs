//! Decoders: node states to blocks of weights and to vectors, and back.

mod blocks;
pub(super) mod conv;
pub(super) mod lowrank;
pub(super) mod mlp;
mod vectors;
mod weights;

pub(super) use blocks::Blocks;
pub(super) use vectors::{VectorBatch, VectorDecoder, Vectors};
pub(super) use weights::{Kind, Tape, WeightDecoder};
