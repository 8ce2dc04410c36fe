//! Squeeze and excitation's product.

use super::{Context, InputGradients, Kept, Layer};
use crate::nn::cuda::argument::Argument;
use crate::nn::cuda::grid::{self, Columns};
use crate::nn::cuda::memory::{Buffer, View};
use crate::nn::device::DeviceError;
use crate::nn::error::NnError;

/// The first input times the second, a factor per sample and channel.
pub struct Gate {
    pub channels: usize,
}

impl Gate {
    /// `y = x factors`; `y` may be `x`.
    fn multiply(
        &self,
        cx: &mut Context<'_>,
        x: View,
        factors: View,
        y: View,
    ) -> Result<(), DeviceError> {
        let rows = y.values / self.channels;
        let arguments = [
            x.into(),
            factors.into(),
            y.into(),
            Argument::count(rows),
            Argument::count(rows / cx.batch),
            Argument::count(self.channels),
        ];
        let grid = grid::stream(rows, self.channels, cx.precision);
        cx.launch_typed("gate", grid, &arguments)
    }
}

impl Layer for Gate {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        self.multiply(cx, inputs[0], inputs[1], output)?;
        let factors = cx.copied(inputs[1])?;
        cx.save(factors);
        Ok(())
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        let (x, factors) = (kept.input(), kept.saved[0].view());
        let dfactors = cx.take(factors.values)?;
        let pixels = x.values / self.channels / cx.batch;
        let arguments = [
            x.into(),
            (&gradient).into(),
            (&dfactors).into(),
            Argument::count(pixels),
            Argument::count(self.channels),
        ];
        let grid = Columns::per_sample(self.channels, cx.batch);
        cx.launch_typed("gate_gradient", grid, &arguments)?;
        self.multiply(cx, gradient.view(), factors, gradient.view())?;
        Ok(vec![Some(gradient), Some(dfactors)])
    }
}
