//! The end of a residual branch: layer scale, stochastic depth and the sum, as far as they are there.

use super::columns::{Totals, add_totals};
use super::dropout::{factor, threshold};
use super::{Context, InputGradients, Kept, Layer};
use crate::nn::cuda::argument::Argument;
use crate::nn::cuda::grid::{self, Columns};
use crate::nn::cuda::memory::{Buffer, View};
use crate::nn::device::DeviceError;
use crate::nn::error::NnError;
use crate::nn::network::{Mode, TensorIndex};

/// `keep * scale * h`, plus the second input if there is one. `keep` is a number per sample, `scale`
/// one per channel.
pub struct Branch {
    /// The layer scale.
    pub scale: Option<TensorIndex>,
    pub channels: usize,
    /// Probability of dropping a sample's branch.
    pub drop: f64,
}

impl Branch {
    /// This batch's factor per sample, unless all are one.
    fn draw(&self, cx: &mut Context<'_>) -> Result<Option<Buffer>, DeviceError> {
        let Some(random) = cx.random else {
            return Ok(None);
        };
        if cx.mode != Mode::Train || self.drop == 0.0 {
            return Ok(None);
        }
        let keep = cx.floats(cx.batch)?;
        let arguments = [
            (&keep).into(),
            Argument::count(cx.batch),
            Argument::Count(threshold(self.drop)),
            factor(self.drop).into(),
            Argument::Wide(random.seed),
            Argument::Count(cx.step),
            Argument::Address(random.step),
        ];
        let grid = grid::threads(cx.batch);
        cx.launch("stochastic_depth_draw", grid, &arguments)?;
        Ok(Some(keep))
    }

    /// `y = keep scale h + residual`.
    fn apply(
        &self,
        cx: &mut Context<'_>,
        h: View,
        residual: Option<View>,
        keep: Option<&Buffer>,
        y: View,
    ) -> Result<(), DeviceError> {
        let rows = y.values / self.channels;
        let arguments = [
            h.into(),
            Argument::maybe(residual.map(|r| r.address)),
            Argument::maybe(self.scale.map(|i| cx.tensors.value(i))),
            Argument::maybe(keep.map(Buffer::address)),
            y.into(),
            Argument::count(rows),
            Argument::count(rows / cx.batch),
            Argument::count(self.channels),
        ];
        let grid = grid::stream(rows, self.channels, cx.precision);
        cx.launch_typed("branch", grid, &arguments)
    }

    fn scale_gradient(
        &self,
        cx: &mut Context<'_>,
        scale: TensorIndex,
        h: View,
        gradient: &Buffer,
        keep: Option<&Buffer>,
    ) -> Result<(), DeviceError> {
        let rows = h.values / self.channels;
        let columns = Columns::new(rows, self.channels);
        let partials = cx.floats(columns.parts * self.channels)?;
        let arguments = [
            h.into(),
            gradient.into(),
            Argument::maybe(keep.map(Buffer::address)),
            (&partials).into(),
            Argument::count(rows),
            Argument::count(rows / cx.batch),
            Argument::count(self.channels),
            Argument::count(columns.rows_per_part),
        ];
        cx.launch_typed("branch_scale_sums", columns.grid(), &arguments)?;
        let totals = Totals::one(cx.tensors.gradient(scale), self.channels);
        add_totals(cx, partials.view(), columns.parts, self.channels, totals)?;
        cx.give(partials);
        Ok(())
    }
}

impl Layer for Branch {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        let keep = self.draw(cx)?;
        let residual = inputs.get(1).copied();
        self.apply(cx, inputs[0], residual, keep.as_ref(), output)?;
        if let Some(keep) = keep {
            cx.save(keep);
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
        let keep = kept.saved.first();
        if let Some(scale) = self.scale {
            self.scale_gradient(cx, scale, kept.input(), &gradient, keep)?;
        }
        if wanted.get(1) == Some(&true) {
            let dh = cx.take(gradient.values())?;
            self.apply(cx, gradient.view(), None, keep, dh.view())?;
            return Ok(vec![Some(dh), Some(gradient)]);
        }
        self.apply(cx, gradient.view(), None, keep, gradient.view())?;
        Ok(vec![Some(gradient)])
    }
}
