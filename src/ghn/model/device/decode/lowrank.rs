//! Blocks as products of two thin matrices, on a device.
//!
//! Letters: `n` nodes, `R` rank, `O`/`I` channels out/in.

use super::super::super::decode::lowrank::{self, Side, pieces};
use super::super::super::plan::BlockShape;
use super::super::dense::Dense;
use super::Blocks;
use crate::arch::Activation;
use crate::nn::DeviceError;
use crate::nn::arrays::{Array, Arrays, Product, View};

#[derive(Debug)]
pub(super) struct LowRankDecoder {
    rank: usize,
    mix: [Dense; 3],
    spread: Dense,
}

impl LowRankDecoder {
    pub fn keep(from: &lowrank::LowRankDecoder, arrays: &mut Arrays) -> Result<Self, DeviceError> {
        let [first, second, third] = &from.mix;
        Ok(Self {
            rank: from.rank,
            mix: [
                Dense::keep(first, arrays)?,
                Dense::keep(second, arrays)?,
                Dense::keep(third, arrays)?,
            ],
            spread: Dense::keep(&from.spread, arrays)?,
        })
    }

    /// All its steps together.
    pub fn values_per_node(&self, shape: BlockShape) -> usize {
        let mixed: usize = self.mix.iter().map(|layer| layer.outputs).sum();
        let [rows, columns] = sides(shape);
        mixed + (rows + columns) * self.rank + rows * columns
    }

    /// A classifier's weight is a block as well.
    pub fn blocks(
        &self,
        states: View,
        shape: BlockShape,
        arrays: &mut Arrays,
    ) -> Result<Blocks, DeviceError> {
        let [first, rest @ ..] = &self.mix;
        let nodes = states.values / first.inputs;
        let mut mixed = first.activated(states, Activation::Relu, arrays)?;
        for layer in rest {
            mixed = layer.activated(mixed.view(), Activation::Relu, arrays)?;
        }
        let [rows, columns] = sides(shape);
        let a = self.factor(&mixed, Side::Outputs, [nodes, rows], arrays)?;
        let b = self.factor(&mixed, Side::Inputs, [nodes, columns], arrays)?;
        let factor = |array: &Array, rows: usize| {
            let matrix = array.view().matrix(self.rank);
            matrix.every(rows * self.rank)
        };
        let values = arrays.take(nodes * rows * columns)?;
        arrays.multiply(&Product {
            rows,
            columns,
            inner: self.rank,
            count: nodes,
            factor: 1.0,
            a: factor(&a, rows),
            b: factor(&b, columns).transposed(),
            out: values.view().matrix(columns).every(rows * columns),
            bias: None,
            add: false,
        })?;
        let [height, width] = shape.kernel;
        Ok(Blocks {
            values,
            per_node: rows * columns,
            sides: [shape.outputs, shape.inputs, height, width],
            strides: [height * columns, width, columns, 1],
        })
    }

    /// A factor of all nodes, `[n, rows, R]`, from what the first layers mixed, `[n, 2, R, R]`.
    fn factor(
        &self,
        mixed: &Array,
        side: Side,
        [nodes, rows]: [usize; 2],
        arrays: &mut Arrays,
    ) -> Result<Array, DeviceError> {
        let length = rows * self.rank;
        let factor = arrays.take(nodes * length)?;
        for piece in pieces(self.rank, self.spread.outputs, side, length) {
            let from = mixed.view().from(piece.row * self.rank);
            let from = from.matrix(2 * self.rank * self.rank);
            let to = factor.view().from(piece.from).matrix(length);
            let outputs = 0..piece.len;
            self.spread.apply_some(from, outputs, nodes, to, arrays)?;
        }
        Ok(factor)
    }
}

/// Rows of the two factors: `O * height` and `I * width`.
const fn sides(shape: BlockShape) -> [usize; 2] {
    let [height, width] = shape.kernel;
    [shape.outputs * height, shape.inputs * width]
}
