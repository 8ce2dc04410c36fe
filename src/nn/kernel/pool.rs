//! Pooling over windows of `[B, H, W, C]`.

use std::ops::Range;

use rayon::prelude::*;

use super::rows;
use super::window::Window;

/// Largest number of taps that max pooling can remember.
pub const MOST_TAPS: usize = u16::MAX as usize;

/// Largest value of every window; `taps` receives which one, the first of equals. Padding never wins,
/// a NaN always does.
pub fn max_forward(window: &Window, channels: usize, x: &[f32], y: &mut [f32], taps: &mut [u16]) {
    let line = window.output[1] * channels;
    let lines = y.par_chunks_mut(line).zip(taps.par_chunks_mut(line));
    lines.enumerate().for_each(|(row, (y, taps))| {
        let pixels = y
            .chunks_exact_mut(channels)
            .zip(taps.chunks_exact_mut(channels));
        for (ow, (y, best)) in pixels.enumerate() {
            let mut first = true;
            for tap in 0..window.taps() {
                let Some(pixel) = source(window, row, ow, tap) else {
                    continue;
                };
                let x = &x[pixel * channels..(pixel + 1) * channels];
                if std::mem::take(&mut first) {
                    y.copy_from_slice(x);
                    best.fill(tap as u16);
                    continue;
                }
                for ((y, best), x) in y.iter_mut().zip(best.iter_mut()).zip(x) {
                    if *x > *y || x.is_nan() {
                        (*y, *best) = (*x, tap as u16);
                    }
                }
            }
            if first {
                y.fill(f32::NEG_INFINITY);
            }
        }
    });
}

/// Sends every gradient to the value that won; overwrites `dx`.
pub fn max_backward(window: &Window, channels: usize, dy: &[f32], taps: &[u16], dx: &mut [f32]) {
    let per_sample = window.positions() * channels;
    dx.par_chunks_mut(window.pixels() * channels)
        .zip(dy.par_chunks(per_sample).zip(taps.par_chunks(per_sample)))
        .for_each(|(dx, (dy, taps))| {
            dx.fill(0.0);
            for (i, (g, tap)) in dy.iter().zip(taps).enumerate() {
                let (position, c) = (i / channels, i % channels);
                let (oh, ow) = (position / window.output[1], position % window.output[1]);
                if let Some(pixel) = source(window, oh, ow, usize::from(*tap)) {
                    dx[pixel * channels + c] += g;
                }
            }
        });
}

/// The pixel, counted over the batch, that a tap reads; `row` is an output row over the batch.
fn source(window: &Window, row: usize, ow: usize, tap: usize) -> Option<usize> {
    let (sample, oh) = (row / window.output[0], row % window.output[0]);
    let ih = window.source(0, oh, tap / window.kernel[1])?;
    let iw = window.source(1, ow, tap % window.kernel[1])?;
    Some((sample * window.input[0] + ih) * window.input[1] + iw)
}

/// Whether padding takes part in an average.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// As zeros.
    Counts,
    Ignored,
}

/// Rectangles to average over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Averages {
    pub input: [usize; 2],
    /// Of every output row.
    pub rows: Vec<Span>,
    /// Of every output column.
    pub cols: Vec<Span>,
    /// The window, if its size is fixed.
    pub fixed: Option<(Window, Padding)>,
}

/// What an average reaches over along one axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Input rows or columns.
    pub pixels: Range<usize>,
    /// As how many they count: more, where padding counts.
    pub count: usize,
}

impl Averages {
    /// Windows of a fixed size; padding counts as zeros, if at all. What lies beyond the padding, where
    /// a last window is cut short, never counts.
    pub fn fixed(window: &Window, padding: Padding) -> Self {
        let spans = |axis: usize| {
            let (input, margin) = (window.input[axis], window.padding[axis]);
            let inside = |padded: usize| padded.saturating_sub(margin).min(input);
            let span = |out: usize| {
                let from = out * window.stride[axis];
                let to = (from + window.kernel[axis]).min(input + 2 * margin);
                let pixels = inside(from)..inside(to);
                let count = match padding {
                    Padding::Counts => to - from,
                    Padding::Ignored => pixels.len(),
                };
                Span { pixels, count }
            };
            (0..window.output[axis]).map(span).collect()
        };
        Self {
            input: window.input,
            rows: spans(0),
            cols: spans(1),
            fixed: Some((*window, padding)),
        }
    }

    /// The windows of `nn.AdaptiveAvgPool2d`: as even as whole pixels allow, overlapping if need be.
    pub fn adaptive(input: [usize; 2], output: [usize; 2]) -> Self {
        let spans = |axis: usize| {
            let (from, to) = (input[axis], output[axis]);
            let span = |i: usize| {
                let pixels = i * from / to..((i + 1) * from).div_ceil(to);
                let count = pixels.len();
                Span { pixels, count }
            };
            (0..to).map(span).collect()
        };
        Self {
            input,
            rows: spans(0),
            cols: spans(1),
            fixed: None,
        }
    }

    fn share(&self, oh: usize, ow: usize) -> f32 {
        1.0 / (self.rows[oh].count * self.cols[ow].count) as f32
    }

    fn positions(&self) -> usize {
        self.rows.len() * self.cols.len()
    }

    /// The pixels of one rectangle, within a sample.
    fn pixels(&self, oh: usize, ow: usize) -> impl Iterator<Item = usize> + use<> {
        let (cols, width) = (self.cols[ow].pixels.clone(), self.input[1]);
        self.rows[oh]
            .pixels
            .clone()
            .flat_map(move |ih| cols.clone().map(move |iw| ih * width + iw))
    }

    /// Means of all rectangles.
    pub fn forward(&self, channels: usize, x: &[f32], y: &mut [f32]) {
        let sample = self.input[0] * self.input[1] * channels;
        y.par_chunks_mut(self.positions() * channels)
            .zip(x.par_chunks(sample))
            .for_each(|(y, x)| {
                for (position, y) in y.chunks_exact_mut(channels).enumerate() {
                    let (oh, ow) = (position / self.cols.len(), position % self.cols.len());
                    y.fill(0.0);
                    for pixel in self.pixels(oh, ow) {
                        rows::add(y, &x[pixel * channels..(pixel + 1) * channels]);
                    }
                    rows::scale(y, self.share(oh, ow));
                }
            });
    }

    /// Shares every gradient out over its rectangle; overwrites `dx`.
    pub fn backward(&self, channels: usize, dy: &[f32], dx: &mut [f32]) {
        let sample = self.input[0] * self.input[1] * channels;
        dx.par_chunks_mut(sample)
            .zip(dy.par_chunks(self.positions() * channels))
            .for_each(|(dx, dy)| {
                dx.fill(0.0);
                for (position, dy) in dy.chunks_exact(channels).enumerate() {
                    let (oh, ow) = (position / self.cols.len(), position % self.cols.len());
                    let share = self.share(oh, ow);
                    for pixel in self.pixels(oh, ow) {
                        let dx = &mut dx[pixel * channels..(pixel + 1) * channels];
                        for (d, g) in dx.iter_mut().zip(dy) {
                            *d += g * share;
                        }
                    }
                }
            });
    }
}

#[cfg(test)]
mod tests;
