//! Layers that only move channels: concatenation, a part, a shuffle.

use std::ops::Range;

use super::{Context, InputGradients, Kept, Layer};
use crate::nn::cuda;
use crate::nn::error::NnError;
use crate::nn::kernel::channels;
use crate::nn::kernel::joined::Joined;
use crate::nn::network::Buffer;

/// All inputs side by side.
pub struct Concat {
    /// The output's columns that each input fills.
    pub columns: Vec<Range<usize>>,
}

impl Concat {
    /// Of inputs with these numbers of channels.
    pub fn of(parts: impl Iterator<Item = usize>) -> Self {
        let mut end = 0;
        let columns = parts.map(|part| {
            let start = end;
            end += part;
            start..end
        });
        Self {
            columns: columns.collect(),
        }
    }

    fn channels(&self) -> usize {
        self.columns.last().map_or(0, |c| c.end)
    }
}

impl Layer for Concat {
    fn forward(
        &mut self,
        _cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        let (parts, columns) = (inputs, &self.columns[..]);
        Joined { parts, columns }.write(output);
        Ok(())
    }

    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        _kept: Kept<'_>,
        gradient: Buffer,
        wanted: &[bool],
    ) -> InputGradients {
        let rows = gradient.len() / self.channels();
        let mut part = |columns: &Range<usize>| {
            let mut dx = cx.pool.take(rows * columns.len());
            channels::take(&gradient, columns, self.channels(), &mut dx);
            dx
        };
        let parts = self.columns.iter().zip(wanted);
        let gradients = parts
            .map(|(columns, wanted)| wanted.then(|| part(columns)))
            .collect();
        cx.pool.give(gradient);
        gradients
    }

    fn on_device(&self) -> Box<dyn cuda::Layer> {
        Box::new(cuda::layer::channels::Concat {
            columns: self.columns.clone(),
        })
    }
}

/// Some neighbouring channels.
pub struct Slice {
    pub columns: Range<usize>,
    /// Channels of the input.
    pub channels: usize,
}

impl Layer for Slice {
    fn forward(
        &mut self,
        _cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        channels::take(inputs[0], &self.columns, self.channels, output);
        Ok(())
    }

    fn backward(
        &mut self,
        cx: &mut Context<'_>,
        _kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> InputGradients {
        let rows = gradient.len() / self.columns.len();
        let mut dx = cx.pool.take(rows * self.channels);
        dx.fill(0.0);
        channels::place(&gradient, &self.columns, self.channels, &mut dx);
        cx.pool.give(gradient);
        vec![Some(dx)]
    }

    fn on_device(&self) -> Box<dyn cuda::Layer> {
        Box::new(cuda::layer::channels::Slice {
            columns: self.columns.clone(),
            channels: self.channels,
        })
    }
}

/// Channels of `groups` groups of `members` dealt out like cards.
pub struct Shuffle {
    pub groups: usize,
    pub members: usize,
}

impl Layer for Shuffle {
    fn forward(
        &mut self,
        _cx: &mut Context<'_>,
        inputs: &[&[f32]],
        output: &mut [f32],
    ) -> Result<(), NnError> {
        channels::transpose_rows(inputs[0], self.groups, self.members, output);
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
        channels::transpose_rows(&gradient, self.members, self.groups, &mut dx);
        cx.pool.give(gradient);
        vec![Some(dx)]
    }

    fn on_device(&self) -> Box<dyn cuda::Layer> {
        Box::new(cuda::layer::channels::Shuffle {
            groups: self.groups,
            members: self.members,
        })
    }
}
