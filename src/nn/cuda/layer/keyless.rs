//! Queries, keys and values whose keys have no bias.

use super::columns::{Totals, add_sums};
use super::{Context, InputGradients, Kept, Layer};
use crate::nn::cuda::argument::Argument;
use crate::nn::cuda::grid;
use crate::nn::cuda::memory::{Buffer, View};
use crate::nn::device::{DeviceError, Precision};
use crate::nn::error::NnError;
use crate::nn::network::TensorIndex;

/// A linear layer to `[M, 3 C]` that uses its bias's first and last third only.
pub struct Keyless {
    /// Without its bias.
    pub linear: Box<dyn Layer>,
    /// `[3 C]`.
    pub bias: TensorIndex,
}

impl Keyless {
    /// Bytes of a third of the bias, and its values.
    fn third(&self, cx: &Context<'_>) -> (usize, usize) {
        let values = cx.tensors.length(self.bias) / 3;
        (values * size_of::<f32>(), values)
    }

    /// Adds the gradient of the thirds that are used.
    fn add_bias_gradient(&self, cx: &mut Context<'_>, gradient: View) -> Result<(), DeviceError> {
        let (bytes, third) = self.third(cx);
        let sums = cx.floats(3 * third)?;
        cx.driver.clear(sums.address(), 3 * bytes)?;
        let totals = Totals::one(sums.address(), 3 * third);
        add_sums(cx, gradient, 3 * third, totals)?;
        cx.driver.clear(sums.address() + bytes as u64, bytes)?;
        let into = Argument::Address(cx.tensors.gradient(self.bias));
        let values = Argument::Wide(3 * third as u64);
        let arguments = [into, (&sums).into(), into, values];
        let grid = grid::flat(3 * third, Precision::F32);
        cx.launch("add_f32", grid, &arguments)?;
        cx.give(sums);
        Ok(())
    }
}

impl Layer for Keyless {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        self.linear.forward(cx, inputs, output)?;
        let (bytes, third) = self.third(cx);
        let used = cx.floats(3 * third)?;
        let bias = cx.tensors.value(self.bias);
        cx.driver.copy(bias, used.address(), 3 * bytes)?;
        cx.driver.clear(used.address() + bytes as u64, bytes)?;
        let rows = output.values / (3 * third);
        let arguments = [
            output.into(),
            (&used).into(),
            output.into(),
            Argument::count(rows),
            Argument::count(3 * third),
        ];
        let grid = grid::stream(rows, 3 * third, cx.precision);
        cx.launch_typed("bias_add", grid, &arguments)?;
        cx.give(used);
        Ok(())
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        kept: Kept<'_>,
        gradient: Buffer,
        wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        self.add_bias_gradient(cx, gradient.view())?;
        self.linear.backward(cx, kept, gradient, wanted)
    }
}
