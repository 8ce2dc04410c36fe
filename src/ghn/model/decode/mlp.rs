//! Whole blocks at once (the MLP decoder of the GHN-2 paper's comparisons).
//!
//! Letters: `n` nodes, `C` width of a state, `O`/`I` channels out/in, `P` kernel positions, `K` classes.

use super::super::super::GhnError;
use super::super::config::Config;
use super::super::dense::{Dense, relu, through_relu};
use super::super::plan::BlockShape;
use super::super::weight::{Weight, transposed};
use super::super::weights::Weights;
use super::conv::corner;
use super::weights::Tape;

/// Two layers, of which the second has an output for every value of the largest block.
#[derive(Clone, Debug)]
pub struct MlpDecoder {
    pub config: Config,
    pub hidden: Dense,
    pub block: Dense,
    /// The same for the classifier's weight.
    pub classes: Dense,
}

impl MlpDecoder {
    pub fn new(config: &Config, weights: &Weights) -> Result<Self, GhnError> {
        let (c, k) = (config.hid, config.num_classes);
        let [out, input, h, w] = config.max_shape;
        Ok(Self {
            config: *config,
            hidden: weights.dense("decoder.mlp.fc.0", 2 * c, c)?,
            block: weights.dense("decoder.mlp.fc.2", out * input * h * w, 2 * c)?,
            classes: weights.dense("decoder.class_layer_predictor.1", k * out, 2 * c)?,
        })
    }

    /// Its tensors.
    pub fn list<'a>(&'a mut self, all: &mut Vec<&'a mut Weight>) {
        let layers = [&mut self.hidden, &mut self.block, &mut self.classes];
        layers.into_iter().for_each(|layer| layer.list(all));
    }

    /// A block for each state `[n, C]`: `[O, I, P, n]`.
    pub fn blocks(&self, states: &[f32], shape: BlockShape) -> (Vec<f32>, Tape) {
        let columns = transposed(states, self.config.hid);
        let mut x = self.hidden.apply_to_columns(&columns);
        relu(&mut x);
        let lines = lines(shape);
        let values = self.block.apply_groups(&x, lines, |l| self.line(l, shape));
        (values, Tape(vec![columns, x]))
    }

    /// The way back of [`MlpDecoder::blocks`], to the derivatives by the states.
    pub fn back_from_blocks(
        &self,
        tape: &[Vec<f32>],
        shape: BlockShape,
        by_blocks: &[f32],
        gradient: &mut Self,
    ) -> Vec<f32> {
        let [columns, x] = tape else {
            unreachable!("the tape is this decoder's");
        };
        let (lines, first) = (lines(shape), |line| self.line(line, shape));
        let (block, by_block) = (&self.block, &mut gradient.block);
        let mut by_x = block.back_from_groups(x, by_blocks, lines, first, by_block);
        through_relu(&mut by_x, x);
        let (hidden, by_hidden) = (&self.hidden, &mut gradient.hidden);
        let by_columns = hidden.back_from_columns(columns, &by_x, by_hidden);
        transposed(&by_columns, by_columns.len() / self.config.hid)
    }

    /// The classifier's weight from one state: `[K, I]`.
    pub fn class_block(&self, state: &[f32], shape: BlockShape) -> (Vec<f32>, Tape) {
        let mut x = self.hidden.apply(state);
        relu(&mut x);
        let groups = [shape.outputs, shape.inputs];
        let values = self.classes.apply_groups(&x, groups, |k| self.class_row(k));
        (values, Tape(vec![state.to_vec(), x]))
    }

    /// The way back of [`MlpDecoder::class_block`].
    pub fn back_from_class_block(
        &self,
        tape: &[Vec<f32>],
        shape: BlockShape,
        by_block: &[f32],
        gradient: &mut Self,
    ) -> Vec<f32> {
        let [state, x] = tape else {
            unreachable!("the tape is this decoder's");
        };
        let groups = [shape.outputs, shape.inputs];
        let (classes, by_classes) = (&self.classes, &mut gradient.classes);
        let first = |k| self.class_row(k);
        let mut by_x = classes.back_from_groups(x, by_block, groups, first, by_classes);
        through_relu(&mut by_x, x);
        self.hidden.back(state, &by_x, &mut gradient.hidden)
    }

    /// Where a class begins among the outputs of the class layer.
    const fn class_row(&self, class: usize) -> usize {
        class * self.config.max_shape[0]
    }

    /// Where a kernel's line begins among the outputs of the last layer, which are positions within inputs
    /// within outputs; lines are counted over a block's outputs and inputs.
    fn line(&self, line: usize, shape: BlockShape) -> usize {
        let [_, inputs, h, w] = self.config.max_shape;
        let [top, left] = corner(&self.config, shape.kernel);
        let (channel, y) = (line / shape.kernel[0], line % shape.kernel[0]);
        let (o, i) = (channel / shape.inputs, channel % shape.inputs);
        ((o * inputs + i) * h + top + y) * w + left
    }
}

/// A block's lines of kernel positions, and the length of one.
const fn lines(shape: BlockShape) -> [usize; 2] {
    let [height, width] = shape.kernel;
    [shape.outputs * shape.inputs * height, width]
}
