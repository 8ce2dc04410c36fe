//! Decoders: node states to blocks of weights and to vectors, and back.

mod conv;
mod lowrank;
mod mlp;
mod vectors;
mod weights;

pub(super) use vectors::{VectorBatch, VectorDecoder, Vectors};
pub(super) use weights::{Tape, WeightDecoder};
