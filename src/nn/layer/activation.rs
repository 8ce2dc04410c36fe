//! ReLU and GELU on their own.

use super::{Context, InputGradients, Keeps, Kept, Layer};
use crate::nn::cuda;
use crate::nn::error::NnError;
use crate::nn::kernel::{activation, batch_norm};
use crate::nn::network::Buffer;

/// `max(x, 0)`. Its gradient at zero is zero.
pub struct Relu;

impl Layer for Relu {
    fn keeps(&self) -> Keeps {
        Keeps {
            input: false,
            output: true,
        }
    }

    fn forward(
        &mut self,
        _cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        activation::relu(inputs[0], output);
        Ok(())
    }

    fn backward(
        &mut self,
        _cx: &mut Context<'_>,
        kept: Kept<'_>,
        mut gradient: Buffer,
        _wanted: [bool; 2],
    ) -> InputGradients {
        batch_norm::mask(&mut gradient, kept.output);
        [Some(gradient), None]
    }

    fn on_device(&self) -> Option<Box<dyn cuda::Layer>> {
        Some(Box::new(cuda::layer::activation::Activation {
            kernel: "relu",
            from_output: true,
        }))
    }
}

/// The exact GELU.
pub struct Gelu;

impl Layer for Gelu {
    fn keeps(&self) -> Keeps {
        Keeps {
            input: true,
            output: false,
        }
    }

    fn forward(
        &mut self,
        _cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        activation::gelu(inputs[0], output);
        Ok(())
    }

    fn backward(
        &mut self,
        _cx: &mut Context<'_>,
        kept: Kept<'_>,
        mut gradient: Buffer,
        _wanted: [bool; 2],
    ) -> InputGradients {
        activation::gelu_backward(kept.input, &mut gradient);
        [Some(gradient), None]
    }

    fn on_device(&self) -> Option<Box<dyn cuda::Layer>> {
        Some(Box::new(cuda::layer::activation::Activation {
            kernel: "gelu",
            from_output: false,
        }))
    }
}
