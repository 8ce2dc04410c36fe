//! Blocks from a plane of kernel positions (GHN-2's and GHN-3's decoder).
//!
//! Letters: `n` nodes, `C` width of a state, `O`/`I` channels out/in, `P` kernel positions, `K` classes.

use super::super::super::GhnError;
use super::super::config::{Config, HyperNet};
use super::super::dense::{Dense, relu, through_relu};
use super::super::plan::BlockShape;
use super::super::weight::{Weight, transposed};
use super::super::weights::Weights;
use super::blocks::LastLayer;
use super::weights::Tape;

/// A plane of positions from the state, then two layers at each position.
#[derive(Clone, Debug)]
pub struct ConvDecoder {
    pub config: Config,
    pub planes: Dense,
    pub widen: Dense,
    pub block: Dense,
    /// From a block's outputs to classes.
    pub classes: Dense,
}

impl ConvDecoder {
    pub fn new(config: &Config, weights: &Weights) -> Result<Self, GhnError> {
        let c = config.hid;
        let [out, input, h, w] = config.max_shape;
        Ok(Self {
            config: *config,
            planes: weights.dense("decoder.fc.0", 4 * c * h * w, c)?,
            widen: weights.dense("decoder.conv.0", 8 * c, 4 * c)?,
            block: weights.dense("decoder.conv.2", out * input, 8 * c)?,
            classes: weights.dense("decoder.class_layer_predictor.1", config.num_classes, out)?,
        })
    }

    /// Its tensors.
    pub fn list<'a>(&'a mut self, all: &mut Vec<&'a mut Weight>) {
        let Self {
            config: _,
            planes,
            widen,
            block,
            classes,
        } = self;
        let layers = [planes, widen, block, classes].into_iter();
        layers.for_each(|layer| layer.list(all));
    }

    /// A block for each state `[n, C]`: `[O, I, P, n]`.
    pub fn blocks(&self, states: &[f32], shape: BlockShape) -> (Vec<f32>, Tape) {
        let (last, tape) = self.until_last(states, shape);
        (last.all(shape.outputs), tape)
    }

    /// [`ConvDecoder::blocks`] but for the last layer.
    pub fn until_last(&self, states: &[f32], shape: BlockShape) -> (LastLayer<'_>, Tape) {
        let columns = transposed(states, self.config.hid);
        let (lines, line) = self.lines(shape.kernel);
        let mut plane = self.planes.apply_groups(&columns, lines, line);
        relu(&mut plane);
        let mut wide = self.widen.apply_to_columns(&plane);
        relu(&mut wide);
        let last = LastLayer::new(&self.block, &wide, shape.inputs, self.config.max_shape[1]);
        (last, Tape(vec![columns, plane, wide]))
    }

    /// The way back of [`ConvDecoder::blocks`], to the derivatives by the states.
    pub fn back_from_blocks(
        &self,
        tape: &[Vec<f32>],
        shape: BlockShape,
        by_blocks: &[f32],
        gradient: &mut Self,
    ) -> Vec<f32> {
        let [columns, plane, wide] = tape else {
            unreachable!("the tape is this decoder's");
        };
        let groups = [shape.outputs, shape.inputs];
        let (block, by_block) = (&self.block, &mut gradient.block);
        let mut by_x = block.back_from_groups(wide, by_blocks, groups, |o| self.row(o), by_block);
        through_relu(&mut by_x, wide);
        let by_widen = &mut gradient.widen;
        let mut by_x = self.widen.back_from_columns(plane, &by_x, by_widen);
        through_relu(&mut by_x, plane);
        let (lines, line) = self.lines(shape.kernel);
        let (planes, by_planes) = (&self.planes, &mut gradient.planes);
        let by_columns = planes.back_from_groups(columns, &by_x, lines, line, by_planes);
        transposed(&by_columns, by_columns.len() / self.config.hid)
    }

    /// The classifier's weight from one state: `[K, I]`.
    pub fn class_block(&self, state: &[f32], shape: BlockShape) -> (Vec<f32>, Tape) {
        let (mut x, mut tape) = self.blocks(state, self.before_classes(shape));
        relu(&mut x);
        let values = self.classes.apply_to_columns(&x);
        tape.0.push(x);
        (values, tape)
    }

    /// The way back of [`ConvDecoder::class_block`].
    pub fn back_from_class_block(
        &self,
        tape: &[Vec<f32>],
        shape: BlockShape,
        by_block: &[f32],
        gradient: &mut Self,
    ) -> Vec<f32> {
        let [tape @ .., seen] = tape else {
            unreachable!("the tape is this decoder's");
        };
        let by_classes = &mut gradient.classes;
        let mut by_x = self.classes.back_from_columns(seen, by_block, by_classes);
        through_relu(&mut by_x, seen);
        self.back_from_blocks(tape, self.before_classes(shape), &by_x, gradient)
    }

    /// Which outputs of the first layer are a kernel: lines of positions within channels, so many and so long, and
    /// where each begins.
    fn lines(&self, kernel: [usize; 2]) -> ([usize; 2], impl Fn(usize) -> usize + Sync + use<>) {
        let [_, _, h, w] = self.config.max_shape;
        let [top, left] = corner(&self.config, kernel);
        let [height, width] = kernel;
        let channels = self.planes.outputs / (h * w);
        let line = move |line: usize| (line / height * h + top + line % height) * w + left;
        ([channels * height, width], line)
    }

    /// The block that the class layer reads: it has all outputs.
    const fn before_classes(&self, shape: BlockShape) -> BlockShape {
        BlockShape {
            outputs: self.config.max_shape[0],
            ..shape
        }
    }

    /// Where a block's output begins among the outputs of the last layer.
    const fn row(&self, output: usize) -> usize {
        output * self.config.max_shape[1]
    }
}

/// Where a kernel lies in the largest block's plane: in the top left corner, or in the middle in GHN-3.
pub fn corner(config: &Config, kernel: [usize; 2]) -> [usize; 2] {
    let [_, _, h, w] = config.max_shape;
    if matches!(config.hypernet, HyperNet::Graphormer { .. }) {
        let start = |side: usize, kernel: usize| (side / 2).saturating_sub(kernel / 2);
        [start(h, kernel[0]), start(w, kernel[1])]
    } else {
        [0, 0]
    }
}
