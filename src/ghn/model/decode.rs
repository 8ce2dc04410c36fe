//! Decoders: node states to blocks of weights and to vectors.
//!
//! Letters: `n` nodes, `C` width of a state, `O`/`I` channels out/in, `P` kernel positions,
//! `M` the largest block, `K` the GHN's classes.

use super::super::GhnError;
use super::config::{Config, Decoder, HyperNet};
use super::dense::{Dense, relu};
use super::plan::BlockShape;
use super::tile::resized;
use super::weights::Weights;

type Computed = Result<Vec<f32>, candle_core::Error>;

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
            config: config.clone(),
            layers,
            classes,
        })
    }

    /// Decodes a block for each state: `[n, P, O, I]`. Kernels larger than the decoder's are decoded
    /// at its size and stretched.
    pub fn blocks(&self, states: &[f32], shape: BlockShape) -> Computed {
        let [_, _, h, w] = self.config.max_shape;
        let kernel = self.config.decoded_kernel(shape.kernel);
        let decoded = BlockShape { kernel, ..shape };
        let values = match &self.layers {
            Layers::Conv {
                planes,
                widen,
                block,
            } => {
                let part = self.part(planes, kernel);
                let rows = self.rows(shape.outputs, shape.inputs);
                positionwise(states, &part, widen, &block.rows(rows))?
            }
            Layers::Mlp { hidden, block } => {
                let mut x = hidden.apply(states)?;
                relu(&mut x);
                let positions = h * w;
                let rows = self.positions(kernel).flat_map(|p| {
                    let rows = self.rows(shape.outputs, shape.inputs);
                    rows.map(move |r| r * positions + p)
                });
                block.rows(rows).apply(&x)?
            }
        };
        if kernel == shape.kernel {
            return Ok(values);
        }
        let stretched = values
            .chunks_exact(decoded.len())
            .flat_map(|block| resized(block, kernel, shape.kernel));
        Ok(stretched.collect())
    }

    /// Decodes the classifier's weight for each state: `[n, 1, K, I]`.
    pub fn class_blocks(&self, states: &[f32], shape: BlockShape) -> Computed {
        match &self.layers {
            Layers::Conv { .. } => {
                let outputs = self.config.max_shape[0];
                let block = BlockShape { outputs, ..shape };
                let mut x = self.blocks(states, block)?;
                relu(&mut x);
                let weights = x.chunks_exact(block.len()).map(|block| {
                    // `[O, I]` to `[I, O]`, through the layer to `[I, K]`, and back to `[K, I]`.
                    let turned = transposed(block, shape.inputs);
                    let classes = self.classes.apply(&turned)?;
                    Ok(transposed(&classes, self.config.num_classes))
                });
                Ok(weights
                    .collect::<Result<Vec<_>, candle_core::Error>>()?
                    .concat())
            }
            Layers::Mlp { hidden, .. } => {
                let mut x = hidden.apply(states)?;
                relu(&mut x);
                let width = self.config.max_shape[0];
                let rows = (0..self.config.num_classes)
                    .flat_map(|k| (0..shape.inputs).map(move |i| k * width + i));
                self.classes.rows(rows).apply(&x)
            }
        }
    }

    /// Rows of the last layer that give `[:outputs, :inputs]` of the largest block.
    fn rows(&self, outputs: usize, inputs: usize) -> impl Iterator<Item = usize> + use<> {
        let width = self.config.max_shape[1];
        (0..outputs).flat_map(move |o| (0..inputs).map(move |i| o * width + i))
    }

    /// Places of a kernel in the largest block's plane, row by row: the top left corner, or the middle in
    /// GHN-3.
    fn positions(&self, kernel: [usize; 2]) -> impl Iterator<Item = usize> + use<> {
        let [_, _, h, w] = self.config.max_shape;
        let is_middle = matches!(self.config.hypernet, HyperNet::Graphormer { .. });
        let start = |side: usize, kernel: usize| {
            if is_middle {
                (side / 2).saturating_sub(kernel / 2)
            } else {
                0
            }
        };
        let [top, left] = [start(h, kernel[0]), start(w, kernel[1])];
        let [height, width] = kernel;
        (top..top + height).flat_map(move |y| (left..left + width).map(move |x| y * w + x))
    }

    /// The first layer reduced to the positions of a kernel; outputs are `[P, 4 C]`.
    fn part(&self, planes: &Dense, kernel: [usize; 2]) -> Dense {
        let [_, _, h, w] = self.config.max_shape;
        let channels = planes.outputs / (h * w);
        planes.rows(
            self.positions(kernel)
                .flat_map(|p| (0..channels).map(move |channel| channel * h * w + p)),
        )
    }
}

/// The conv decoder's three layers; the last two work at each position alone.
fn positionwise(states: &[f32], planes: &Dense, widen: &Dense, block: &Dense) -> Computed {
    let mut x = planes.apply(states)?;
    relu(&mut x);
    let mut x = widen.apply(&x)?;
    relu(&mut x);
    block.apply(&x)
}

/// A matrix with `columns` columns, transposed.
fn transposed(matrix: &[f32], columns: usize) -> Vec<f32> {
    let rows = matrix.len() / columns;
    let mut turned = Vec::with_capacity(matrix.len());
    for c in 0..columns {
        turned.extend((0..rows).map(|r| matrix[r * columns + c]));
    }
    turned
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
    pub fn vectors(&self, states: &[f32]) -> Result<VectorBatch, candle_core::Error> {
        let [first, second] = &self.layers;
        let mut x = first.apply(states)?;
        relu(&mut x);
        Ok(VectorBatch {
            length: second.outputs / 2,
            values: second.apply(&x)?,
        })
    }

    /// The classifier's bias among them, one entry per class of the GHN.
    pub fn class_bias(&self, vectors: Vectors) -> Computed {
        let mut x = vectors.bias.to_vec();
        relu(&mut x);
        self.classes.apply(&x)
    }
}
