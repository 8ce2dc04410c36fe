//! From decoded blocks to whole tensors: tiling, scaling, resizing.
//!
//! Letters: `O`/`I` a block's outputs and inputs, `P` kernel positions.

use super::dense::add;

/// Appends a line of a weight: what was decoded for one output, `[I, P]`, times `scale`, and
/// repeated or cut along the inputs. Kernel positions are never tiled.
pub(super) fn line(output: &[f32], scale: f32, length: usize, line: &mut Vec<f32>) {
    let (start, once) = (line.len(), output.len().min(length));
    line.extend(output[..once].iter().map(|v| v * scale));
    repeat(line, start, length);
}

/// Appends tokens of a position encoding, `[P, width]`, from `[I, P]`: inputs are channels, which are tiled.
pub(super) fn tokens(
    output: &[f32],
    positions: usize,
    scale: f32,
    width: usize,
    encoding: &mut Vec<f32>,
) {
    for token in 0..positions {
        let channels = output[token..].iter().step_by(positions);
        let start = encoding.len();
        encoding.extend(channels.take(width).map(|v| v * scale));
        repeat(encoding, start, width);
    }
}

/// One node's part of the derivatives by decoded blocks: the way back of [`line`] and
/// [`tokens`].
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
    while values.len() < start + length {
        // What is there is a whole number of repetitions.
        let there = values.len() - start;
        let more = there.min(start + length - values.len());
        values.extend_from_within(start..start + more);
    }
}

/// A vector of `length` entries: the first ones of `values`, repeated as often as needed.
pub(super) fn repeated(values: &[f32], length: usize) -> Vec<f32> {
    let mut all = Vec::with_capacity(length);
    all.extend_from_slice(&values[..values.len().min(length)]);
    repeat(&mut all, 0, length);
    all
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

    #[test]
    fn lines_repeat_inputs_and_no_positions() {
        let (inputs, positions) = (3, 2);
        let output = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        for input in [1, 2, 3, 4, 7, 20] {
            let mut tiled = vec![9.0];
            line(&output, 2.0, input * positions, &mut tiled);
            assert_eq!(tiled.len(), 1 + input * positions);
            for (index, tiled) in tiled.into_iter().skip(1).enumerate() {
                let (i, p) = (index / positions, index % positions);
                assert_eq!(tiled, 2.0 * output[i % inputs * positions + p]);
            }
        }
    }

    #[test]
    fn tokens_are_positions_with_their_channels_repeated() {
        let output = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        let mut encoding = vec![9.0];
        tokens(&output, 2, 10.0, 4, &mut encoding);
        assert_eq!(
            encoding,
            [9.0, 0.0, 20.0, 40.0, 0.0, 10.0, 30.0, 50.0, 10.0]
        );
    }

    #[test]
    fn resizing_keeps_a_linear_ramp_inside_and_clamps_at_the_rim() {
        // One row of four pixels to eight: torch gives 0, .25, .75, 1.25, ... 2.75, 3.
        let out = resized(&[0.0, 1.0, 2.0, 3.0], [1, 4], [1, 8]);
        assert_eq!(out, [0.0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0]);
    }
}
