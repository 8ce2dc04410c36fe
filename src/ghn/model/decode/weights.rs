//! Node states to blocks of weights, and back.
//!
//! Letters: `n` nodes, `C` width of a state, `O`/`I` channels out/in, `P` kernel positions,
//! `M` the largest block, `K` the GHN's classes.

use super::super::super::GhnError;
use super::super::config::{Config, Decoder, HyperNet};
use super::super::dense::{Dense, relu, through_relu};
use super::super::plan::BlockShape;
use super::super::tile::{resized, through_resized};
use super::super::weight::{Weight, transposed};
use super::super::weights::Weights;
use crate::nn::matmul::{Fill, View, ViewMut, multiply};

/// Decodes weights.
#[derive(Clone, Debug)]
pub struct WeightDecoder {
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

/// What the way back from some blocks needs: what each layer saw, column by column.
#[derive(Clone, Debug)]
pub struct BlocksTape(Vec<Vec<f32>>);

/// The same of a classifier's weight: what the decoder's layers saw, and what the class layer did.
#[derive(Clone, Debug)]
pub struct ClassTape {
    blocks: BlocksTape,
    seen: Vec<f32>,
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

    /// Its tensors.
    pub fn list<'a>(&'a mut self, all: &mut Vec<&'a mut Weight>) {
        match &mut self.layers {
            Layers::Conv {
                planes,
                widen,
                block,
            } => [planes, widen, block].into_iter().for_each(|l| l.list(all)),
            Layers::Mlp { hidden, block } => [hidden, block].into_iter().for_each(|l| l.list(all)),
        }
        self.classes.list(all);
    }

    /// Decodes a block for each state `[n, C]`: `[O, I, P, n]`. Kernels larger than the decoder's are decoded
    /// at its size and stretched.
    pub fn blocks(&self, states: &[f32], shape: BlockShape) -> (Vec<f32>, BlocksTape) {
        let kernel = self.config.decoded_kernel(shape.kernel);
        let columns = transposed(states, self.config.hid);
        let (values, seen) = match &self.layers {
            Layers::Conv {
                planes,
                widen,
                block,
            } => {
                let mut plane = self.planes(planes, &columns, kernel);
                relu(&mut plane);
                let mut wide = widen.apply_to_columns(&plane);
                relu(&mut wide);
                let groups = [shape.outputs, shape.inputs];
                let values = block.apply_groups(&wide, groups, |o| self.row(o));
                (values, vec![columns, plane, wide])
            }
            Layers::Mlp { hidden, block } => {
                let mut x = hidden.apply_to_columns(&columns);
                relu(&mut x);
                let lines = [shape.outputs * shape.inputs * kernel[0], kernel[1]];
                let values = block.apply_groups(&x, lines, |line| self.line(line, shape, kernel));
                (values, vec![columns, x])
            }
        };
        let tape = BlocksTape(seen);
        if kernel == shape.kernel {
            return (values, tape);
        }
        let plane = values.len() / (shape.outputs * shape.inputs);
        let planes = values.chunks_exact(plane);
        let stretched = planes.flat_map(|plane| resized(plane, kernel, shape.kernel));
        (stretched.collect(), tape)
    }

    /// The way back of [`WeightDecoder::blocks`]: from the derivatives by the blocks, `[O, I, P, n]`, to those
    /// by the states, `[n, C]`; those by the decoder's weights are added to `gradient`.
    pub fn back_from_blocks(
        &self,
        tape: &BlocksTape,
        shape: BlockShape,
        by_blocks: Vec<f32>,
        gradient: &mut Self,
    ) -> Vec<f32> {
        let kernel = self.config.decoded_kernel(shape.kernel);
        let by_blocks = if kernel == shape.kernel {
            by_blocks
        } else {
            let plane = by_blocks.len() / (shape.outputs * shape.inputs);
            let planes = by_blocks.chunks_exact(plane);
            let shrunk = planes.flat_map(|plane| through_resized(plane, kernel, shape.kernel));
            shrunk.collect()
        };
        let by_columns = match (&self.layers, &mut gradient.layers, &tape.0[..]) {
            (
                Layers::Conv {
                    planes,
                    widen,
                    block,
                },
                Layers::Conv {
                    planes: by_planes,
                    widen: by_widen,
                    block: by_block,
                },
                [columns, plane, wide],
            ) => {
                let groups = [shape.outputs, shape.inputs];
                let mut by_x =
                    block.back_from_groups(wide, &by_blocks, groups, |o| self.row(o), by_block);
                through_relu(&mut by_x, wide);
                let mut by_x = widen.back_from_columns(plane, &by_x, by_widen);
                through_relu(&mut by_x, plane);
                let [_, _, h, w] = self.config.max_shape;
                let [top, left] = self.corner(kernel);
                let lines = [planes.outputs / (h * w) * kernel[0], kernel[1]];
                let first = |line: usize| {
                    let (channel, y) = (line / kernel[0], line % kernel[0]);
                    (channel * h + top + y) * w + left
                };
                planes.back_from_groups(columns, &by_x, lines, first, by_planes)
            }
            (
                Layers::Mlp { hidden, block },
                Layers::Mlp {
                    hidden: by_hidden,
                    block: by_block,
                },
                [columns, x],
            ) => {
                let lines = [shape.outputs * shape.inputs * kernel[0], kernel[1]];
                let first = |line| self.line(line, shape, kernel);
                let mut by_x = block.back_from_groups(x, &by_blocks, lines, first, by_block);
                through_relu(&mut by_x, x);
                hidden.back_from_columns(columns, &by_x, by_hidden)
            }
            _ => unreachable!("tape and gradient are this decoder's"),
        };
        let nodes = by_columns.len() / self.config.hid;
        transposed(&by_columns, nodes)
    }

    /// The first layer at the positions of a kernel, from `[C, n]` to `[4 C, P, n]`: its rows are positions
    /// within channels.
    fn planes(&self, layer: &Dense, states: &[f32], kernel: [usize; 2]) -> Vec<f32> {
        let [_, _, h, w] = self.config.max_shape;
        let channels = layer.outputs / (h * w);
        let n = states.len() / layer.inputs;
        let positions = || self.positions(kernel);
        let outputs = (0..channels).flat_map(|c| positions().map(move |p| c * h * w + p));
        let mut x = layer.spread_bias(outputs, n);
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

    /// Decodes the classifier's weight from one state: `[K, I]`.
    pub fn class_block(&self, state: &[f32], shape: BlockShape) -> (Vec<f32>, ClassTape) {
        match &self.layers {
            Layers::Conv { .. } => {
                let (mut x, blocks) = self.blocks(state, self.before_classes(shape));
                relu(&mut x);
                let values = self.classes.apply_to_columns(&x);
                (values, ClassTape { blocks, seen: x })
            }
            Layers::Mlp { hidden, .. } => {
                let mut x = hidden.apply(state);
                relu(&mut x);
                let groups = [shape.outputs, shape.inputs];
                let values = self.classes.apply_groups(&x, groups, |k| self.class_row(k));
                let blocks = BlocksTape(vec![state.to_vec()]);
                (values, ClassTape { blocks, seen: x })
            }
        }
    }

    /// The way back of [`WeightDecoder::class_block`].
    pub fn back_from_class_block(
        &self,
        tape: &ClassTape,
        shape: BlockShape,
        by_block: &[f32],
        gradient: &mut Self,
    ) -> Vec<f32> {
        let (seen, by_classes) = (&tape.seen, &mut gradient.classes);
        match (&self.layers, &mut gradient.layers) {
            (Layers::Mlp { hidden, .. }, Layers::Mlp { hidden: by, .. }) => {
                let groups = [shape.outputs, shape.inputs];
                let first = |k| self.class_row(k);
                let classes = &self.classes;
                let mut by_x = classes.back_from_groups(seen, by_block, groups, first, by_classes);
                through_relu(&mut by_x, seen);
                hidden.back(&tape.blocks.0[0], &by_x, by)
            }
            _ => {
                let mut by_x = self.classes.back_from_columns(seen, by_block, by_classes);
                through_relu(&mut by_x, seen);
                self.back_from_blocks(&tape.blocks, self.before_classes(shape), by_x, gradient)
            }
        }
    }

    /// The block that the class layer of a convolutional decoder reads: it has all outputs.
    const fn before_classes(&self, shape: BlockShape) -> BlockShape {
        BlockShape {
            outputs: self.config.max_shape[0],
            ..shape
        }
    }

    /// Where a block's output begins among the outputs of a convolutional decoder's last layer.
    const fn row(&self, output: usize) -> usize {
        output * self.config.max_shape[1]
    }

    /// Where a class begins among the outputs of an MLP decoder's class layer.
    const fn class_row(&self, class: usize) -> usize {
        class * self.config.max_shape[0]
    }

    /// Where a kernel's line begins among the outputs of an MLP decoder's last layer, which are positions
    /// within inputs within outputs; lines are counted over a block's outputs and inputs.
    fn line(&self, line: usize, shape: BlockShape, kernel: [usize; 2]) -> usize {
        let [_, inputs, h, w] = self.config.max_shape;
        let [top, left] = self.corner(kernel);
        let (channel, y) = (line / kernel[0], line % kernel[0]);
        let (o, i) = (channel / shape.inputs, channel % shape.inputs);
        ((o * inputs + i) * h + top + y) * w + left
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
