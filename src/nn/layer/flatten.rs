//! Images to vectors in PyTorch's order.

use rayon::prelude::*;

use super::{Context, InputGradients, Kept, Layer};
use crate::nn::cuda;
use crate::nn::error::NnError;
use crate::nn::network::Buffer;

/// `[H, W, C]` to a vector with the channels slowest, as PyTorch flattens `[C, H, W]`. Images of one
/// pixel need no such step.
pub struct FlattenImage {
    pub pixels: usize,
    pub channels: usize,
}

impl Layer for FlattenImage {
    fn forward(
        &mut self,
        _cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        transpose(inputs[0], self.pixels, self.channels, output);
        Ok(())
    }

    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        _kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> InputGradients {
        let mut dx = cx.pool.take(gradient.len());
        transpose(&gradient, self.channels, self.pixels, &mut dx);
        cx.pool.give(gradient);
        vec![Some(dx)]
    }

    fn on_device(&self) -> Box<dyn cuda::Layer> {
        Box::new(cuda::layer::flatten::FlattenImage {
            pixels: self.pixels,
            channels: self.channels,
        })
    }
}

/// Every sample's `rows` by `cols` matrix transposed.
fn transpose(x: &[f32], rows: usize, cols: usize, y: &mut [f32]) {
    let sample = rows * cols;
    y.par_chunks_mut(sample)
        .zip(x.par_chunks(sample))
        .for_each(|(y, x)| {
            for (i, x) in x.chunks_exact(cols).enumerate() {
                for (j, value) in x.iter().enumerate() {
                    y[j * rows + i] = *value;
                }
            }
        });
}
