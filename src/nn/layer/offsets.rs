//! Coordinates of the offsets within a window: a source that no image reaches.

use super::{Context, InputGradients, Kept, Layer};
use crate::arch::Offsets;
use crate::nn::cuda;
use crate::nn::error::NnError;
use crate::nn::network::Buffer;

/// Writes `[side, side, 2]`, once a batch.
pub struct OffsetCoordinates(pub Offsets);

impl Layer for OffsetCoordinates {
    fn forward(
        &mut self,
        _cx: &mut Context<'_>,
        _inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        output.copy_from_slice(&self.0.coordinates());
        Ok(())
    }

    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        _kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> InputGradients {
        cx.pool.give(gradient);
        Vec::new()
    }

    fn on_device(&self) -> Box<dyn cuda::Layer> {
        Box::new(cuda::layer::offsets::OffsetCoordinates(self.0))
    }
}
