//! The sum of two branches.

use super::{Context, InputGradients, Kept, Layer};
use crate::nn::cuda::argument::Argument;
use crate::nn::cuda::grid;
use crate::nn::cuda::memory::{Buffer, View};
use crate::nn::device::DeviceError;
use crate::nn::error::NnError;

pub struct Add;

impl Layer for Add {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        Ok(sum(cx, inputs[0], inputs[1], output)?)
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        _kept: Kept<'_>,
        gradient: Buffer,
        wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        let copy = if wanted[0] {
            Some(cx.copied(gradient.view())?)
        } else {
            None
        };
        Ok(vec![copy, Some(gradient)])
    }
}

/// `y = a + b`; `y` may be either.
pub fn sum(cx: &mut Context<'_>, a: View, b: View, y: View) -> Result<(), DeviceError> {
    let arguments = [
        a.into(),
        b.into(),
        y.into(),
        Argument::Wide(y.values as u64),
    ];
    cx.launch_typed("add", grid::flat(y.values, cx.precision), &arguments)
}
