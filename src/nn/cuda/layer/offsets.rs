//! Coordinates of the offsets within a window.

use super::{Context, InputGradients, Kept, Layer};
use crate::arch::Offsets;
use crate::nn::cuda::memory::{Buffer, View};
use crate::nn::error::NnError;

/// Writes `[side, side, 2]`, once a batch.
pub struct OffsetCoordinates(pub Offsets);

impl Layer for OffsetCoordinates {
    fn forward(&self, cx: &mut Context<'_>, _inputs: &[View], output: View) -> Result<(), NnError> {
        Ok(cx.narrow(cx.constants[0], output)?)
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        _kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        cx.give(gradient);
        Ok(Vec::new())
    }

    fn constants(&self) -> Vec<Vec<u32>> {
        vec![self.0.coordinates().into_iter().map(f32::to_bits).collect()]
    }
}
