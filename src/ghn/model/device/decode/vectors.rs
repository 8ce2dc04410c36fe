//! Node states to norms and biases, on a device.
//!
//! Letters: `n` nodes, `C` width of a state, `L` the longest vector.

use super::super::super::decode;
use super::super::dense::Dense;
use crate::arch::Activation;
use crate::nn::DeviceError;
use crate::nn::arrays::{Array, Arrays, View};

#[derive(Debug)]
pub(in super::super) struct VectorDecoder {
    layers: [Dense; 2],
    classes: Dense,
}

/// The two vectors of each of some nodes, `[n, 2, L]`.
pub(in super::super) struct Vectors {
    values: Array,
    length: usize,
}

impl Vectors {
    /// The weight of a norm.
    pub fn weight(&self, index: usize) -> View {
        let view = self.values.view();
        view.part(2 * index * self.length, self.length)
    }

    /// Any bias.
    pub fn bias(&self, index: usize) -> View {
        let view = self.values.view();
        view.part((2 * index + 1) * self.length, self.length)
    }
}

impl VectorDecoder {
    pub fn keep(from: &decode::VectorDecoder, arrays: &mut Arrays) -> Result<Self, DeviceError> {
        let [first, second] = &from.layers;
        Ok(Self {
            layers: [Dense::keep(first, arrays)?, Dense::keep(second, arrays)?],
            classes: Dense::keep(&from.classes, arrays)?,
        })
    }

    /// Vectors of the longest length that is decoded in one piece, from states `[n, C]`.
    pub fn vectors(&self, states: View, arrays: &mut Arrays) -> Result<Vectors, DeviceError> {
        let [first, second] = &self.layers;
        let hidden = first.activated(states, Activation::Relu, arrays)?;
        Ok(Vectors {
            values: second.apply(hidden.view(), arrays)?,
            length: second.outputs / 2,
        })
    }

    /// The classifier's bias from a node's second vector, one entry per class of the GHN.
    pub fn class_bias(&self, bias: View, arrays: &mut Arrays) -> Result<Array, DeviceError> {
        let seen = arrays.copy(bias)?;
        arrays.activate(Activation::Relu, seen.view())?;
        self.classes.apply(seen.view(), arrays)
    }
}
