//! Decoders: node states to blocks of weights and to vectors.
//!
//! Letters: `n` nodes, `C` width of a state, `O`/`I` channels out/in, `P` kernel positions,
//! `M` the largest block, `K` the GHN's classes.

use super::super::GhnError;
use super::config::{Config, Decoder, HyperNet};
use super::dense::{Dense, relu, spread, transposed};
use super::plan::BlockShape;
use super::tile::resized;
use super::weights::Weights;
use crate::nn::matmul::{Fill, View, ViewMut, multiply};

/// Decodes weights.
#[derive(Clone, Debug)]
pub(super) struct WeightDecoder {
    config: Config,
    layers: Layers,
    /// From a block's outputs to classes.
    classes: Dense,
}

#[derive(Clone, Debug)]
enum Layers {
    /// A plane of positions from the state, then two layers at each position.
    Conv {
        planes: Dense,
        widen: Dense,
        block: Dense,
    },
    /// The whole block at once.
    Mlp { hidden: Dense, block: Dense },
}

impl WeightDecoder {
    pub fn new(config: &Config, weights: &Weights) -> Result<Self, GhnError> {
        let (c, k) = (config.hid, config.num_classes);
        let [out, input, h, w] = config.max_shape;
        let name = "decoder.class_layer_predictor.1";
        let (layers, classes) = match config.decoder {
            Decoder::Conv => (
                Layers::Conv {
                    planes: weights.dense("decoder.fc.0", 4 * c * h * w, c)?,
                    widen: weights.dense("decoder.conv.0", 8 * c, 4 * c)?,
                    block: weights.dense("decoder.conv.2", out * input, 8 * c)?,
                },
                weights.dense(name, k, out)?,
            ),
            Decoder::Mlp => (
                Layers::Mlp {
                    hidden: weights.dense("decoder.mlp.fc.0", 2 * c, c)?,
                    block: weights.dense("decoder.mlp.fc.2", out * input * h * w, 2 * c)?,
                },
                weights.dense(name, k * out, 2 * c)?,
            ),
        };
        Ok(Self {
            config: *config,
            layers,
            classes,
        })
    }

    /// Decodes a block for each state `[n, C]`: `[O, I, P, n]`. Kernels larger than the decoder's are decoded
    /// at its size and stretched.
    pub fn blocks(&self, states: &[f32], shape: BlockShape) -> Vec<f32> {
        let kernel = self.config.decoded_kernel(shape.kernel);
        let columns = transposed(states, self.config.hid);
        let values = match &self.layers {
            Layers::Conv {
                planes,
                widen,
                block,
            } => {
                let mut x = self.planes(planes, &columns, kernel);
                relu(&mut x);
                let mut x = widen.apply_to_columns(&x);
                relu(&mut x);
                let width = self.config.max_shape[1];
                block.apply_groups(&x, [shape.outputs, shape.inputs], |o| o * width)
            }
            Layers::Mlp { hidden, block } => {
                let mut x = hidden.apply_to_columns(&columns);
                relu(&mut x);
                self.whole_block(block, &x, shape, kernel)
            }
        };
        if kernel == shape.kernel {
            return values;
        }
        let plane = values.len() / (shape.outputs * shape.inputs);
        let planes = values.chunks_exact(plane);
        planes
            .flat_map(|plane| resized(plane, kernel, shape.kernel))
            .collect()
    }

    /// The first layer at the positions of a kernel, from `[C, n]` to `[4 C, P, n]`: its rows are positions
    /// within channels.
    fn planes(&self, layer: &Dense, states: &[f32], kernel: [usize; 2]) -> Vec<f32> {
        let [_, _, h, w] = self.config.max_shape;
        let channels = layer.outputs / (h * w);
        let n = states.len() / layer.inputs;
        let positions = || self.positions(kernel);
        let biases = (0..channels).flat_map(|c| positions().map(move |p| c * h * w + p));
        let mut x = spread(biases.map(|row| &layer.bias[row]), n);
        let columns = positions().count() * n;
        let states = View::dense(states, layer.inputs, n);
        let mut out = ViewMut::dense(&mut x, channels, columns);
        for (i, position) in positions().enumerate() {
            let rows = layer.rows(position, channels, h * w);
            let mut out = out.cols(i * n..(i + 1) * n);
            multiply(&mut out, rows, states, Fill::Accumulate);
        }
        x
    }

    /// The MLP decoder's last layer, whose rows are positions within inputs within outputs: from `[2 C, n]` to
    /// `[O, I, P, n]`.
    fn whole_block(
        &self,
        layer: &Dense,
        x: &[f32],
        shape: BlockShape,
        kernel: [usize; 2],
    ) -> Vec<f32> {
        let [_, inputs, h, w] = self.config.max_shape;
        let [top, left] = self.corner(kernel);
        let [height, width] = kernel;
        // A row of positions for each output, input and line of the kernel.
        let first = |line: usize| {
            let (channel, y) = (line / height, line % height);
            let (o, i) = (channel / shape.inputs, channel % shape.inputs);
            ((o * inputs + i) * h + top + y) * w + left
        };
        let lines = shape.outputs * shape.inputs * height;
        layer.apply_groups(x, [lines, width], first)
    }

    /// Decodes the classifier's weight from one state: `[K, I]`.
    pub fn class_block(&self, state: &[f32], shape: BlockShape) -> Vec<f32> {
        match &self.layers {
            Layers::Conv { .. } => {
                let outputs = self.config.max_shape[0];
                let mut x = self.blocks(state, BlockShape { outputs, ..shape });
                relu(&mut x);
                self.classes.apply_to_columns(&x)
            }
            Layers::Mlp { hidden, .. } => {
                let mut x = hidden.apply(state);
                relu(&mut x);
                let width = self.config.max_shape[0];
                let groups = [shape.outputs, shape.inputs];
                self.classes.apply_groups(&x, groups, |k| k * width)
            }
        }
    }

    /// Where a kernel lies in the largest block's plane: in the top left corner, or in the middle in GHN-3.
    fn corner(&self, kernel: [usize; 2]) -> [usize; 2] {
        let [_, _, h, w] = self.config.max_shape;
        if matches!(self.config.hypernet, HyperNet::Graphormer { .. }) {
            let start = |side: usize, kernel: usize| (side / 2).saturating_sub(kernel / 2);
            [start(h, kernel[0]), start(w, kernel[1])]
        } else {
            [0, 0]
        }
    }

    /// Places of a kernel's values in that plane, row by row.
    fn positions(&self, kernel: [usize; 2]) -> impl Iterator<Item = usize> + use<> {
        let width = self.config.max_shape[3];
        let [top, left] = self.corner(kernel);
        let across = left..left + kernel[1];
        (top..top + kernel[0]).flat_map(move |y| across.clone().map(move |x| y * width + x))
    }
}

/// Decodes norms and biases.
#[derive(Clone, Debug)]
pub(super) struct VectorDecoder {
    layers: [Dense; 2],
    classes: Dense,
}

/// A node's two vectors: the weight of a norm, and any bias.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vectors<'a> {
    pub weight: &'a [f32],
    pub bias: &'a [f32],
}

/// Vectors of some nodes, `[n, 2, L]`.
#[derive(Clone, Debug)]
pub(super) struct VectorBatch {
    length: usize,
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

    /// Vectors of the longest length that is decoded in one piece.
    pub fn vectors(&self, states: &[f32]) -> VectorBatch {
        let [first, second] = &self.layers;
        let mut x = first.apply(states);
        relu(&mut x);
        VectorBatch {
            length: second.outputs / 2,
            values: second.apply(&x),
        }
    }

    /// The classifier's bias among them, one entry per class of the GHN.
    pub fn class_bias(&self, vectors: Vectors) -> Vec<f32> {
        let mut x = vectors.bias.to_vec();
        relu(&mut x);
        self.classes.apply(&x)
    }
}
