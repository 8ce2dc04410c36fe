//! What a vision transformer adds to its patches: a token before them, a vector for every place.

use rayon::prelude::*;

use super::{Context, InputGradients, Kept, Layer};
use crate::nn::cuda;
use crate::nn::error::NnError;
use crate::nn::kernel::rows;
use crate::nn::network::{Buffer, TensorIndex};

/// Puts a learnt token before those of every sample: `[N, C]` to `[N + 1, C]`.
pub struct ClassToken {
    /// `[C]`.
    pub token: TensorIndex,
    /// `N`.
    pub tokens: usize,
}

impl Layer for ClassToken {
    fn forward(
        &mut self,
        cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        let token = cx.tensors.value(self.token);
        let sample = output.len() / cx.batch;
        output
            .par_chunks_mut(sample)
            .zip(inputs[0].par_chunks(sample - token.len()))
            .for_each(|(out, x)| {
                let (first, rest) = out.split_at_mut(token.len());
                first.copy_from_slice(token);
                rest.copy_from_slice(x);
            });
        Ok(())
    }

    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        _kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> InputGradients {
        let sample = gradient.len() / cx.batch;
        let sum = cx.tensors.grad_mut(self.token);
        let channels = sum.len();
        for gradient in gradient.chunks_exact(sample) {
            rows::add(sum, &gradient[..channels]);
        }
        let mut dx = cx.pool.take(cx.batch * (sample - channels));
        dx.par_chunks_mut(sample - channels)
            .zip(gradient.par_chunks(sample))
            .for_each(|(dx, gradient)| dx.copy_from_slice(&gradient[channels..]));
        cx.pool.give(gradient);
        vec![Some(dx)]
    }

    fn on_device(&self) -> Box<dyn cuda::Layer> {
        Box::new(cuda::layer::tokens::ClassToken {
            token: self.token,
            tokens: self.tokens,
        })
    }
}

/// Adds the same learnt values to every sample.
pub struct PositionEmbedding {
    /// As many values as a sample.
    pub places: TensorIndex,
}

impl Layer for PositionEmbedding {
    fn forward(
        &mut self,
        cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        let places = cx.tensors.value(self.places);
        output
            .par_chunks_mut(places.len())
            .zip(inputs[0].par_chunks(places.len()))
            .for_each(|(out, x)| rows::sum(x, places, out));
        Ok(())
    }

    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        _kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> InputGradients {
        let sum = cx.tensors.grad_mut(self.places);
        for gradient in gradient.chunks_exact(sum.len()) {
            rows::add_parallel(sum, gradient);
        }
        vec![Some(gradient)]
    }

    fn on_device(&self) -> Box<dyn cuda::Layer> {
        Box::new(cuda::layer::tokens::PositionEmbedding {
            places: self.places,
        })
    }
}
