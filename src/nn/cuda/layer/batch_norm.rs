//! Batch normalisation, together with the residual sum and the activation behind it.
//!
//! A ReLU runs in the same kernel; other activations run behind it.

use super::{Context, InputGradients, Kept, Layer, activation};
use crate::arch::Activation;
use crate::nn::cuda::argument::Argument;
use crate::nn::cuda::grid::{self, Columns};
use crate::nn::cuda::memory::{Buffer, View};
use crate::nn::device::DeviceError;
use crate::nn::error::NnError;
use crate::nn::network::{Mode, TensorIndex};

/// `activation(norm(x) + residual)`: the second input is the residual if there is one.
pub struct BatchNorm {
    pub path: String,
    /// First of weight, bias and, if tracked, running mean, running variance, batch counter.
    pub tensors: TensorIndex,
    pub channels: usize,
    pub eps: f64,
    pub momentum: f64,
    /// Whether there are running moments; without them the batch's own are always used.
    pub tracked: bool,
    pub activation: Option<Activation>,
}

impl BatchNorm {
    fn has_relu(&self) -> bool {
        self.activation == Some(Activation::Relu)
    }

    /// The activation that runs by itself.
    fn curve(&self) -> Option<Activation> {
        self.activation.filter(|_| !self.has_relu())
    }

    /// Mean, `1 / sigma`, factor and offset per channel, `[4, C]`, from the batch or the running
    /// moments.
    fn statistics(&self, cx: &mut Context<'_>, x: View) -> Result<Buffer, NnError> {
        let statistics = cx.floats(4 * self.channels)?;
        if cx.mode == Mode::Eval && self.tracked {
            self.running_statistics(cx, &statistics)?;
        } else {
            self.batch_statistics(cx, x, &statistics)?;
        }
        Ok(statistics)
    }

    fn running_statistics(&self, cx: &mut Context<'_>, to: &Buffer) -> Result<(), DeviceError> {
        let value = |i| Argument::Address(cx.tensors.value(self.tensors + i));
        let [mean, inverse, factor, offset] = self.quarters(to);
        let arguments = [
            value(2),
            value(3),
            Argument::count(self.channels),
            self.eps.into(),
            value(0),
            value(1),
            mean,
            inverse,
            factor,
            offset,
        ];
        let grid = grid::threads(self.channels);
        cx.launch("batch_norm_from_running", grid, &arguments)
    }

    fn batch_statistics(&self, cx: &mut Context<'_>, x: View, to: &Buffer) -> Result<(), NnError> {
        let rows = x.values / self.channels;
        if rows < 2 {
            return Err(NnError::TooFewValues {
                path: self.path.clone(),
            });
        }
        let columns = Columns::new(rows, self.channels);
        let shift = cx.floats(self.channels)?;
        let partials = cx.floats(columns.parts * 2 * self.channels)?;
        let arguments = [
            x.into(),
            (&shift).into(),
            (&partials).into(),
            Argument::count(rows),
            Argument::count(self.channels),
            Argument::count(columns.rows_per_part),
        ];
        cx.launch_typed("batch_norm_sums", columns.grid(), &arguments)?;
        let value = |i| cx.tensors.value(self.tensors + i);
        let moved = |i| Argument::maybe((cx.mode == Mode::Train && self.tracked).then(|| value(i)));
        let [mean, inverse, factor, offset] = self.quarters(to);
        let arguments = [
            (&partials).into(),
            (&shift).into(),
            Argument::count(columns.parts),
            Argument::count(rows),
            Argument::count(self.channels),
            self.eps.into(),
            self.momentum.into(),
            Argument::Address(value(0)),
            Argument::Address(value(1)),
            moved(2),
            moved(3),
            mean,
            inverse,
            factor,
            offset,
        ];
        cx.launch_totals("batch_norm_finalise", self.channels, &arguments)?;
        cx.give(shift);
        cx.give(partials);
        Ok(())
    }

    /// The rows of a `[4, C]` buffer of floats.
    fn quarters(&self, buffer: &Buffer) -> [Argument; 4] {
        let row = |i: usize| buffer.address() + (i * self.channels * size_of::<f32>()) as u64;
        [0, 1, 2, 3].map(|i| Argument::Address(row(i)))
    }

    /// Adds the gradients of weight and bias; the numbers a, u, v of the input's gradient, as the
    /// first three rows of `[4, C]`.
    fn parameter_gradients(
        &self,
        cx: &mut Context<'_>,
        x: View,
        y: Argument,
        gradient: &Buffer,
        statistics: &Buffer,
    ) -> Result<Buffer, DeviceError> {
        let rows = x.values / self.channels;
        let columns = Columns::new(rows, self.channels);
        let partials = cx.floats(columns.parts * 2 * self.channels)?;
        let [mean, inverse, ..] = self.quarters(statistics);
        let arguments = [
            x.into(),
            gradient.into(),
            y,
            mean,
            (&partials).into(),
            Argument::count(rows),
            Argument::count(self.channels),
            Argument::count(columns.rows_per_part),
        ];
        cx.launch_typed("batch_norm_gradient_sums", columns.grid(), &arguments)?;
        let numbers = cx.floats(4 * self.channels)?;
        let [a, u, v, _] = self.quarters(&numbers);
        let arguments = [
            (&partials).into(),
            Argument::count(columns.parts),
            Argument::count(rows),
            Argument::count(self.channels),
            Argument::Address(cx.tensors.value(self.tensors)),
            inverse,
            Argument::Address(cx.tensors.gradient(self.tensors)),
            Argument::Address(cx.tensors.gradient(self.tensors + 1)),
            a,
            u,
            v,
        ];
        cx.launch_totals("batch_norm_gradient_finalise", self.channels, &arguments)?;
        cx.give(partials);
        Ok(numbers)
    }
}

impl Layer for BatchNorm {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        let statistics = self.statistics(cx, inputs[0])?;
        let rows = output.values / self.channels;
        let [_, _, factor, offset] = self.quarters(&statistics);
        // What the curve's slope is taken at.
        let before = match self.curve() {
            Some(_) => Some(cx.take(output.values)?),
            None => None,
        };
        let normed = before.as_ref().map_or(output, Buffer::view);
        let arguments = [
            inputs[0].into(),
            Argument::maybe(inputs.get(1).map(|r| r.address)),
            factor,
            offset,
            normed.into(),
            Argument::count(rows),
            Argument::count(self.channels),
            Argument::Count(u32::from(self.has_relu())),
        ];
        let grid = grid::stream(rows, self.channels, cx.precision);
        cx.launch_typed("batch_norm_apply", grid, &arguments)?;
        cx.save(statistics);
        if let (Some(curve), Some(before)) = (self.curve(), before) {
            activation::forward(cx, curve, before.view(), output)?;
            cx.save(before);
        }
        Ok(())
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        kept: Kept<'_>,
        gradient: Buffer,
        wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        let x = kept.input();
        let y = Argument::maybe(self.has_relu().then(|| kept.output().address));
        let statistics = &kept.saved[0];
        if let Some(curve) = self.curve() {
            activation::backward(cx, curve, kept.saved[1].view(), &gradient)?;
        }
        let numbers = self.parameter_gradients(cx, x, y, &gradient, statistics)?;
        // With a residual, the gradient itself goes on to it.
        let residual = wanted.get(1) == Some(&true);
        let dx = if residual {
            Some(cx.take(gradient.values())?)
        } else {
            None
        };
        let rows = x.values / self.channels;
        let [mean, ..] = self.quarters(statistics);
        let [a, u, v, _] = self.quarters(&numbers);
        let arguments = [
            x.into(),
            (&gradient).into(),
            y,
            mean,
            a,
            u,
            v,
            dx.as_ref().unwrap_or(&gradient).into(),
            Argument::maybe(residual.then(|| gradient.address())),
            Argument::count(rows),
            Argument::count(self.channels),
        ];
        let grid = grid::stream(rows, self.channels, cx.precision);
        cx.launch_typed("batch_norm_backward", grid, &arguments)?;
        cx.give(numbers);
        Ok(match dx {
            Some(dx) => vec![Some(dx), Some(gradient)],
            None => vec![Some(gradient)],
        })
    }

    fn counter(&self) -> Option<TensorIndex> {
        self.tracked.then_some(self.tensors + 4)
    }
}
