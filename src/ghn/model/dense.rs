//! Small dense algebra for the GHN: layers as plain row-major arrays.
//!
//! Letters: `n` rows, `I` inputs, `O` outputs.

use candle_core::{Device, Tensor};

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
    pub fn apply(&self, x: &[f32]) -> Result<Vec<f32>, candle_core::Error> {
        product(x, self.inputs, &self.weight, &self.bias)
    }

    /// A layer of only some of the outputs, in the order given.
    pub fn rows(&self, rows: impl Iterator<Item = usize>) -> Self {
        let (mut weight, mut bias) = (Vec::new(), Vec::new());
        for row in rows {
            weight.extend_from_slice(&self.weight[row * self.inputs..(row + 1) * self.inputs]);
            bias.push(self.bias[row]);
        }
        Self {
            inputs: self.inputs,
            outputs: bias.len(),
            weight,
            bias,
        }
    }
}

/// `x [n, I] * weight [O, I] transposed + bias [O]`, as `[n, O]`.
pub(super) fn product(
    x: &[f32],
    inputs: usize,
    weight: &[f32],
    bias: &[f32],
) -> Result<Vec<f32>, candle_core::Error> {
    let (n, outputs) = (x.len() / inputs, bias.len());
    let x = Tensor::from_slice(x, (n, inputs), &Device::Cpu)?;
    let weight = Tensor::from_slice(weight, (outputs, inputs), &Device::Cpu)?;
    let mut y = x.matmul(&weight.t()?)?.flatten_all()?.to_vec1::<f32>()?;
    for row in y.chunks_exact_mut(outputs) {
        for (y, b) in row.iter_mut().zip(bias) {
            *y += b;
        }
    }
    Ok(y)
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
    fn both_forms_of_a_layer_agree() {
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
            let batch = dense.apply(&x).unwrap();
            let mut y = vec![0.0; outputs];
            for row in 0..2 {
                Columns::of(&dense).apply(&x[row * inputs..(row + 1) * inputs], &mut y);
                for (a, b) in y.iter().zip(&batch[row * outputs..]) {
                    // Two orders of summation of at most 32 terms below one.
                    assert!((a - b).abs() < 1e-5, "{a} {b}");
                }
            }
        }
    }
}
