//! Decoders: node states to blocks of weights and to vectors, and back.

mod vectors;
mod weights;

pub(super) use vectors::{VectorBatch, VectorDecoder, Vectors};
pub(super) use weights::{BlocksTape, ClassTape, WeightDecoder};
