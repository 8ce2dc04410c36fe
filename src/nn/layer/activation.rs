//! Activations on their own.

use super::{Context, Finish, InputGradients, Joins, Keeps, Kept, Layer};
use crate::arch::Activation;
use crate::nn::cuda;
use crate::nn::error::NnError;
use crate::nn::kernel::activation;
use crate::nn::network::Buffer;

/// An activation that no batch norm precedes.
pub struct Activate(pub Activation);

impl Layer for Activate {
    fn keeps(&self) -> Keeps {
        // The output of a clamp is what the next layer is likely to keep anyway.
        let output = activation::bounds(self.0).is_some();
        Keeps {
            input: !output,
            output,
            ..Keeps::default()
        }
    }

    fn forward(
        &mut self,
        _cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        activation::forward(self.0, inputs[0], output);
        Ok(())
    }

    fn joins(&self) -> Joins {
        Joins::Finish
    }

    fn finish(&self, _cx: &Context<'_>) -> Finish {
        Finish {
            activation: Some(self.0),
            ..Finish::default()
        }
    }

    fn backward(
        &mut self,
        _cx: &mut Context<'_>,
        kept: Kept<'_>,
        mut gradient: Buffer,
        _wanted: &[bool],
    ) -> InputGradients {
        match activation::bounds(self.0) {
            Some(bounds) => activation::mask(bounds, kept.output, &mut gradient),
            None => activation::backward(self.0, kept.input(), &mut gradient),
        }
        vec![Some(gradient)]
    }

    fn on_device(&self) -> Box<dyn cuda::Layer> {
        Box::new(cuda::layer::activation::Activate(self.0))
    }
}
