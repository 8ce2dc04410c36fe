//! Activations on their own.

use super::{Context, InputGradients, Kept, Layer};
use crate::arch::Activation;
use crate::nn::cuda::argument::Argument;
use crate::nn::cuda::grid;
use crate::nn::cuda::memory::{Buffer, View};
use crate::nn::device::DeviceError;
use crate::nn::error::NnError;

/// An activation that no batch norm precedes.
pub struct Activate(pub Activation);

/// The name of an activation's kernels.
pub const fn kernel(activation: Activation) -> &'static str {
    match activation {
        Activation::Relu => "relu",
        Activation::Relu6 => "relu6",
        Activation::Gelu => "gelu",
        Activation::Silu => "silu",
        Activation::Sigmoid => "sigmoid",
        Activation::Hardsigmoid => "hard_sigmoid",
        Activation::Hardswish => "hard_swish",
        Activation::Tanh => "tanh",
    }
}

/// `y = f(x)`; `y` may be `x`.
pub fn forward(
    cx: &mut Context<'_>,
    activation: Activation,
    x: View,
    y: View,
) -> Result<(), DeviceError> {
    let arguments = [x.into(), y.into(), Argument::Wide(y.values as u64)];
    let grid = grid::flat(y.values, cx.precision);
    let kernel = format!("{}_forward", kernel(activation));
    cx.launch_typed(&kernel, grid, &arguments)
}

/// Multiplies a gradient by the slope at `x`, or at the output for a clamp.
pub fn backward(
    cx: &mut Context<'_>,
    activation: Activation,
    x: View,
    gradient: &Buffer,
) -> Result<(), DeviceError> {
    let arguments = [
        x.into(),
        gradient.into(),
        gradient.into(),
        Argument::Wide(gradient.values() as u64),
    ];
    let grid = grid::flat(gradient.values(), cx.precision);
    let kernel = format!("{}_backward", kernel(activation));
    cx.launch_typed(&kernel, grid, &arguments)
}

impl Layer for Activate {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        Ok(forward(cx, self.0, inputs[0], output)?)
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        let known = match self.0 {
            // The processor's layer keeps a clamp's output, which has the same slope.
            Activation::Relu | Activation::Relu6 => kept.output(),
            _ => kept.input(),
        };
        backward(cx, self.0, known, &gradient)?;
        Ok(vec![Some(gradient)])
    }
}
