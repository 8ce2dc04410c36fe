//! Squeeze and excitation's product.

use super::{Context, InputGradients, Keeps, Kept, Layer};
use crate::nn::cuda;
use crate::nn::error::NnError;
use crate::nn::kernel::gate;
use crate::nn::network::Buffer;

/// The first input times the second, a factor per sample and channel.
pub struct Gate {
    pub channels: usize,
    /// The last batch's factors, `[batch, channels]`.
    pub gates: Vec<f32>,
}

impl Layer for Gate {
    fn keeps(&self) -> Keeps {
        Keeps {
            input: true,
            ..Keeps::default()
        }
    }

    fn forward(
        &mut self,
        _cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        self.gates.clear();
        self.gates.extend_from_slice(inputs[1]);
        gate::forward(inputs[0], &self.gates, self.channels, output);
        Ok(())
    }

    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        kept: Kept<'_>,
        mut gradient: Buffer,
        _wanted: &[bool],
    ) -> InputGradients {
        let mut gates = cx.pool.take(self.gates.len());
        gate::backward(
            kept.input(),
            &self.gates,
            self.channels,
            &mut gradient,
            &mut gates,
        );
        vec![Some(gradient), Some(gates)]
    }

    fn on_device(&self) -> Box<dyn cuda::Layer> {
        Box::new(cuda::layer::gate::Gate {
            channels: self.channels,
        })
    }
}
