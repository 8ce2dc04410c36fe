//! Layers that only move channels: concatenation, a part, a shuffle.

use std::ops::Range;

use super::{Context, InputGradients, Kept, Layer};
use crate::nn::cuda::argument::Argument;
use crate::nn::cuda::grid;
use crate::nn::cuda::memory::{Buffer, View};
use crate::nn::device::DeviceError;
use crate::nn::error::NnError;

/// Columns of an array with so many channels.
struct Columns {
    array: View,
    channels: usize,
    first: usize,
}

/// Copies `count` columns of every row.
fn copy(
    cx: &mut Context<'_>,
    from: &Columns,
    to: &Columns,
    count: usize,
) -> Result<(), DeviceError> {
    let rows = from.array.values / from.channels;
    let arguments = [
        from.array.into(),
        Argument::count(from.channels),
        Argument::count(from.first),
        to.array.into(),
        Argument::count(to.channels),
        Argument::count(to.first),
        Argument::count(rows),
        Argument::count(count),
    ];
    let grid = grid::stream(rows, count, cx.precision);
    cx.launch_typed("copy_channels", grid, &arguments)
}

/// All inputs side by side.
pub struct Concat {
    /// The output's columns that each input fills.
    pub columns: Vec<Range<usize>>,
}

impl Concat {
    fn channels(&self) -> usize {
        self.columns.last().map_or(0, |c| c.end)
    }

    fn whole(&self, array: View, columns: &Range<usize>) -> Columns {
        Columns {
            array,
            channels: self.channels(),
            first: columns.start,
        }
    }
}

impl Layer for Concat {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        for (input, columns) in inputs.iter().zip(&self.columns) {
            let part = Columns {
                array: *input,
                channels: columns.len(),
                first: 0,
            };
            copy(cx, &part, &self.whole(output, columns), columns.len())?;
        }
        Ok(())
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        _kept: Kept<'_>,
        gradient: Buffer,
        wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        let rows = gradient.values() / self.channels();
        let mut gradients = Vec::with_capacity(wanted.len());
        for (columns, wanted) in self.columns.iter().zip(wanted) {
            if !wanted {
                gradients.push(None);
                continue;
            }
            let dx = cx.take(rows * columns.len())?;
            let part = Columns {
                array: dx.view(),
                channels: columns.len(),
                first: 0,
            };
            let whole = self.whole(gradient.view(), columns);
            copy(cx, &whole, &part, columns.len())?;
            gradients.push(Some(dx));
        }
        cx.give(gradient);
        Ok(gradients)
    }
}

/// Some neighbouring channels.
pub struct Slice {
    pub columns: Range<usize>,
    /// Channels of the input.
    pub channels: usize,
}

impl Slice {
    fn sides(&self, whole: View, part: View) -> [Columns; 2] {
        let whole = Columns {
            array: whole,
            channels: self.channels,
            first: self.columns.start,
        };
        let part = Columns {
            array: part,
            channels: self.columns.len(),
            first: 0,
        };
        [whole, part]
    }
}

impl Layer for Slice {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        let [whole, part] = self.sides(inputs[0], output);
        Ok(copy(cx, &whole, &part, self.columns.len())?)
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        _kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        let rows = gradient.values() / self.columns.len();
        let dx = cx.take(rows * self.channels)?;
        let bytes = dx.values() * cx.precision.bytes();
        cx.driver.clear(dx.address(), bytes)?;
        let [whole, part] = self.sides(dx.view(), gradient.view());
        copy(cx, &part, &whole, self.columns.len())?;
        cx.give(gradient);
        Ok(vec![Some(dx)])
    }
}

/// Channels of `groups` groups of `members` dealt out like cards.
pub struct Shuffle {
    pub groups: usize,
    pub members: usize,
}

impl Shuffle {
    fn deal(
        &self,
        cx: &mut Context<'_>,
        x: View,
        y: View,
        groups: usize,
    ) -> Result<(), DeviceError> {
        let channels = self.groups * self.members;
        let arguments = [
            x.into(),
            y.into(),
            Argument::count(y.values / channels),
            Argument::count(channels),
            Argument::count(groups),
        ];
        cx.launch_typed("channel_shuffle", grid::threads(y.values), &arguments)
    }
}

impl Layer for Shuffle {
    fn forward(&self, cx: &mut Context<'_>, inputs: &[View], output: View) -> Result<(), NnError> {
        Ok(self.deal(cx, inputs[0], output, self.groups)?)
    }

    fn backward(
        &self,
        cx: &mut Context<'_>,
        _kept: Kept<'_>,
        gradient: Buffer,
        _wanted: &[bool],
    ) -> Result<InputGradients, NnError> {
        let dx = cx.take(gradient.values())?;
        self.deal(cx, gradient.view(), dx.view(), self.members)?;
        cx.give(gradient);
        Ok(vec![Some(dx)])
    }
}
