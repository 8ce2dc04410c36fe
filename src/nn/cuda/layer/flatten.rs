//! Images to vectors in PyTorch's order.

use super::{Context, InputGradients, Kept, Layer};
use crate::nn::cuda::argument::Argument;
use crate::nn::cuda::grid;
use crate::nn::cuda::memory::{Buffer, View};
use crate::nn::device::DeviceError;
use crate::nn::error::NnError;

/// `[H, W, C]` to a vector with the channels slowest.
pub struct FlattenImage {
    pub pixels: usize,
    pub channels: usize,
}

/// Side of the squares that the kernel moves.
const SQUARE: usize = 32;

/// Every sample's `rows` by `columns` matrix transposed.
fn transpose(
    cx: &mut Context<'_>,
    x: View,
    [rows, columns]: [usize; 2],
    y: View,
) -> Result<(), DeviceError> {
    let samples = y.values / (rows * columns);
    let arguments = [
        x.into(),
        y.into(),
        Argument::count(samples),
        Argument::count(rows),
        Argument::count(columns),
    ];
    let squares = samples * rows.div_ceil(SQUARE) * columns.div_ceil(SQUARE);
    cx.launch_typed("transpose", grid::line(squares), &arguments)
}

impl Layer for FlattenImage {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        Ok(transpose(
            cx,
            inputs[0],
            [self.pixels, self.channels],
            output,
        )?)
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        _kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        let dx = cx.take(gradient.values())?;
        let shape = [self.channels, self.pixels];
        transpose(cx, gradient.view(), shape, dx.view())?;
        cx.give(gradient);
        Ok(vec![Some(dx)])
    }
}
