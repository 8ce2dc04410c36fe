//! A part that is missing.

use super::{Context, InputGradients, Kept, Layer};
use crate::nn::cuda;
use crate::nn::error::NnError;
use crate::nn::network::Buffer;

/// Zeros, whatever the input.
pub struct Zeros;

impl Layer for Zeros {
    fn forward(
        &mut self,
        _cx: &mut Context<'_>,
        _inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        output.fill(0.0);
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
        vec![None]
    }

    fn on_device(&self) -> Box<dyn cuda::Layer> {
        Box::new(cuda::layer::zeros::Zeros)
    }
}
