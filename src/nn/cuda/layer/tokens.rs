//! What a vision transformer adds to its patches: a token before them, a vector for every place.

use super::columns::{Totals, add_sums};
use super::rearrange::gather;
use super::{Context, InputGradients, Kept, Layer};
use crate::nn::cuda::argument::Argument;
use crate::nn::cuda::grid;
use crate::nn::cuda::memory::{Buffer, View};
use crate::nn::error::NnError;
use crate::nn::network::TensorIndex;

/// Puts a learnt token before those of every sample: `[N, C]` to `[N + 1, C]`.
pub struct ClassToken {
    /// `[C]`.
    pub token: TensorIndex,
    /// `N`.
    pub tokens: usize,
}

impl Layer for ClassToken {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        let channels = cx.tensors.length(self.token);
        let rows = output.values / channels;
        let arguments = [
            inputs[0].into(),
            Argument::Address(cx.tensors.value(self.token)),
            output.into(),
            Argument::count(rows / (self.tokens + 1)),
            Argument::count(self.tokens),
            Argument::count(channels),
        ];
        let grid = grid::stream(rows, channels, cx.precision);
        Ok(cx.launch_typed("class_token", grid, &arguments)?)
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        _kept: Kept<'_>,
        gradient: Buffer,
        wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        let channels = cx.tensors.length(self.token);
        let with = self.tokens + 1;
        let samples = gradient.values() / channels / with;
        let [first, others] = [cx.constants[0], cx.constants[1]];
        let token = cx.take(samples * channels)?;
        gather(
            cx,
            gradient.view(),
            first,
            token.view(),
            [with, 1],
            channels,
        )?;
        let totals = Totals::one(cx.tensors.gradient(self.token), channels);
        add_sums(cx, token.view(), channels, totals)?;
        cx.give(token);
        let dx = if wanted[0] {
            let dx = cx.take(samples * self.tokens * channels)?;
            let rows = [with, self.tokens];
            gather(cx, gradient.view(), others, dx.view(), rows, channels)?;
            Some(dx)
        } else {
            None
        };
        cx.give(gradient);
        Ok(vec![dx])
    }

    fn constants(&self) -> Vec<Vec<u32>> {
        vec![vec![0], (1..=self.tokens as u32).collect()]
    }
}

/// Adds the same learnt values to every sample.
pub struct PositionEmbedding {
    /// As many values as a sample.
    pub places: TensorIndex,
}

impl Layer for PositionEmbedding {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        // A bias over rows that are whole samples.
        let values = cx.tensors.length(self.places);
        let samples = output.values / values;
        let arguments = [
            inputs[0].into(),
            Argument::Address(cx.tensors.value(self.places)),
            output.into(),
            Argument::count(samples),
            Argument::count(values),
        ];
        let grid = grid::stream(samples, values, cx.precision);
        Ok(cx.launch_typed("bias_add", grid, &arguments)?)
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        _kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        let values = cx.tensors.length(self.places);
        let totals = Totals::one(cx.tensors.gradient(self.places), values);
        add_sums(cx, gradient.view(), values, totals)?;
        Ok(vec![Some(gradient)])
    }
}
