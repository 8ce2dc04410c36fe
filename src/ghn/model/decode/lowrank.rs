//! Blocks as products of two thin matrices: wide weights without copies (LoGAH: Zhou et al. 2024,
//! arXiv 2405.16287, and their code's order of values).
//!
//! Letters: `n` nodes, `C` width of a state, `R` rank, `L` values that a mixed row becomes, `O`/`I` channels
//! out/in, `P` kernel positions.

use super::super::super::GhnError;
use super::super::config::Config;
use super::super::dense::{Dense, add, relu, through_relu};
use super::super::plan::BlockShape;
use super::super::weight::Weight;
use super::super::weights::Weights;
use super::weights::Tape;
use crate::nn::matmul::{Fill, View, ViewMut, multiply, multiply_parallel};

/// A state becomes two square matrices, `[2, R, R]`; each of their rows becomes `L` values; those of the first
/// matrix are, read on and on, the rows of the factor `[O * height, R]`, those of the second the rows of
/// `[I * width, R]`. The weight is the first times the second's transpose.
#[derive(Clone, Debug)]
pub struct LowRankDecoder {
    pub rank: usize,
    pub mix: [Dense; 3],
    pub spread: Dense,
}

/// Which factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Outputs,
    Inputs,
}

/// A part of a factor that comes from one mixed row of each node.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// Which row of `[2 R]`.
    pub row: usize,
    /// Where its values begin in the factor.
    pub from: usize,
    pub len: usize,
}

impl LowRankDecoder {
    pub fn new(
        config: &Config,
        rank: usize,
        spread: usize,
        weights: &Weights,
    ) -> Result<Self, GhnError> {
        let c = config.hid;
        Ok(Self {
            rank,
            mix: [
                weights.dense("decoder.mlp.fc.0", 4 * c, c)?,
                weights.dense("decoder.mlp.fc.2", 8 * c, 4 * c)?,
                weights.dense("decoder.mlp.fc.4", 2 * rank * rank, 8 * c)?,
            ],
            spread: weights.dense("decoder.l2", spread, rank)?,
        })
    }

    /// Its tensors.
    pub fn list<'a>(&'a mut self, all: &mut Vec<&'a mut Weight>) {
        let layers = self.mix.iter_mut().chain([&mut self.spread]);
        layers.for_each(|layer| layer.list(all));
    }

    /// A block for each state `[n, C]`: `[O, I, P, n]`. A classifier's weight is one as well.
    pub fn blocks(&self, states: &[f32], shape: BlockShape) -> (Vec<f32>, Tape) {
        let mut seen = vec![states.to_vec()];
        for layer in &self.mix {
            let mut x = layer.apply(&seen[seen.len() - 1]);
            relu(&mut x);
            seen.push(x);
        }
        let nodes = states.len() / self.mix[0].inputs;
        let [a, b] = self.factors(&seen[self.mix.len()], shape, nodes);
        let layout = Layout::of(shape, nodes);
        let mut values = vec![0.0; layout.len()];
        let mut product = vec![0.0; layout.len() / nodes];
        for node in 0..nodes {
            let [a, b] = [(&a, layout.rows), (&b, layout.cols)].map(|f| self.factor(f, node));
            let mut out = ViewMut::dense(&mut product, layout.rows, layout.cols);
            multiply(&mut out, a, b.transposed(), Fill::Overwrite);
            for (place, value) in layout.places(node).zip(&product) {
                values[place] = *value;
            }
        }
        (values, Tape(seen))
    }

    /// The way back of [`LowRankDecoder::blocks`], to the derivatives by the states.
    pub fn back_from_blocks(
        &self,
        tape: &[Vec<f32>],
        shape: BlockShape,
        by_blocks: &[f32],
        gradient: &mut Self,
    ) -> Vec<f32> {
        let [seen @ .., mixed] = tape else {
            unreachable!("the tape is this decoder's");
        };
        let nodes = seen[0].len() / self.mix[0].inputs;
        let [a, b] = self.factors(mixed, shape, nodes);
        let [mut by_a, mut by_b] = [vec![0.0; a.len()], vec![0.0; b.len()]];
        let layout = Layout::of(shape, nodes);
        let (rows, cols) = (layout.rows, layout.cols);
        for node in 0..nodes {
            let by_product: Vec<f32> = layout.places(node).map(|place| by_blocks[place]).collect();
            let by_product = View::dense(&by_product, rows, cols);
            let [a, b] = [(&a, rows), (&b, cols)].map(|f| self.factor(f, node));
            let by_a = &mut by_a[node * rows * self.rank..][..rows * self.rank];
            let by_b = &mut by_b[node * cols * self.rank..][..cols * self.rank];
            let mut by_a = ViewMut::dense(by_a, rows, self.rank);
            let mut by_b = ViewMut::dense(by_b, cols, self.rank);
            multiply(&mut by_a, by_product, b, Fill::Overwrite);
            multiply(&mut by_b, by_product.transposed(), a, Fill::Overwrite);
        }
        let mut by_x = vec![0.0; mixed.len()];
        let by_spread = &mut gradient.spread;
        self.back_from_factor(mixed, Side::Outputs, &by_a, &mut by_x, by_spread);
        self.back_from_factor(mixed, Side::Inputs, &by_b, &mut by_x, by_spread);
        through_relu(&mut by_x, mixed);
        let layers = self.mix.iter().zip(&mut gradient.mix).zip(seen);
        for (index, ((layer, gradient), x)) in layers.enumerate().rev() {
            by_x = layer.back(x, &by_x, gradient);
            // The states were not rectified.
            if index > 0 {
                through_relu(&mut by_x, x);
            }
        }
        by_x
    }

    /// Both factors of all nodes, from `[n, 2, R, R]`: `[n, O * height, R]`, `[n, I * width, R]`.
    fn factors(&self, mixed: &[f32], shape: BlockShape, nodes: usize) -> [Vec<f32>; 2] {
        let layout = Layout::of(shape, nodes);
        [(Side::Outputs, layout.rows), (Side::Inputs, layout.cols)].map(|(side, rows)| {
            let length = rows * self.rank;
            let mut factor = vec![0.0; nodes * length];
            for piece in self.pieces(side, length) {
                let mut values = self.spread.spread_bias(0..piece.len, nodes);
                let rows = self.spread.rows(0, piece.len, 1);
                let mixed = self.mixed_rows(mixed, piece, nodes).transposed();
                multiply_parallel(&mut values, rows, mixed, Fill::Accumulate);
                for (i, values) in values.chunks_exact(nodes).enumerate() {
                    for (node, value) in values.iter().enumerate() {
                        factor[node * length + piece.from + i] = *value;
                    }
                }
            }
            factor
        })
    }

    /// From the derivatives by a factor, `[n, rows, R]`, to those by the mixed rows, which are written to
    /// `by_mixed`; those by the layer that spreads are added to its gradient.
    fn back_from_factor(
        &self,
        mixed: &[f32],
        side: Side,
        by_factor: &[f32],
        by_mixed: &mut [f32],
        gradient: &mut Dense,
    ) {
        let width = 2 * self.rank * self.rank;
        let nodes = mixed.len() / width;
        let length = by_factor.len() / nodes;
        for piece in self.pieces(side, length) {
            let by_values = View::new(&by_factor[piece.from..], nodes, piece.len, length);
            let mixed = self.mixed_rows(mixed, piece, nodes);
            let by_weight = &mut gradient.weight[..piece.len * self.rank];
            multiply_parallel(by_weight, by_values.transposed(), mixed, Fill::Accumulate);
            if let Some(by_bias) = &mut gradient.bias {
                for by_factor in by_factor.chunks_exact(length) {
                    add(by_bias, &by_factor[piece.from..][..piece.len]);
                }
            }
            let mut by_rows = vec![0.0; nodes * self.rank];
            let rows = self.spread.rows(0, piece.len, 1);
            multiply_parallel(&mut by_rows, by_values, rows, Fill::Overwrite);
            for (node, by_row) in by_rows.chunks_exact(self.rank).enumerate() {
                by_mixed[node * width + piece.row * self.rank..][..self.rank]
                    .copy_from_slice(by_row);
            }
        }
    }

    fn pieces(&self, side: Side, length: usize) -> impl Iterator<Item = Piece> + use<> {
        pieces(self.rank, self.spread.outputs, side, length)
    }

    /// The row of each node that a piece is made from: `[n, R]`.
    fn mixed_rows<'a>(&self, mixed: &'a [f32], piece: Piece, nodes: usize) -> View<'a> {
        let from = &mixed[piece.row * self.rank..];
        View::new(from, nodes, self.rank, 2 * self.rank * self.rank)
    }

    /// A node's factor `[rows, R]` among those of all nodes.
    fn factor<'a>(&self, (all, rows): (&'a Vec<f32>, usize), node: usize) -> View<'a> {
        let length = rows * self.rank;
        View::dense(&all[node * length..][..length], rows, self.rank)
    }
}

/// What a factor of `length` values is made from, by a decoder of this rank whose mixed rows become `spread`
/// values each.
pub fn pieces(
    rank: usize,
    spread: usize,
    side: Side,
    length: usize,
) -> impl Iterator<Item = Piece> {
    let first = match side {
        Side::Outputs => 0,
        Side::Inputs => rank,
    };
    (0..length.div_ceil(spread)).map(move |i| Piece {
        row: first + i,
        from: i * spread,
        len: spread.min(length - i * spread),
    })
}

/// How products `[O, height, I, width]` lie in blocks `[O, I, height, width, n]`.
#[derive(Clone, Copy, Debug)]
struct Layout {
    rows: usize,
    cols: usize,
    kernel: [usize; 2],
    nodes: usize,
}

impl Layout {
    const fn of(shape: BlockShape, nodes: usize) -> Self {
        let [height, width] = shape.kernel;
        Self {
            rows: shape.outputs * height,
            cols: shape.inputs * width,
            kernel: shape.kernel,
            nodes,
        }
    }

    /// Values of all nodes.
    const fn len(&self) -> usize {
        self.rows * self.cols * self.nodes
    }

    /// Places of a node's values, in the order of its product.
    fn places(self, node: usize) -> impl Iterator<Item = usize> {
        let [height, width] = self.kernel;
        let (inputs, nodes) = (self.cols / width, self.nodes);
        (0..self.rows).flat_map(move |row| {
            let (o, y) = (row / height, row % height);
            (0..inputs).flat_map(move |i| {
                let line = ((o * inputs + i) * height + y) * width;
                (line..line + width).map(move |place| place * nodes + node)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::config::Decoder;
    use super::*;

    /// Against the published code's steps, written down index by index: the layer's values of all `2 R` rows
    /// lie one after another and are read again as rows of `R` values, the first half of which is the one
    /// factor and the second half the other.
    #[test]
    fn blocks_are_products_of_factors_in_the_published_order() {
        let (rank, spread) = (3, 7);
        let config = Config {
            hid: 8,
            max_shape: [5, 5, 3, 3],
            decoder: Decoder::LowRank { rank, spread },
            ..Config::ghn2_cifar10()
        };
        let decoder =
            LowRankDecoder::new(&config, rank, spread, &Weights::random(&config, 2)).unwrap();
        let states: Vec<f32> = (0..16).map(|i| (i as f32 * 0.7).sin()).collect();
        let shape = BlockShape {
            outputs: 3,
            inputs: 2,
            kernel: [2, 3],
        };
        let (values, _) = decoder.blocks(&states, shape);
        for node in 0..2 {
            let mut x: Vec<f64> = states[node * 8..][..8]
                .iter()
                .map(|v| f64::from(*v))
                .collect();
            for layer in &decoder.mix {
                x = (0..layer.outputs)
                    .map(|o| {
                        let row = layer.weight[o * layer.inputs..][..layer.inputs].iter();
                        let sum: f64 = row.zip(&x).map(|(w, x)| f64::from(*w) * x).sum();
                        (sum + f64::from(layer.bias.as_ref().unwrap()[o])).max(0.0)
                    })
                    .collect();
            }
            let bias = decoder.spread.bias.as_ref().unwrap();
            let flat: Vec<f64> = (0..2 * rank * spread)
                .map(|i| {
                    let (row, place) = (i / spread, i % spread);
                    let sum: f64 = (0..rank)
                        .map(|k| {
                            f64::from(decoder.spread.weight[place * rank + k]) * x[row * rank + k]
                        })
                        .sum();
                    sum + f64::from(bias[place])
                })
                .collect();
            for o in 0..3 {
                for i in 0..2 {
                    for p in 0..6 {
                        let (a, b) = (o * 2 + p / 3, spread + i * 3 + p % 3);
                        let said: f64 = (0..rank)
                            .map(|k| flat[a * rank + k] * flat[b * rank + k])
                            .sum();
                        let value = f64::from(values[((o * 2 + i) * 6 + p) * 2 + node]);
                        assert!((value - said).abs() < 1e-6, "{node} {o} {i} {p}");
                    }
                }
            }
        }
    }
}
