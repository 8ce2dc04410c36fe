//! Layers on a device. Letters: `n` rows, `I` inputs, `O` outputs.

use std::ops::Range;

use super::super::config::Config;
use super::super::decode::conv::corner;
use super::super::dense;
use crate::arch::Activation;
use crate::nn::DeviceError;
use crate::nn::arrays::{Array, Arrays, Matrix, Product, View};

/// A fully connected layer: `weight` is `[O, I]`, `bias` is `[O]`.
#[derive(Debug)]
pub(super) struct Dense {
    pub inputs: usize,
    pub outputs: usize,
    pub weight: Array,
    pub bias: Option<Array>,
}

impl Dense {
    pub fn keep(layer: &dense::Dense, arrays: &mut Arrays) -> Result<Self, DeviceError> {
        let bias = layer.bias.as_ref().map(|bias| arrays.keep(bias));
        Ok(Self {
            inputs: layer.inputs,
            outputs: layer.outputs,
            bias: bias.transpose()?,
            weight: arrays.keep(&layer.weight)?,
        })
    }

    /// The layer with its outputs in another order: output `i` is the original's output `order[i]`.
    pub fn keep_in_order(
        layer: &dense::Dense,
        order: &[usize],
        arrays: &mut Arrays,
    ) -> Result<Self, DeviceError> {
        let row = |output: &usize| &layer.weight[output * layer.inputs..][..layer.inputs];
        let weight: Vec<f32> = order.iter().flat_map(row).copied().collect();
        let in_order = |bias: &[f32]| order.iter().map(|output| bias[*output]).collect();
        let bias: Option<Vec<f32>> = layer.bias.as_ref().map(|bias| in_order(bias));
        Ok(Self {
            inputs: layer.inputs,
            outputs: layer.outputs,
            bias: bias.map(|bias| arrays.keep(&bias)).transpose()?,
            weight: arrays.keep(&weight)?,
        })
    }

    /// From `x [n, I]` to `[n, O]`.
    pub fn apply(&self, x: View, arrays: &mut Arrays) -> Result<Array, DeviceError> {
        let rows = x.values / self.inputs;
        let out = arrays.take(rows * self.outputs)?;
        let to = out.view().matrix(self.outputs);
        self.apply_some(x.matrix(self.inputs), 0..self.outputs, rows, to, arrays)?;
        Ok(out)
    }

    /// The same with an activation behind it.
    pub fn activated(
        &self,
        x: View,
        activation: Activation,
        arrays: &mut Arrays,
    ) -> Result<Array, DeviceError> {
        let out = self.apply(x, arrays)?;
        arrays.activate(activation, out.view())?;
        Ok(out)
    }

    /// Of a layer whose outputs are `channels` values at each position of the largest kernel, those at the middle
    /// of it, as many as `kernel` has: from `x [n, I]` to `[n, P, channels]`, a product for each line.
    pub fn apply_middle(
        &self,
        x: View,
        config: &Config,
        kernel: [usize; 2],
        arrays: &mut Arrays,
    ) -> Result<Array, DeviceError> {
        let [_, _, most_lines, side] = config.max_shape;
        let channels = self.outputs / (most_lines * side);
        let nodes = x.values / self.inputs;
        let [height, width] = kernel;
        let [top, left] = corner(config, kernel);
        let line = width * channels;
        let out = arrays.take(nodes * height * line)?;
        for y in 0..height {
            let first = ((top + y) * side + left) * channels;
            let to = out.view().from(y * line).matrix(height * line);
            let x = x.matrix(self.inputs);
            self.apply_some(x, first..first + line, nodes, to, arrays)?;
        }
        Ok(out)
    }

    /// Neighbouring outputs alone, for each of the `rows` of `x`, into those of `out`.
    pub fn apply_some(
        &self,
        x: Matrix,
        outputs: Range<usize>,
        rows: usize,
        out: Matrix,
        arrays: &mut Arrays,
    ) -> Result<(), DeviceError> {
        let weight = self.weight.view().from(outputs.start * self.inputs);
        let bias = self.bias.as_ref();
        arrays.multiply(&Product {
            rows,
            columns: outputs.len(),
            inner: self.inputs,
            count: 1,
            factor: 1.0,
            a: x,
            b: weight.matrix(self.inputs).transposed(),
            out,
            bias: bias.map(|bias| bias.view().from(outputs.start).address),
            add: false,
        })
    }
}

/// Layer norm over the last dimension.
#[derive(Debug)]
pub(super) struct LayerNorm {
    weight: Array,
    bias: Array,
}

impl LayerNorm {
    pub fn keep(norm: &dense::LayerNorm, arrays: &mut Arrays) -> Result<Self, DeviceError> {
        Ok(Self {
            weight: arrays.keep(&norm.weight)?,
            bias: arrays.keep(&norm.bias)?,
        })
    }

    pub fn apply(&self, x: View, arrays: &mut Arrays) -> Result<Array, DeviceError> {
        let parameters = [self.weight.view(), self.bias.view()];
        arrays.layer_norm(x, parameters, dense::EPS as f32)
    }
}
