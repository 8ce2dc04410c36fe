//! Small dense algebra for the GHN: layers as plain row-major arrays.
//!
//! Letters: `n` rows, `I` inputs, `O` outputs.

use crate::nn::matmul::{Fill, View, multiply_parallel, multiply_stacked};

/// A fully connected layer: `weight` is `[O, I]`, `bias` is `[O]`.
#[derive(Clone, Debug)]
pub(super) struct Dense {
    pub inputs: usize,
    pub outputs: usize,
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

impl Dense {
    /// `x` is `[n, I]`, the result `[n, O]`.
    pub fn apply(&self, x: &[f32]) -> Vec<f32> {
        let rows = x.len() / self.inputs;
        let mut y = self.bias.repeat(rows);
        let x = View::dense(x, rows, self.inputs);
        multiply_parallel(&mut y, x, self.matrix().transposed(), Fill::Accumulate);
        y
    }

    /// `x` is `[I, n]`, the result `[O, n]`: a column for each input vector.
    pub fn apply_to_columns(&self, x: &[f32]) -> Vec<f32> {
        let cols = x.len() / self.inputs;
        let mut y = spread(self.bias.iter(), cols);
        let x = View::dense(x, self.inputs, cols);
        multiply_parallel(&mut y, self.matrix(), x, Fill::Accumulate);
        y
    }

    /// [`Dense::apply_to_columns`] for some of the outputs: groups of `height` neighbours, of which the `i`th
    /// begins at `first(i)`. The result is `[groups, height, n]`.
    pub fn apply_groups(
        &self,
        x: &[f32],
        [groups, height]: [usize; 2],
        first: impl Fn(usize) -> usize + Sync,
    ) -> Vec<f32> {
        let cols = x.len() / self.inputs;
        let biases = (0..groups).flat_map(|i| &self.bias[first(i)..first(i) + height]);
        let mut y = spread(biases, cols);
        let group = |i| self.rows(first(i), height, 1);
        let x = View::dense(x, self.inputs, cols);
        multiply_stacked(&mut y, height, group, x);
        y
    }

    /// The weight.
    fn matrix(&self) -> View<'_> {
        View::dense(&self.weight, self.outputs, self.inputs)
    }

    /// `count` rows of the weight, `step` rows apart.
    pub fn rows(&self, first: usize, count: usize, step: usize) -> View<'_> {
        let from = first * self.inputs;
        View::new(&self.weight[from..], count, self.inputs, step * self.inputs)
    }
}

/// A row of `cols` equal values for each value.
pub(super) fn spread<'a>(values: impl Iterator<Item = &'a f32>, cols: usize) -> Vec<f32> {
    let mut rows = Vec::with_capacity(values.size_hint().0 * cols);
    for value in values {
        rows.resize(rows.len() + cols, *value);
    }
    rows
}

/// A matrix with `columns` columns, transposed.
pub(super) fn transposed(matrix: &[f32], columns: usize) -> Vec<f32> {
    let rows = matrix.len() / columns;
    let mut turned = Vec::with_capacity(matrix.len());
    for c in 0..columns {
        turned.extend((0..rows).map(|r| matrix[r * columns + c]));
    }
    turned
}

/// Rectifies in place.
pub(super) fn relu(x: &mut [f32]) {
    for v in x {
        *v = v.max(0.0);
    }
}

/// A layer for one vector at a time: the weight is transposed to `[I, O]`, so that the inner loop
/// runs over outputs that lie side by side.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    outputs: usize,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Columns {
    pub fn of(dense: &Dense) -> Self {
        let (inputs, outputs) = (dense.inputs, dense.outputs);
        let mut weight = vec![0.0; inputs * outputs];
        for o in 0..outputs {
            for i in 0..inputs {
                weight[i * outputs + o] = dense.weight[o * inputs + i];
            }
        }
        Self {
            outputs,
            weight,
            bias: dense.bias.clone(),
        }
    }

    pub const fn outputs(&self) -> usize {
        self.outputs
    }

    /// `x` is `[I]`, `y` is `[O]`.
    pub fn apply(&self, x: &[f32], y: &mut [f32]) {
        y.copy_from_slice(&self.bias);
        for (x, column) in x.iter().zip(self.weight.chunks_exact(self.outputs)) {
            for (y, w) in y.iter_mut().zip(column) {
                *y += x * w;
            }
        }
    }
}

impl Columns {
    /// Weights, then biases.
    #[cfg(test)]
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut f32> {
        self.weight.iter_mut().chain(&mut self.bias)
    }

    /// The same layer, all zero.
    pub fn zeros(&self) -> Self {
        Self {
            outputs: self.outputs,
            weight: vec![0.0; self.weight.len()],
            bias: vec![0.0; self.bias.len()],
        }
    }

    /// Adds to the derivatives by `x`, `[I]`, and by the layer, from those by the result, `[O]`.
    pub fn back(&self, x: &[f32], by_y: &[f32], by_x: &mut [f32], gradient: &mut Self) {
        let columns = self.weight.chunks_exact(self.outputs);
        let sums = gradient.weight.chunks_exact_mut(self.outputs);
        for (((x, by_x), column), sums) in x.iter().zip(by_x).zip(columns).zip(sums) {
            let mut by = 0.0;
            for ((w, sum), y) in column.iter().zip(sums).zip(by_y) {
                by += w * y;
                *sum += x * y;
            }
            *by_x += by;
        }
        for (sum, y) in gradient.bias.iter_mut().zip(by_y) {
            *sum += y;
        }
    }
}

/// Layer norm over the last dimension: `x` is `[n, C]`.
#[derive(Clone, Debug)]
pub(super) struct LayerNorm {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

/// torch's default.
const EPS: f64 = 1e-5;

impl LayerNorm {
    pub fn apply(&self, x: &mut [f32]) {
        let width = self.weight.len();
        for row in x.chunks_exact_mut(width) {
            let mean = row.iter().map(|v| f64::from(*v)).sum::<f64>() / width as f64;
            let square = |v: &f32| (f64::from(*v) - mean).powi(2);
            let variance = row.iter().map(square).sum::<f64>() / width as f64;
            let scale = 1.0 / (variance + EPS).sqrt();
            for ((v, w), b) in row.iter_mut().zip(&self.weight).zip(&self.bias) {
                *v = ((f64::from(*v) - mean) * scale) as f32 * w + b;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn all_forms_of_a_layer_agree() {
        let mut rng = crate::random::stream(1, "test");
        for (inputs, outputs) in [(1, 1), (3, 7), (32, 96)] {
            let mut draw =
                |n: usize| -> Vec<f32> { (0..n).map(|_| rng.random_range(-1.0..1.0)).collect() };
            let dense = Dense {
                inputs,
                outputs,
                weight: draw(inputs * outputs),
                bias: draw(outputs),
            };
            let x = draw(2 * inputs);
            let batch = dense.apply(&x);
            let columns = dense.apply_to_columns(&transposed(&x, inputs));
            let columns = transposed(&columns, 2);
            let mut y = vec![0.0; outputs];
            for row in 0..2 {
                Columns::of(&dense).apply(&x[row * inputs..(row + 1) * inputs], &mut y);
                for other in [&batch, &columns] {
                    for (a, b) in y.iter().zip(&other[row * outputs..]) {
                        // Two orders of summation of at most 32 terms below one.
                        assert!((a - b).abs() < 1e-5, "{a} {b}");
                    }
                }
            }
        }
    }
}
