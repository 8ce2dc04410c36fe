//! From decoded blocks to whole tensors: tiling, scaling, resizing.
//!
//! Letters: `O`/`I` a block's outputs and inputs, `P` kernel positions.

use super::dense::add;

/// One node's decoded block of a weight, among those of other nodes with the same shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'a> {
    pub outputs: usize,
    pub inputs: usize,
    /// Number of nodes, and which one this is.
    pub nodes: usize,
    pub node: usize,
    /// `[O, I, P, nodes]`.
    pub values: &'a [f32],
}

impl Block<'_> {
    const fn positions(&self) -> usize {
        self.values.len() / (self.outputs * self.inputs * self.nodes)
    }

    /// The node's values of output `o`, `[I, P]`.
    fn output(&self, o: usize) -> impl Iterator<Item = f32> {
        let length = self.inputs * self.positions() * self.nodes;
        let values = &self.values[o * length..(o + 1) * length];
        values
            .chunks_exact(self.nodes)
            .map(|nodes| nodes[self.node])
    }

    /// Appends the weight `[out, in, P]` to an empty vector: the block repeated along the first two
    /// dimensions and cut, each value times `scale`. Kernel positions are never tiled.
    pub fn tile(&self, [out, input]: [usize; 2], scale: f32, weight: &mut Vec<f32>) {
        let line = input * self.positions();
        let row = self.inputs.min(input) * self.positions();
        for o in 0..self.outputs.min(out) {
            let start = weight.len();
            weight.extend(self.output(o).take(row).map(|v| v * scale));
            repeat(weight, start, line);
        }
        repeat(weight, 0, out * line);
    }

    /// Appends tokens of a position encoding `[tokens, width]`, from a block of one output whose inputs are
    /// channels; channels are tiled.
    pub fn tokens(&self, width: usize, scale: f32, encoding: &mut Vec<f32>) {
        for token in 0..self.positions() {
            let channels = self.output(0).skip(token).step_by(self.positions());
            let start = encoding.len();
            encoding.extend(channels.take(width).map(|v| v * scale));
            repeat(encoding, start, width);
        }
    }
}

/// One node's part of the derivatives by decoded blocks: the way back of [`Block`].
#[derive(Debug)]
pub(super) struct ByBlock<'a> {
    pub outputs: usize,
    pub inputs: usize,
    pub nodes: usize,
    pub node: usize,
    /// `[O, I, P, nodes]`.
    pub values: &'a mut [f32],
}

impl ByBlock<'_> {
    const fn positions(&self) -> usize {
        self.values.len() / (self.outputs * self.inputs * self.nodes)
    }

    /// Adds up the derivatives by all copies of each value, from those by the weight `[out, in, P]`.
    pub fn untile(&mut self, [out, input]: [usize; 2], scale: f32, by_weight: &[f32]) {
        let positions = self.positions();
        let (line, row) = (input * positions, self.inputs.min(input) * positions);
        let mut sums = vec![0.0; row];
        for o in 0..self.outputs.min(out) {
            sums.fill(0.0);
            for copy in (o..out).step_by(self.outputs) {
                for by_copy in by_weight[copy * line..(copy + 1) * line].chunks(row) {
                    add(&mut sums, by_copy);
                }
            }
            let start = o * self.inputs * positions * self.nodes + self.node;
            let places = self.values[start..].iter_mut().step_by(self.nodes);
            for (by, sum) in places.zip(&sums) {
                *by += scale * sum;
            }
        }
    }

    /// The same from the derivatives by tokens `[tokens, width]`.
    pub fn untokens(&mut self, width: usize, scale: f32, by_encoding: &[f32]) {
        let positions = self.positions();
        for (token, by_token) in by_encoding.chunks_exact(width).enumerate() {
            for (channel, by) in by_token.iter().enumerate() {
                let place = channel % self.inputs * positions + token;
                self.values[place * self.nodes + self.node] += scale * by;
            }
        }
    }
}

/// Repeats what follows `start` until it is `length` values long.
fn repeat(values: &mut Vec<f32>, start: usize, length: usize) {
    let once = values.len() - start;
    while values.len() < start + length {
        let more = once.min(start + length - values.len());
        values.extend_from_within(start..start + more);
    }
}

/// A vector of `length` entries: the first ones of `values`, repeated as often as needed.
pub(super) fn repeated(values: &[f32], length: usize) -> Vec<f32> {
    values.iter().copied().cycle().take(length).collect()
}

/// Bilinear resizing of every plane, `[height * width, plane]`, between pixel centres (torch's
/// `align_corners=False`).
pub(super) fn resized(values: &[f32], from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    let plane = values.len() / (from[0] * from[1]);
    let mut out = Vec::with_capacity(to[0] * to[1] * plane);
    for y in 0..to[0] {
        let (y0, y1, fy) = source(y, from[0], to[0]);
        for x in 0..to[1] {
            let (x0, x1, fx) = source(x, from[1], to[1]);
            let at = |y: usize, x: usize| &values[(y * from[1] + x) * plane..][..plane];
            let (a, b, c, d) = (at(y0, x0), at(y0, x1), at(y1, x0), at(y1, x1));
            for i in 0..plane {
                let top = a[i] * (1.0 - fx) + b[i] * fx;
                let bottom = c[i] * (1.0 - fx) + d[i] * fx;
                out.push(top * (1.0 - fy) + bottom * fy);
            }
        }
    }
    out
}

/// The way back of [`resized`].
pub(super) fn through_resized(by_out: &[f32], from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    let plane = by_out.len() / (to[0] * to[1]);
    let mut by_values = vec![0.0; from[0] * from[1] * plane];
    for y in 0..to[0] {
        let (y0, y1, fy) = source(y, from[0], to[0]);
        for x in 0..to[1] {
            let (x0, x1, fx) = source(x, from[1], to[1]);
            let by_out = &by_out[(y * to[1] + x) * plane..][..plane];
            for (y, share) in [(y0, 1.0 - fy), (y1, fy)] {
                for (x, share) in [(x0, share * (1.0 - fx)), (x1, share * fx)] {
                    let by_values = &mut by_values[(y * from[1] + x) * plane..][..plane];
                    for (by, by_out) in by_values.iter_mut().zip(by_out) {
                        *by += share * by_out;
                    }
                }
            }
        }
    }
    by_values
}

/// The two source pixels of an output pixel, and how far it lies towards the second.
fn source(i: usize, from: usize, to: usize) -> (usize, usize, f32) {
    let place = ((i as f32 + 0.5) * (from as f32 / to as f32) - 0.5).max(0.0);
    let first = (place as usize).min(from - 1);
    (first, (first + 1).min(from - 1), place - first as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second of two nodes; of its values, `value(o, i, p)`: two positions, two outputs, three inputs.
    fn block(values: &[f32]) -> Block<'_> {
        Block {
            outputs: 2,
            inputs: 3,
            nodes: 2,
            node: 1,
            values,
        }
    }

    fn numbers() -> Vec<f32> {
        (0..24).map(|v| v as f32).collect()
    }

    const fn value(o: usize, i: usize, p: usize) -> f32 {
        (((o * 3 + i) * 2 + p) * 2 + 1) as f32
    }

    #[test]
    fn tiling_repeats_outputs_and_inputs_but_no_positions() {
        let values = numbers();
        let (out, input) = (5, 4);
        let mut tiled = Vec::new();
        block(&values).tile([out, input], 2.0, &mut tiled);
        assert_eq!(tiled.len(), out * input * 2);
        for (index, tiled) in tiled.into_iter().enumerate() {
            let (o, i, p) = (index / 2 / input, index / 2 % input, index % 2);
            assert_eq!(tiled, 2.0 * value(o % 2, i % 3, p));
        }
    }

    #[test]
    fn blocks_larger_than_the_weight_are_cut() {
        let values = numbers();
        let mut tiled = Vec::new();
        block(&values).tile([1, 2], 1.0, &mut tiled);
        assert_eq!(
            tiled,
            [
                value(0, 0, 0),
                value(0, 0, 1),
                value(0, 1, 0),
                value(0, 1, 1)
            ]
        );
    }

    #[test]
    fn tokens_are_positions_with_their_channels_repeated() {
        let values = numbers();
        let mut encoding = vec![9.0];
        block(&values).tokens(4, 1.0, &mut encoding);
        let token = |p| {
            [
                value(0, 0, p),
                value(0, 1, p),
                value(0, 2, p),
                value(0, 0, p),
            ]
        };
        assert_eq!(encoding, [&[9.0][..], &token(0), &token(1)].concat());
    }

    #[test]
    fn resizing_keeps_a_linear_ramp_inside_and_clamps_at_the_rim() {
        // One row of four pixels to eight: torch gives 0, .25, .75, 1.25, ... 2.75, 3.
        let out = resized(&[0.0, 1.0, 2.0, 3.0], [1, 4], [1, 8]);
        assert_eq!(out, [0.0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0]);
    }
}
