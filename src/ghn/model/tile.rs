//! From decoded blocks to whole tensors: tiling, scaling, resizing.
//!
//! Letters: `O`/`I` block's outputs and inputs, `P` kernel positions.

/// A decoded block of a weight.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'a> {
    pub outputs: usize,
    pub inputs: usize,
    /// `[P, O, I]`.
    pub values: &'a [f32],
}

impl Block<'_> {
    const fn positions(&self) -> usize {
        self.values.len() / (self.outputs * self.inputs)
    }

    /// The weight `[out, in, P]`: the block repeated along the first two dimensions and cut, each
    /// value times `scale`. Kernel positions are never tiled.
    pub fn tiled(&self, out: usize, input: usize, scale: f32) -> Vec<f32> {
        let positions = self.positions();
        let row = self.inputs.min(input) * positions;
        let line = input * positions;
        let rows = self.outputs.min(out);
        let mut lines = vec![0.0; rows * line];
        for (o, line) in lines.chunks_exact_mut(line.max(1)).enumerate() {
            self.interleave(o, scale, &mut line[..row]);
            let mut filled = row;
            while filled < line.len() {
                let more = row.min(line.len() - filled);
                line.copy_within(..more, filled);
                filled += more;
            }
        }
        let mut values = Vec::with_capacity(out * line);
        while values.len() < out * line {
            let more = lines.len().min(out * line - values.len());
            values.extend_from_slice(&lines[..more]);
        }
        values
    }

    /// Output `o` of the block with positions fastest: `[I, P]`.
    fn interleave(&self, o: usize, scale: f32, row: &mut [f32]) {
        let positions = self.positions();
        for p in 0..positions {
            let start = (p * self.outputs + o) * self.inputs;
            let source = &self.values[start..start + self.inputs];
            for (value, to) in source.iter().zip(row[p..].iter_mut().step_by(positions)) {
                *to = value * scale;
            }
        }
    }

    /// Tokens of a position encoding `[tokens, width]` from a block of one output whose inputs are
    /// channels; channels are tiled.
    pub fn tokens(&self, width: usize) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.positions() * width);
        for token in self.values.chunks_exact(self.outputs * self.inputs) {
            values.extend(token[..self.inputs].iter().cycle().take(width));
        }
        values
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
    fn tiling_repeats_outputs_and_inputs_but_no_positions() {
        // Two positions, two outputs, three inputs.
        let values: Vec<f32> = (0..12).map(|v| v as f32).collect();
        let block = Block {
            outputs: 2,
            inputs: 3,
            values: &values,
        };
        let (out, input) = (5, 4);
        let tiled = block.tiled(out, input, 2.0);
        assert_eq!(tiled.len(), out * input * 2);
        for o in 0..out {
            for i in 0..input {
                for p in 0..2 {
                    let expected = 2.0 * values[(p * 2 + o % 2) * 3 + i % 3];
                    assert_eq!(tiled[(o * input + i) * 2 + p], expected);
                }
            }
        }
    }

    #[test]
    fn blocks_larger_than_the_weight_are_cut() {
        let values: Vec<f32> = (0..12).map(|v| v as f32).collect();
        let block = Block {
            outputs: 4,
            inputs: 3,
            values: &values,
        };
        assert_eq!(block.tiled(2, 2, 1.0), [0.0, 1.0, 3.0, 4.0]);
    }

    #[test]
    fn resizing_keeps_a_linear_ramp_inside_and_clamps_at_the_rim() {
        // One row of four pixels to eight: torch gives 0, .25, .75, 1.25, ... 2.75, 3.
        let out = resized(&[0.0, 1.0, 2.0, 3.0], [1, 4], [1, 8]);
        assert_eq!(out, [0.0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0]);
    }
}
