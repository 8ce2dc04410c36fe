//! A part that is missing.

use super::{Context, InputGradients, Kept, Layer};
use crate::nn::cuda::memory::{Buffer, View};
use crate::nn::error::NnError;

/// Zeros, whatever the input.
pub struct Zeros;

impl Layer for Zeros {
    fn forward(&self, cx: &mut Context<'_>, _inputs: &[View], output: View) -> Result<(), NnError> {
        // In both precisions zero has no bit set.
        let bytes = output.values * cx.precision.bytes();
        Ok(cx.driver.clear(output.address, bytes)?)
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        _kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        cx.give(gradient);
        Ok(vec![None])
    }
}
