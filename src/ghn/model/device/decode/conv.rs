//! Blocks from a plane of kernel positions, on a device.
//!
//! Letters: `n` nodes, `C` width of a state, `O`/`I` channels out/in, `P` kernel positions, `K` classes. Where
//! the processor has a column for each position of each node, these arrays have a row: `[n, P, channels]`.

use super::super::super::config::Config;
use super::super::super::decode::conv;
use super::super::super::plan::BlockShape;
use super::super::dense::Dense;
use super::{Blocks, positions_first};
use crate::arch::Activation;
use crate::nn::DeviceError;
use crate::nn::arrays::{Array, Arrays, Product, View};

#[derive(Debug)]
pub(super) struct ConvDecoder {
    config: Config,
    /// From a state to all positions of the largest kernel, `[positions, 4 C]`.
    planes: Dense,
    widen: Dense,
    block: Dense,
    classes: Dense,
}

impl ConvDecoder {
    pub fn keep(from: &conv::ConvDecoder, arrays: &mut Arrays) -> Result<Self, DeviceError> {
        let [_, _, h, w] = from.config.max_shape;
        let order = positions_first(4 * from.config.hid, h * w);
        Ok(Self {
            config: from.config,
            planes: Dense::keep_in_order(&from.planes, &order, arrays)?,
            widen: Dense::keep(&from.widen, arrays)?,
            block: Dense::keep(&from.block, arrays)?,
            classes: Dense::keep(&from.classes, arrays)?,
        })
    }

    /// All its steps together.
    pub const fn values_per_node(&self, shape: BlockShape) -> usize {
        let channels = 12 * self.config.hid + shape.outputs * shape.inputs;
        shape.kernel[0] * shape.kernel[1] * channels
    }

    pub fn blocks(
        &self,
        states: View,
        shape: BlockShape,
        arrays: &mut Arrays,
    ) -> Result<Blocks, DeviceError> {
        let planes = &self.planes;
        let plane = planes.apply_middle(states, &self.config, shape.kernel, arrays)?;
        arrays.activate(Activation::Relu, plane.view())?;
        let wide = self
            .widen
            .activated(plane.view(), Activation::Relu, arrays)?;
        let BlockShape {
            outputs,
            inputs,
            kernel: [height, width],
        } = shape;
        let channels = outputs * inputs;
        Ok(Blocks {
            values: self.channels(wide.view(), [outputs, inputs], arrays)?,
            per_node: height * width * channels,
            sides: [outputs, inputs, height, width],
            strides: [inputs, 1, width * channels, channels],
        })
    }

    /// The classifier's weight, `[I, K]`.
    pub fn class_block(
        &self,
        state: View,
        shape: BlockShape,
        arrays: &mut Arrays,
    ) -> Result<Blocks, DeviceError> {
        let (outputs, inputs) = (self.config.max_shape[0], shape.inputs);
        let whole = BlockShape { outputs, ..shape };
        let block = self.blocks(state, whole, arrays)?.values;
        arrays.activate(Activation::Relu, block.view())?;
        let classes = self.classes.outputs;
        let values = arrays.take(inputs * classes)?;
        let seen = block.view().matrix(inputs).transposed();
        let to = values.view().matrix(classes);
        let layer = &self.classes;
        layer.apply_some(seen, 0..classes, inputs, to, arrays)?;
        Ok(Blocks {
            values,
            per_node: inputs * classes,
            sides: [classes, inputs, 1, 1],
            strides: [1, classes, 0, 0],
        })
    }

    /// The last layer for a block of `[O, I]` channels: from `[rows, 8 C]` to `[rows, O, I]`.
    fn channels(
        &self,
        x: View,
        [outputs, inputs]: [usize; 2],
        arrays: &mut Arrays,
    ) -> Result<Array, DeviceError> {
        let (layer, most) = (&self.block, self.config.max_shape[1]);
        let rows = x.values / layer.inputs;
        let channels = outputs * inputs;
        let out = arrays.take(rows * channels)?;
        let (from, to) = (x.matrix(layer.inputs), out.view().matrix(channels));
        if inputs == most {
            layer.apply_some(from, 0..channels, rows, to, arrays)?;
            return Ok(out);
        }
        // An output's inputs are neighbours, but outputs are not: a product for each of them.
        let weight = layer.weight.view().matrix(layer.inputs).transposed();
        arrays.multiply(&Product {
            rows,
            columns: inputs,
            inner: layer.inputs,
            count: outputs,
            factor: 1.0,
            a: from,
            b: weight.every(most * layer.inputs),
            out: to.every(inputs),
            bias: None,
            add: false,
        })?;
        if let Some(bias) = &layer.bias {
            let bias = arrays.corner(bias.view(), most, [outputs, inputs])?;
            arrays.add_bias(out.view(), bias.view())?;
        }
        Ok(out)
    }
}
