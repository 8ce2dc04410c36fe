//! Layer normalisation over the channels of every position.

use super::{Context, InputGradients, Keeps, Kept, Layer};
use crate::nn::cuda;
use crate::nn::error::NnError;
use crate::nn::kernel::{layer_norm, rows};
use crate::nn::network::{Buffer, TensorIndex};

pub struct LayerNorm {
    /// First of weight and bias.
    pub tensors: TensorIndex,
    pub channels: usize,
    pub eps: f32,
    /// Mean and `1 / sigma` of every row of the last batch.
    pub stats: Vec<f32>,
}

impl Layer for LayerNorm {
    fn keeps(&self) -> Keeps {
        Keeps {
            input: true,
            ..Keeps::default()
        }
    }

    fn forward(
        &mut self,
        cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        self.stats.resize(output.len() / self.channels * 2, 0.0);
        let (weight, bias) = (
            cx.tensors.value(self.tensors),
            cx.tensors.value(self.tensors + 1),
        );
        layer_norm::forward(inputs[0], weight, bias, self.eps, output, &mut self.stats);
        Ok(())
    }

    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> InputGradients {
        let mut dx = cx.pool.take(gradient.len());
        let weight = cx.tensors.value(self.tensors);
        let (dw, db) = layer_norm::backward(kept.input(), &self.stats, weight, &gradient, &mut dx);
        rows::add_f64(cx.tensors.grad_mut(self.tensors), &dw);
        rows::add_f64(cx.tensors.grad_mut(self.tensors + 1), &db);
        cx.pool.give(gradient);
        vec![Some(dx)]
    }

    fn on_device(&self) -> Box<dyn cuda::Layer> {
        Box::new(cuda::layer::layer_norm::LayerNorm {
            tensors: self.tensors,
            channels: self.channels,
            eps: self.eps,
        })
    }
}
