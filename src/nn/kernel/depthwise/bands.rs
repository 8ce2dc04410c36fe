//! Where a depthwise convolution's loops find their values: bands of lines with the zeros around them.

use std::ops::Range;

use rayon::prelude::*;

use super::add_taps;
use crate::nn::kernel::conv::with_scratch;
use crate::nn::kernel::epilogue::Epilogue;
use crate::nn::kernel::matmul::{ViewMut, cut};
use crate::nn::kernel::window::Window;

/// Values of a band's input: 512 KiB, which a core's cache takes.
const BAND_VALUES: usize = 1 << 17;

/// Images cut into bands of output lines. What a band reads is copied, with its padding, to where it
/// stays in a core's cache: so the inner loops need no borders.
pub struct Bands<'a> {
    channels: usize,
    x: &'a [f32],
    input: [usize; 2],
    output: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    /// Where the input's first pixel lies, seen from the first window's first tap.
    start: [isize; 2],
    /// From one pixel of the input to the next; between them are zeros.
    spread: [usize; 2],
    /// Output lines in a band.
    lines: usize,
}

/// Some output lines of one sample.
pub struct Band {
    pub sample: usize,
    pub lines: Range<usize>,
}

/// A tap's place, in values: in the input, seen from the window's first one, and in the weight.
#[derive(Clone, Copy)]
pub struct Tap {
    pub from: usize,
    pub weight: usize,
}

/// Pixels of an output line that have the same taps: where the first lies in the input and in the line,
/// and how far the next one, in values.
pub struct Pixels {
    pub count: usize,
    pub from: usize,
    pub step: usize,
    pub to: usize,
    pub to_step: usize,
}

/// Steps, in values, from one kernel row, kernel column or output pixel to the next.
#[derive(Clone, Copy)]
pub struct Strides {
    pub kernel_row: usize,
    pub kernel_col: usize,
    pub pixel: usize,
}

impl<'a> Bands<'a> {
    /// The window slides over the input.
    pub fn forward(window: &Window, channels: usize, x: &'a [f32]) -> Self {
        Self {
            channels,
            x,
            input: window.input,
            output: window.output,
            kernel: window.kernel,
            stride: window.stride,
            dilation: window.dilation,
            start: window.padding.map(usize::cast_signed),
            spread: [1, 1],
            lines: 0,
        }
        .cut()
    }

    /// The flipped window slides over the output's gradient, pixel by pixel; what a stride skipped are
    /// zeros.
    pub fn backward(window: &Window, channels: usize, dy: &'a [f32]) -> Self {
        let reach = |axis: usize| window.dilation[axis] * (window.kernel[axis] - 1);
        let start = |axis: usize| reach(axis).cast_signed() - window.padding[axis].cast_signed();
        Self {
            channels,
            x: dy,
            input: window.output,
            output: window.input,
            kernel: window.kernel,
            stride: [1, 1],
            dilation: window.dilation,
            start: [start(0), start(1)],
            spread: window.stride,
            lines: 0,
        }
        .cut()
    }

    /// With as many output lines in a band as a core's cache takes the input of.
    fn cut(self) -> Self {
        let held = BAND_VALUES / (self.width() * self.channels);
        let lines = held.saturating_sub(self.span(0, 1)) / self.stride[0] + 1;
        Self {
            lines: lines.min(self.output[0]),
            ..self
        }
    }

    /// Positions along an axis, of the input with zeros around and between, that so many outputs read.
    const fn span(&self, axis: usize, outputs: usize) -> usize {
        (outputs - 1) * self.stride[axis] + self.dilation[axis] * (self.kernel[axis] - 1) + 1
    }

    /// Positions in an input line.
    const fn width(&self) -> usize {
        self.span(1, self.output[1])
    }

    /// `y = conv(x)`, finished, in parallel.
    pub fn convolve(&self, weight: &[f32], epilogue: &Epilogue<'_>, y: &mut [f32]) {
        let line = self.output[1] * self.channels;
        let phases = self.phases();
        self.for_each_output(y, |band, y| {
            self.with_input(&band, |lines| {
                for ((i, y), x) in band.lines.clone().zip(y.chunks_exact_mut(line)).zip(lines) {
                    y.fill(0.0);
                    for (first, taps) in phases[i % self.spread[0]].iter().enumerate() {
                        let pixels = Pixels {
                            count: self.output[1]
                                .saturating_sub(first)
                                .div_ceil(self.spread[1]),
                            from: first * self.stride[1] * self.channels,
                            step: self.spread[1] * self.stride[1] * self.channels,
                            to: first * self.channels,
                            to_step: self.spread[1] * self.channels,
                        };
                        add_taps(x, weight, y, self.channels, taps, &pixels);
                    }
                }
            });
            let first = (band.sample * self.output[0] + band.lines.start) * self.output[1];
            let pixels = y.len() / self.channels;
            let mut y = ViewMut::dense(y, pixels, self.channels);
            epilogue.apply(
                first..first + pixels,
                0..self.channels,
                self.channels,
                &mut y,
            );
        });
    }

    /// For every line of as many as the input is spread by, and every pixel likewise, the taps that do
    /// not fall between the input's pixels.
    fn phases(&self) -> Vec<Vec<Vec<Tap>>> {
        let meets = |axis: usize, output: usize, tap: usize| {
            let at = (output * self.stride[axis] + tap * self.dilation[axis]).cast_signed();
            (at - self.start[axis]).rem_euclid(self.spread[axis].cast_signed()) == 0
        };
        let taps = |line: usize, pixel: usize| {
            let rows = (0..self.kernel[0]).filter(|row| meets(0, line, *row));
            let taps = rows.flat_map(|row| {
                let cols = (0..self.kernel[1]).filter(|col| meets(1, pixel, *col));
                cols.map(move |col| self.tap(row, col))
            });
            taps.collect()
        };
        (0..self.spread[0])
            .map(|line| (0..self.spread[1]).map(|pixel| taps(line, pixel)).collect())
            .collect()
    }

    const fn tap(&self, row: usize, col: usize) -> Tap {
        let at = row * self.dilation[0] * self.width() + col * self.dilation[1];
        Tap {
            from: at * self.channels,
            weight: (row * self.kernel[1] + col) * self.channels,
        }
    }

    fn band(&self, sample: usize, index: usize) -> Band {
        Band {
            sample,
            lines: cut(self.output[0], self.lines, index),
        }
    }

    /// The bands of so many samples in order.
    pub fn all(&self, samples: usize) -> Vec<Band> {
        let per_sample = self.output[0].div_ceil(self.lines);
        (0..samples * per_sample)
            .map(|i| self.band(i / per_sample, i % per_sample))
            .collect()
    }

    /// Calls `work` with every band and its part of the output, in parallel.
    fn for_each_output(&self, y: &mut [f32], work: impl Fn(Band, &mut [f32]) + Sync) {
        let line = self.output[1] * self.channels;
        let sample = self.output[0] * line;
        y.par_chunks_mut(sample)
            .enumerate()
            .flat_map(|(i, y)| {
                let bands = y.par_chunks_mut(self.lines * line).enumerate();
                bands.map(move |(j, y)| (self.band(i, j), y))
            })
            .for_each(|(band, y)| work(band, y));
    }

    pub const fn strides(&self) -> Strides {
        Strides {
            kernel_row: self.dilation[0] * self.width() * self.channels,
            kernel_col: self.dilation[1] * self.channels,
            pixel: self.stride[1] * self.channels,
        }
    }

    /// Calls `work` with, for every output line of a band, the values from the first one on that it
    /// reads.
    pub fn with_input(&self, band: &Band, work: impl FnOnce(&mut dyn Iterator<Item = &[f32]>)) {
        let line = self.width() * self.channels;
        let image_line = self.input[1] * self.channels;
        let image = &self.x[band.sample * self.input[0] * image_line..];
        let count = self.span(0, band.lines.len());
        let first = (band.lines.start * self.stride[0]).cast_signed() - self.start[0];
        with_scratch(count * line, |held| {
            for (at, held) in (first..).zip(held.chunks_exact_mut(line)) {
                match pixel(at, self.spread[0], self.input[0]) {
                    Some(i) => self.spread_line(&image[i * image_line..][..image_line], held),
                    None => held.fill(0.0),
                }
            }
            let held = &*held;
            let step = self.stride[0] * line;
            work(&mut (0..band.lines.len()).map(|i| &held[i * step..]));
        });
    }

    /// One line of an image, with zeros around and between its pixels.
    fn spread_line(&self, line: &[f32], out: &mut [f32]) {
        let (c, start) = (self.channels, self.start[1]);
        if self.spread[1] == 1 && start >= 0 {
            let before = (start.unsigned_abs() * c).min(out.len());
            let (left, rest) = out.split_at_mut(before);
            let inside = line.len().min(rest.len());
            let (middle, right) = rest.split_at_mut(inside);
            left.fill(0.0);
            middle.copy_from_slice(&line[..inside]);
            right.fill(0.0);
            return;
        }
        for (at, out) in (-start..).zip(out.chunks_exact_mut(c)) {
            match pixel(at, self.spread[1], self.input[1]) {
                Some(i) => out.copy_from_slice(&line[i * c..][..c]),
                None => out.fill(0.0),
            }
        }
    }
}

/// The pixel at a position along an axis, if there is one.
fn pixel(at: isize, spread: usize, count: usize) -> Option<usize> {
    let at = usize::try_from(at).ok()?;
    (at.is_multiple_of(spread) && at / spread < count).then_some(at / spread)
}
