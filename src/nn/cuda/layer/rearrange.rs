//! Moves of pixels and tokens: into windows and back, patches side by side, one token alone.

use super::{Context, InputGradients, Kept, Layer};
use crate::nn::cuda::argument::Argument;
use crate::nn::cuda::driver::Address;
use crate::nn::cuda::grid;
use crate::nn::cuda::memory::{Buffer, View};
use crate::nn::device::DeviceError;
use crate::nn::error::NnError;

/// Copies rows of channels to other places of the same sample; no row goes to two places.
pub struct Rearrange {
    pub channels: usize,
    /// For each row of the output the row of the input, if any.
    pub source: Vec<Option<usize>>,
    /// For each row of the input the row of the output, if any.
    pub target: Vec<Option<usize>>,
}

/// Rows as kernels take them: `NOWHERE` of attention.cuh where there is none.
pub fn table(rows: &[Option<usize>]) -> Vec<u32> {
    let number = |row: &Option<usize>| row.map_or(u32::MAX, |r| r as u32);
    rows.iter().map(number).collect()
}

/// Row `r` of every sample of `y` is row `source[r]` of that sample of `x`; `rows` are those of a sample
/// of `x` and of `y`.
pub fn gather(
    cx: &mut Context<'_>,
    x: View,
    source: Address,
    y: View,
    rows: [usize; 2],
    channels: usize,
) -> Result<(), DeviceError> {
    let all = y.values / channels;
    let arguments = [
        x.into(),
        Argument::Address(source),
        y.into(),
        Argument::count(all / rows[1]),
        Argument::count(rows[0]),
        Argument::count(rows[1]),
        Argument::count(channels),
    ];
    let grid = grid::stream(all, channels, cx.precision);
    cx.launch_typed("gather", grid, &arguments)
}

impl Layer for Rearrange {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        let rows = [self.target.len(), self.source.len()];
        let source = cx.constants[0];
        Ok(gather(cx, inputs[0], source, output, rows, self.channels)?)
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        _kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        let rows = [self.source.len(), self.target.len()];
        let samples = gradient.values() / self.channels / rows[0];
        let dx = cx.take(samples * rows[1] * self.channels)?;
        let target = cx.constants[1];
        gather(cx, gradient.view(), target, dx.view(), rows, self.channels)?;
        cx.give(gradient);
        Ok(vec![Some(dx)])
    }

    fn constants(&self) -> Vec<Vec<u32>> {
        vec![table(&self.source), table(&self.target)]
    }
}
