//! Node states to norms and biases, and back.
//!
//! Letters: `n` nodes, `C` width of a state, `L` the longest vector.

use super::super::super::GhnError;
use super::super::config::Config;
use super::super::dense::{Dense, add, relu, through_relu};
use super::super::weight::Weight;
use super::super::weights::Weights;

/// Decodes norms and biases.
#[derive(Clone, Debug)]
pub struct VectorDecoder {
    pub layers: [Dense; 2],
    pub classes: Dense,
}

/// A node's two vectors: the weight of a norm, and any bias.
#[derive(Clone, Copy, Debug)]
pub struct Vectors<'a> {
    pub weight: &'a [f32],
    pub bias: &'a [f32],
}

/// Vectors of some nodes, and what came before them.
#[derive(Clone, Debug)]
pub struct VectorBatch {
    length: usize,
    /// `[n, C]`.
    states: Vec<f32>,
    /// `[n, 2 C]`.
    hidden: Vec<f32>,
    /// `[n, 2, L]`.
    values: Vec<f32>,
}

impl VectorBatch {
    /// The vectors of the `index`-th node.
    pub fn of(&self, index: usize) -> Vectors<'_> {
        let start = 2 * index * self.length;
        let (weight, rest) = self.values[start..].split_at(self.length);
        Vectors {
            weight,
            bias: &rest[..self.length],
        }
    }

    /// Zeros for the derivatives by the vectors.
    pub fn zeros(&self) -> Vec<f32> {
        vec![0.0; self.values.len()]
    }

    /// Of such derivatives, those by the `index`-th node's vectors: by the weight, by the bias.
    pub fn split<'a>(&self, by: &'a mut [f32], index: usize) -> [&'a mut [f32]; 2] {
        let start = 2 * index * self.length;
        let (weight, rest) = by[start..].split_at_mut(self.length);
        [weight, &mut rest[..self.length]]
    }
}

impl VectorDecoder {
    pub fn new(config: &Config, weights: &Weights) -> Result<Self, GhnError> {
        let c = config.hid;
        let longest = config.max_shape[0].max(config.max_shape[1]);
        Ok(Self {
            layers: [
                weights.dense("decoder_1d.fc.0", 2 * c, c)?,
                weights.dense("decoder_1d.fc.2", 2 * longest, 2 * c)?,
            ],
            classes: weights.dense("bias_class.1", config.num_classes, longest)?,
        })
    }

    /// Its tensors.
    pub fn list<'a>(&'a mut self, all: &mut Vec<&'a mut Weight>) {
        let layers = self.layers.iter_mut().chain([&mut self.classes]);
        layers.for_each(|layer| layer.list(all));
    }

    /// Vectors of the longest length that is decoded in one piece.
    pub fn vectors(&self, states: Vec<f32>) -> VectorBatch {
        let [first, second] = &self.layers;
        let mut hidden = first.apply(&states);
        relu(&mut hidden);
        VectorBatch {
            length: second.outputs / 2,
            values: second.apply(&hidden),
            states,
            hidden,
        }
    }

    /// The way back of [`VectorDecoder::vectors`]: from the derivatives by the vectors, `[n, 2, L]`, to those by
    /// the states, `[n, C]`; those by the decoder's weights are added to `gradient`.
    pub fn back(&self, batch: &VectorBatch, by_values: &[f32], gradient: &mut Self) -> Vec<f32> {
        let [first, second] = &self.layers;
        let [by_first, by_second] = &mut gradient.layers;
        let mut by_hidden = second.back(&batch.hidden, by_values, by_second);
        through_relu(&mut by_hidden, &batch.hidden);
        first.back(&batch.states, &by_hidden, by_first)
    }

    /// The classifier's bias among them, one entry per class of the GHN.
    pub fn class_bias(&self, vectors: Vectors) -> Vec<f32> {
        let mut x = vectors.bias.to_vec();
        relu(&mut x);
        self.classes.apply(&x)
    }

    /// The way back of [`VectorDecoder::class_bias`]: adds to the derivatives by the vector.
    pub fn back_from_class_bias(
        &self,
        vectors: Vectors,
        by_classes: &[f32],
        by_vector: &mut [f32],
        gradient: &mut Self,
    ) {
        let mut x = vectors.bias.to_vec();
        relu(&mut x);
        let mut by_x = self.classes.back(&x, by_classes, &mut gradient.classes);
        through_relu(&mut by_x, &x);
        add(by_vector, &by_x);
    }
}
