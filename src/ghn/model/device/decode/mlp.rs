//! Whole blocks at once, on a device.
//!
//! Letters: `n` nodes, `C` width of a state, `P` kernel positions, `K` classes.

use super::super::super::config::Config;
use super::super::super::decode::mlp;
use super::super::super::plan::BlockShape;
use super::super::dense::Dense;
use super::{Blocks, positions_first};
use crate::arch::Activation;
use crate::nn::DeviceError;
use crate::nn::arrays::{Arrays, View};

#[derive(Debug)]
pub(super) struct MlpDecoder {
    config: Config,
    hidden: Dense,
    /// To all positions of the largest kernel, with all channels of the largest block each.
    block: Dense,
    classes: Dense,
}

impl MlpDecoder {
    pub fn keep(from: &mlp::MlpDecoder, arrays: &mut Arrays) -> Result<Self, DeviceError> {
        let [out, input, h, w] = from.config.max_shape;
        let order = positions_first(out * input, h * w);
        Ok(Self {
            config: from.config,
            hidden: Dense::keep(&from.hidden, arrays)?,
            block: Dense::keep_in_order(&from.block, &order, arrays)?,
            classes: Dense::keep(&from.classes, arrays)?,
        })
    }

    pub const fn values_per_node(&self, shape: BlockShape) -> usize {
        let [out, input, ..] = self.config.max_shape;
        2 * self.config.hid + shape.kernel[0] * shape.kernel[1] * out * input
    }

    /// All channels of the largest block at the kernel's positions, `[n, P, channels]`: the layer is small, and
    /// so more is made than is needed.
    pub fn blocks(
        &self,
        states: View,
        shape: BlockShape,
        arrays: &mut Arrays,
    ) -> Result<Blocks, DeviceError> {
        let hidden = self.hidden.activated(states, Activation::Relu, arrays)?;
        let [out, input, ..] = self.config.max_shape;
        let [height, width] = shape.kernel;
        let channels = out * input;
        let line = width * channels;
        let (layer, seen) = (&self.block, hidden.view());
        Ok(Blocks {
            values: layer.apply_middle(seen, &self.config, shape.kernel, arrays)?,
            per_node: height * line,
            sides: [shape.outputs, shape.inputs, height, width],
            strides: [input, 1, line, channels],
        })
    }

    /// The classifier's weight, `[K, all inputs]`.
    pub fn class_block(
        &self,
        state: View,
        shape: BlockShape,
        arrays: &mut Arrays,
    ) -> Result<Blocks, DeviceError> {
        let hidden = self.hidden.activated(state, Activation::Relu, arrays)?;
        Ok(Blocks {
            values: self.classes.apply(hidden.view(), arrays)?,
            per_node: self.classes.outputs,
            sides: [shape.outputs, shape.inputs, 1, 1],
            strides: [self.config.max_shape[0], 1, 0, 0],
        })
    }
}
