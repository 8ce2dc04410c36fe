//! Small dense algebra for the GHN: layers as plain row-major arrays.
//!
//! Letters: `n` rows, `I` inputs, `O` outputs.

use std::borrow::Cow;

use super::weight::Weight;
use crate::nn::add_weighted_rows;
use crate::nn::matmul::{Fill, View, multiply_parallel, multiply_stacked};

/// A fully connected layer: `weight` is `[O, I]`, `bias` is `[O]`.
#[derive(Clone, Debug)]
pub(super) struct Dense {
    pub inputs: usize,
    pub outputs: usize,
    pub weight: Weight,
    pub bias: Option<Weight>,
}

impl Dense {
    /// `x` is `[n, I]`, the result `[n, O]`.
    pub fn apply(&self, x: &[f32]) -> Vec<f32> {
        let rows = x.len() / self.inputs;
        let mut y = match &self.bias {
            Some(bias) => bias.repeat(rows),
            None => vec![0.0; rows * self.outputs],
        };
        let x = View::dense(x, rows, self.inputs);
        multiply_parallel(&mut y, x, self.matrix().transposed(), Fill::Accumulate);
        y
    }

    /// `x` is `[I, n]`, the result `[O, n]`: a column for each input vector.
    pub fn apply_to_columns(&self, x: &[f32]) -> Vec<f32> {
        let cols = x.len() / self.inputs;
        let mut y = self.spread_bias(0..self.outputs, cols);
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
        let outputs = (0..groups).flat_map(|i| first(i)..first(i) + height);
        let mut y = self.spread_bias(outputs, cols);
        let group = |i| self.rows(first(i), height, 1);
        let x = View::dense(x, self.inputs, cols);
        multiply_stacked(&mut y, height, group, x);
        y
    }

    /// The biases of some outputs, each `cols` times in a row.
    pub fn spread_bias(&self, outputs: impl Iterator<Item = usize>, cols: usize) -> Vec<f32> {
        let mut rows = Vec::with_capacity(outputs.size_hint().0 * cols);
        for output in outputs {
            rows.resize(rows.len() + cols, self.bias_of(output));
        }
        rows
    }

    /// An output's bias; zero in a layer without.
    pub fn bias_of(&self, output: usize) -> f32 {
        self.bias.as_ref().map_or(0.0, |bias| bias[output])
    }

    /// The way back of [`Dense::apply`]: adds to the derivatives by the layer, from the `x` that it saw, `[n, I]`,
    /// and those by its result, `[n, O]`, and gives those by `x`.
    pub fn back(&self, x: &[f32], by_y: &[f32], gradient: &mut Self) -> Vec<f32> {
        let rows = x.len() / self.inputs;
        let x = View::dense(x, rows, self.inputs);
        let by_y_view = View::dense(by_y, rows, self.outputs);
        let by_weight = &mut gradient.weight;
        multiply_parallel(by_weight, by_y_view.transposed(), x, Fill::Accumulate);
        if let Some(by_bias) = &mut gradient.bias {
            for by_y in by_y.chunks_exact(self.outputs) {
                add(by_bias, by_y);
            }
        }
        let mut by_x = vec![0.0; rows * self.inputs];
        multiply_parallel(&mut by_x, by_y_view, self.matrix(), Fill::Overwrite);
        by_x
    }

    /// The way back of [`Dense::apply_to_columns`].
    pub fn back_from_columns(&self, x: &[f32], by_y: &[f32], gradient: &mut Self) -> Vec<f32> {
        self.back_from_groups(x, by_y, [1, self.outputs], |_| 0, gradient)
    }

    /// The way back of [`Dense::apply_groups`], whose groups must not overlap.
    pub fn back_from_groups(
        &self,
        x: &[f32],
        by_y: &[f32],
        [groups, height]: [usize; 2],
        first: impl Fn(usize) -> usize,
        gradient: &mut Self,
    ) -> Vec<f32> {
        let (rows, cols) = (groups * height, x.len() / self.inputs);
        let x = View::dense(x, self.inputs, cols);
        let by_y_view = View::dense(by_y, rows, cols);
        let place = |i: usize| first(i) * self.inputs..(first(i) + height) * self.inputs;
        let are_neighbours = (1..groups).all(|i| first(i) == first(0) + i * height);
        let weight: Cow<[f32]> = if are_neighbours {
            let from = first(0);
            let by_weight = &mut gradient.weight[from * self.inputs..][..rows * self.inputs];
            multiply_parallel(by_weight, by_y_view, x.transposed(), Fill::Accumulate);
            Cow::Borrowed(&self.weight[from * self.inputs..][..rows * self.inputs])
        } else {
            let mut by_weight = vec![0.0; rows * self.inputs];
            multiply_parallel(&mut by_weight, by_y_view, x.transposed(), Fill::Overwrite);
            for (i, by_group) in by_weight.chunks_exact(height * self.inputs).enumerate() {
                add(&mut gradient.weight[place(i)], by_group);
            }
            let groups = (0..groups).flat_map(|i| &self.weight[place(i)]);
            Cow::Owned(groups.copied().collect())
        };
        if let Some(by_bias) = &mut gradient.bias {
            for (row, by_y) in by_y.chunks_exact(cols).enumerate() {
                by_bias[first(row / height) + row % height] += by_y.iter().sum::<f32>();
            }
        }
        let mut by_x = vec![0.0; self.inputs * cols];
        let weight = View::dense(&weight, rows, self.inputs);
        multiply_parallel(&mut by_x, weight.transposed(), by_y_view, Fill::Overwrite);
        by_x
    }

    /// Its tensors.
    pub fn list<'a>(&'a mut self, all: &mut Vec<&'a mut Weight>) {
        all.push(&mut self.weight);
        all.extend(&mut self.bias);
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

/// Rectifies in place.
pub(super) fn relu(x: &mut [f32]) {
    for v in x {
        *v = v.max(0.0);
    }
}

/// Derivatives by a rectifier's input from those by its result.
pub(super) fn through_relu(by_result: &mut [f32], result: &[f32]) {
    for (by, result) in by_result.iter_mut().zip(result) {
        if *result <= 0.0 {
            *by = 0.0;
        }
    }
}

pub(super) fn add(to: &mut [f32], values: &[f32]) {
    for (to, value) in to.iter_mut().zip(values) {
        *to += value;
    }
}

/// A layer for one vector at a time: the weight lies by columns, so that the inner loop runs over outputs
/// that lie side by side.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    outputs: usize,
    weight: Weight,
    bias: Option<Weight>,
}

impl Columns {
    pub fn of(dense: Dense) -> Self {
        Self {
            outputs: dense.outputs,
            weight: dense.weight.by_columns(),
            bias: dense.bias,
        }
    }

    pub const fn outputs(&self) -> usize {
        self.outputs
    }

    /// `x` is `[I]`, `y` is `[O]`.
    pub fn apply(&self, x: &[f32], y: &mut [f32]) {
        match &self.bias {
            Some(bias) => y.copy_from_slice(bias),
            None => y.fill(0.0),
        }
        add_weighted_rows(x, &self.weight, y);
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
        if let Some(by_bias) = &mut gradient.bias {
            add(by_bias, by_y);
        }
    }

    /// Its tensors.
    pub fn list<'a>(&'a mut self, all: &mut Vec<&'a mut Weight>) {
        all.push(&mut self.weight);
        all.extend(&mut self.bias);
    }
}

/// Layer norm over the last dimension: `x` is `[n, C]`.
#[derive(Clone, Debug)]
pub(super) struct LayerNorm {
    pub weight: Weight,
    pub bias: Weight,
}

/// torch's default.
pub(super) const EPS: f64 = 1e-5;

impl LayerNorm {
    pub fn apply(&self, x: &mut [f32]) {
        let width = self.weight.len();
        for row in x.chunks_exact_mut(width) {
            let [mean, scale] = moments(row);
            for ((v, w), b) in row.iter_mut().zip(&*self.weight).zip(&*self.bias) {
                *v = ((f64::from(*v) - mean) * scale) as f32 * w + b;
            }
        }
    }

    /// Adds to the derivatives by the layer, from the `x` that it saw and those by its result, both `[n, C]`;
    /// the latter become those by `x`.
    pub fn back(&self, x: &[f32], by_y: &mut [f32], gradient: &mut Self) {
        let width = self.weight.len();
        for (x, by_y) in x.chunks_exact(width).zip(by_y.chunks_exact_mut(width)) {
            add(&mut gradient.bias, by_y);
            let [mean, scale] = moments(x);
            let normal = |x: f32| (f64::from(x) - mean) * scale;
            // Means of the derivatives by the normalised values, alone and with those values.
            let [mut flat, mut along] = [0.0; 2];
            for (i, (x, by)) in x.iter().zip(&mut *by_y).enumerate() {
                gradient.weight[i] += (f64::from(*by) * normal(*x)) as f32;
                *by *= self.weight[i];
                flat += f64::from(*by) / width as f64;
                along += f64::from(*by) * normal(*x) / width as f64;
            }
            for (x, by) in x.iter().zip(by_y) {
                *by = (scale * (f64::from(*by) - flat - normal(*x) * along)) as f32;
            }
        }
    }

    /// Its tensors.
    pub fn list<'a>(&'a mut self, all: &mut Vec<&'a mut Weight>) {
        all.extend([&mut self.weight, &mut self.bias]);
    }
}

/// A row's mean, and one over its deviation.
fn moments(row: &[f32]) -> [f64; 2] {
    let width = row.len() as f64;
    let mean = row.iter().map(|v| f64::from(*v)).sum::<f64>() / width;
    let square = |v: &f32| (f64::from(*v) - mean).powi(2);
    let variance = row.iter().map(square).sum::<f64>() / width;
    [mean, 1.0 / (variance + EPS).sqrt()]
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::super::weight::transposed;
    use super::*;

    #[test]
    fn all_forms_of_a_layer_agree() {
        let mut rng = crate::random::stream(1, "test");
        for (inputs, outputs) in [(1, 1), (3, 7), (32, 96)] {
            let mut draw =
                |n: usize| -> Vec<f32> { (0..n).map(|_| rng.random_range(-1.0..1.0)).collect() };
            let dense = Dense {
                inputs,
                outputs,
                weight: Weight::new("w".into(), vec![outputs, inputs], draw(inputs * outputs)),
                bias: Some(Weight::new("b".into(), vec![outputs], draw(outputs))),
            };
            let x = draw(2 * inputs);
            let batch = dense.apply(&x);
            let columns = dense.apply_to_columns(&transposed(&x, inputs));
            let columns = transposed(&columns, 2);
            let mut y = vec![0.0; outputs];
            for row in 0..2 {
                Columns::of(dense.clone()).apply(&x[row * inputs..(row + 1) * inputs], &mut y);
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
