//! Layer normalisation over the channels of every position.

use super::columns::{Totals, add_totals};
use super::{Context, InputGradients, Kept, Layer};
use crate::nn::cuda::argument::Argument;
use crate::nn::cuda::grid::{self, Columns};
use crate::nn::cuda::memory::{Buffer, View};
use crate::nn::device::DeviceError;
use crate::nn::error::NnError;
use crate::nn::network::TensorIndex;

pub struct LayerNorm {
    /// First of weight and bias.
    pub tensors: TensorIndex,
    pub channels: usize,
    pub eps: f32,
}

impl LayerNorm {
    fn parameter_gradients(
        &self,
        cx: &mut Context<'_>,
        x: View,
        stats: &Buffer,
        gradient: &Buffer,
    ) -> Result<(), DeviceError> {
        let rows = x.values / self.channels;
        let columns = Columns::new(rows, self.channels);
        let partials = cx.floats(columns.parts * 2 * self.channels)?;
        let arguments = [
            x.into(),
            stats.into(),
            gradient.into(),
            (&partials).into(),
            Argument::count(rows),
            Argument::count(self.channels),
            Argument::count(columns.rows_per_part),
        ];
        cx.launch_typed("layer_norm_parameter_sums", columns.grid(), &arguments)?;
        let totals = Totals {
            first: cx.tensors.gradient(self.tensors),
            columns_of_first: self.channels,
            second: Some(cx.tensors.gradient(self.tensors + 1)),
            factor: 1.0,
        };
        let both = 2 * self.channels;
        add_totals(cx, partials.view(), columns.parts, both, totals)?;
        cx.give(partials);
        Ok(())
    }
}

impl Layer for LayerNorm {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        let rows = output.values / self.channels;
        let stats = cx.floats(2 * rows)?;
        let arguments = [
            inputs[0].into(),
            Argument::Address(cx.tensors.value(self.tensors)),
            Argument::Address(cx.tensors.value(self.tensors + 1)),
            self.eps.into(),
            output.into(),
            (&stats).into(),
            Argument::count(rows),
            Argument::count(self.channels),
        ];
        cx.launch_typed("layer_norm_forward", grid::rows(rows), &arguments)?;
        cx.save(stats);
        Ok(())
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        let (x, stats) = (kept.input(), &kept.saved[0]);
        self.parameter_gradients(cx, x, stats, &gradient)?;
        let rows = x.values / self.channels;
        let arguments = [
            x.into(),
            stats.into(),
            Argument::Address(cx.tensors.value(self.tensors)),
            (&gradient).into(),
            (&gradient).into(),
            Argument::count(rows),
            Argument::count(self.channels),
        ];
        cx.launch_typed("layer_norm_backward", grid::rows(rows), &arguments)?;
        Ok(vec![Some(gradient)])
    }
}
