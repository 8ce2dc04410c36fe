//! Queries, keys and values whose keys have no bias.

use super::conv::Conv2d;
use super::{Context, InputGradients, Keeps, Kept, Layer};
use crate::nn::cuda;
use crate::nn::error::NnError;
use crate::nn::kernel::rows;
use crate::nn::network::{Buffer, TensorIndex};

/// A linear layer to `[M, 3 C]` that uses its bias's first and last third only.
pub struct Keyless {
    /// Without its bias.
    pub linear: Conv2d,
    /// `[3 C]`.
    pub bias: TensorIndex,
}

impl Layer for Keyless {
    fn keeps(&self) -> Keeps {
        self.linear.keeps()
    }

    fn forward(
        &mut self,
        cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        self.linear.forward(cx, inputs, output)?;
        let mut bias = cx.tensors.value(self.bias).to_vec();
        let third = bias.len() / 3;
        bias[third..2 * third].fill(0.0);
        rows::add_to_rows(output, &bias);
        Ok(())
    }

    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        kept: Kept<'_>,
        gradient: Buffer,
        wanted: &[bool],
    ) -> InputGradients {
        let bias = cx.tensors.grad_mut(self.bias);
        let third = bias.len() / 3;
        let mut sums = rows::column_sums(&gradient, bias.len());
        sums[third..2 * third].fill(0.0);
        rows::add_f64(bias, &sums);
        self.linear.backward(cx, kept, gradient, wanted)
    }

    fn on_device(&self) -> Box<dyn cuda::Layer> {
        Box::new(cuda::layer::keyless::Keyless {
            linear: self.linear.on_device(),
            bias: self.bias,
        })
    }
}
