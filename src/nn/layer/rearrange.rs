//! Moves of pixels and tokens: into windows and back, patches side by side, some pixels or one token alone.

use super::{Context, InputGradients, Kept, Layer};
use crate::arch::Partition;
use crate::nn::cuda;
use crate::nn::error::NnError;
use crate::nn::kernel::gather::gather;
use crate::nn::network::Buffer;

/// Copies rows of channels to other places of the same sample; no row goes to two places.
pub struct Rearrange {
    channels: usize,
    /// For each row of the output the row of the input, if any.
    source: Vec<Option<usize>>,
    /// For each row of the input the row of the output, if any.
    target: Vec<Option<usize>>,
}

impl Rearrange {
    fn new(channels: usize, source: Vec<Option<usize>>, input_rows: usize) -> Self {
        let mut target = vec![None; input_rows];
        for (to, from) in source.iter().enumerate() {
            if let Some(from) = from {
                target[*from] = Some(to);
            }
        }
        Self {
            channels,
            source,
            target,
        }
    }

    /// Grid to windows.
    pub fn partition(partition: &Partition, channels: usize) -> Self {
        let [height, width] = partition.grid;
        Self::new(channels, partition.pixels(), height * width)
    }

    /// Windows to grid.
    pub fn reassemble(partition: &Partition, channels: usize) -> Self {
        let Self { source, target, .. } = Self::partition(partition, channels);
        Self {
            channels,
            source: target,
            target: source,
        }
    }

    /// Four pixels of a grid of this size side by side, left columns first.
    pub fn merge_patches([height, width]: [usize; 2], channels: usize) -> Self {
        let (down, across) = (height.div_ceil(2), width.div_ceil(2));
        let pixel = |i: usize| {
            let (square, part) = (i / 4, i % 4);
            let y = square / across * 2 + part % 2;
            let x = square % across * 2 + part / 2;
            (y < height && x < width).then_some(y * width + x)
        };
        let source = (0..4 * down * across).map(pixel).collect();
        Self::new(channels, source, height * width)
    }

    /// Every `step`-th row and column of an image of this size from `start` on.
    pub fn pixels([height, width]: [usize; 2], start: usize, step: usize, channels: usize) -> Self {
        let columns = || (start..width).step_by(step);
        let rows = (start..height).step_by(step);
        let source = rows.flat_map(|y| columns().map(move |x| Some(y * width + x)));
        Self::new(channels, source.collect(), height * width)
    }

    /// The first of so many tokens.
    pub fn first_token(tokens: usize, channels: usize) -> Self {
        Self::new(channels, vec![Some(0)], tokens)
    }
}

impl Layer for Rearrange {
    fn forward(
        &mut self,
        _cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        gather(
            inputs[0],
            self.target.len(),
            self.channels,
            &self.source,
            output,
        );
        Ok(())
    }

    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        _kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> InputGradients {
        let mut dx = cx.pool.take(cx.batch * self.target.len() * self.channels);
        gather(
            &gradient,
            self.source.len(),
            self.channels,
            &self.target,
            &mut dx,
        );
        cx.pool.give(gradient);
        vec![Some(dx)]
    }

    fn on_device(&self) -> Box<dyn cuda::Layer> {
        Box::new(cuda::layer::rearrange::Rearrange {
            channels: self.channels,
            source: self.source.clone(),
            target: self.target.clone(),
        })
    }
}
