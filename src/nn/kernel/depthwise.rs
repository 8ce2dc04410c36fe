//! Depthwise convolution: every channel with its own kernel, directly, 16 channels at a time.
//!
//! Letters: `B` samples, `C` channels, `T` taps. Weights are `[T, C]`. Any stride, padding and
//! dilation.

use std::ops::Range;

use rayon::prelude::*;

use super::conv::with_scratch;
use super::epilogue::Epilogue;
use super::matmul::{ViewMut, cut};
use super::rows;
use super::simd::fma;
use super::window::Window;

/// Channels in one vector.
const LANES: usize = 16;
/// Neighbouring output pixels that share the loads of a tap's weights, and taps that share those of a
/// gradient. With AVX2, seven sums and one shared vector fill the sixteen registers; and seven divides
/// the sides of ConvNeXt's images at 224 pixels and its kernel.
const GROUP: usize = 7;
/// Most parts of the batch in the weight's gradient.
const PARTS: usize = 16;
/// Values of a band's input: 512 KiB, which a core's cache takes.
const BAND_VALUES: usize = 1 << 17;

/// `y = conv(x)`, finished; `x` is `[B, H, W, C]`, `y` likewise with the output's sides.
pub fn forward(
    window: &Window,
    channels: usize,
    x: &[f32],
    weight: &[f32],
    epilogue: &Epilogue<'_>,
    y: &mut [f32],
) {
    Bands::forward(window, channels, x).convolve(weight, epilogue, y);
}

/// `dx` from `dy`; overwrites `dx`.
pub fn backward_input(
    window: &Window,
    channels: usize,
    dy: &[f32],
    weight: &[f32],
    dx: &mut [f32],
) {
    let flipped: Vec<f32> = weight
        .chunks_exact(channels)
        .rev()
        .flatten()
        .copied()
        .collect();
    Bands::backward(window, channels, dy).convolve(&flipped, &Epilogue::default(), dx);
}

/// Adds the weight's gradient to `dw`, `[T, C]`.
pub fn backward_weight(window: &Window, channels: usize, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let bands = Bands::forward(window, channels, x);
    let line = window.output[1] * channels;
    let all = bands.all(dy.len() / (window.positions() * channels));
    let part = all.len().div_ceil(PARTS).max(1);
    let sums: Vec<Vec<f32>> = all
        .par_chunks(part)
        .map(|part| {
            let mut sum = vec![0.0; dw.len()];
            for band in part {
                let first = band.sample * window.output[0] + band.lines.start;
                let dy = &dy[first * line..][..band.lines.len() * line];
                bands.with_input(band, |lines| {
                    for (dy, x) in dy.chunks_exact(line).zip(lines) {
                        add_weight(x, dy, &mut sum, channels, window.kernel, bands.strides());
                    }
                });
            }
            sum
        })
        .collect();
    rows::add_all(dw, &sums);
}

/// Images cut into bands of output lines. What a band reads is copied, with its padding, to where it
/// stays in a core's cache: so the inner loops need no borders.
struct Bands<'a> {
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
struct Band {
    sample: usize,
    lines: Range<usize>,
}

/// A tap's place, in values: in the input, seen from the window's first one, and in the weight.
#[derive(Clone, Copy)]
struct Tap {
    from: usize,
    weight: usize,
}

/// Pixels of an output line that have the same taps: where the first lies in the input and in the line,
/// and how far the next one, in values.
struct Pixels {
    count: usize,
    from: usize,
    step: usize,
    to: usize,
    to_step: usize,
}

/// Steps, in values, from one kernel row, kernel column or output pixel to the next.
#[derive(Clone, Copy)]
struct Strides {
    kernel_row: usize,
    kernel_col: usize,
    pixel: usize,
}

impl<'a> Bands<'a> {
    /// The window slides over the input.
    fn forward(window: &Window, channels: usize, x: &'a [f32]) -> Self {
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
    fn backward(window: &Window, channels: usize, dy: &'a [f32]) -> Self {
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
    fn convolve(&self, weight: &[f32], epilogue: &Epilogue<'_>, y: &mut [f32]) {
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
    fn all(&self, samples: usize) -> Vec<Band> {
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

    const fn strides(&self) -> Strides {
        Strides {
            kernel_row: self.dilation[0] * self.width() * self.channels,
            kernel_col: self.dilation[1] * self.channels,
            pixel: self.stride[1] * self.channels,
        }
    }

    /// Calls `work` with, for every output line of a band, the values from the first one on that it
    /// reads.
    fn with_input(&self, band: &Band, work: impl FnOnce(&mut dyn Iterator<Item = &[f32]>)) {
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

/// Calls a function whose last const parameter is `$count`, from 1 to [`GROUP`]: with the count as a
/// constant, all sums stay in registers.
macro_rules! with_count {
    ($count:expr, $function:ident::<$fma:ident>($($arg:expr),*)) => {
        match $count {
            1 => $function::<$fma, 1>($($arg),*),
            2 => $function::<$fma, 2>($($arg),*),
            3 => $function::<$fma, 3>($($arg),*),
            4 => $function::<$fma, 4>($($arg),*),
            5 => $function::<$fma, 5>($($arg),*),
            6 => $function::<$fma, 6>($($arg),*),
            _ => $function::<$fma, GROUP>($($arg),*),
        }
    };
}

multiversion! {
    /// Adds taps to pixels of one line of the output.
    fn add_taps<FMA>(x: &[f32], weight: &[f32], y: &mut [f32], channels: usize, taps: &[Tap], pixels: &Pixels) {
        let vectors = channels / LANES * LANES;
        for c in (0..vectors).step_by(LANES) {
            for first in (0..pixels.count).step_by(GROUP) {
                let x = &x[pixels.from + first * pixels.step + c..];
                let y = &mut y[pixels.to + first * pixels.to_step + c..];
                let count = GROUP.min(pixels.count - first);
                with_count!(count, add_taps_to::<FMA>(x, &weight[c..], y, taps, pixels));
            }
        }
        for tap in taps {
            for p in 0..pixels.count {
                let x = &x[tap.from + pixels.from + p * pixels.step..];
                let y = &mut y[pixels.to + p * pixels.to_step..];
                for c in vectors..channels {
                    y[c] += x[c] * weight[tap.weight + c];
                }
            }
        }
    }
}

/// Adds taps to `N` pixels of [`LANES`] channels, the first of each slice.
#[inline(always)]
fn add_taps_to<const FMA: bool, const N: usize>(
    x: &[f32],
    weight: &[f32],
    y: &mut [f32],
    taps: &[Tap],
    pixels: &Pixels,
) {
    let mut sums: [[f32; LANES]; N] = std::array::from_fn(|p| *lanes(y, p * pixels.to_step));
    for tap in taps {
        let w = lanes(weight, tap.weight);
        let x = &x[tap.from..];
        for (p, sum) in sums.iter_mut().enumerate() {
            add_lanes::<FMA>(sum, lanes(x, p * pixels.step), w);
        }
    }
    for (p, sum) in sums.iter().enumerate() {
        y[p * pixels.to_step..][..LANES].copy_from_slice(sum);
    }
}

multiversion! {
    /// Adds the weight's gradient over one line of output pixels.
    fn add_weight<FMA>(x: &[f32], dy: &[f32], dw: &mut [f32], channels: usize, kernel: [usize; 2], strides: Strides) {
        let pixels = dy.len() / channels;
        let vectors = channels / LANES * LANES;
        for c in (0..vectors).step_by(LANES) {
            for kh in 0..kernel[0] {
                for first in (0..kernel[1]).step_by(GROUP) {
                    let x = &x[kh * strides.kernel_row + first * strides.kernel_col + c..];
                    let dw = &mut dw[(kh * kernel[1] + first) * channels + c..];
                    let count = GROUP.min(kernel[1] - first);
                    with_count!(count, add_weight_of::<FMA>(x, &dy[c..], dw, channels, pixels, strides));
                }
            }
        }
        for tap in 0..kernel[0] * kernel[1] {
            let at = tap / kernel[1] * strides.kernel_row + tap % kernel[1] * strides.kernel_col;
            for p in 0..pixels {
                for c in vectors..channels {
                    dw[tap * channels + c] += x[at + p * strides.pixel + c] * dy[p * channels + c];
                }
            }
        }
    }
}

/// Adds the gradient of `N` neighbouring taps of [`LANES`] channels, the first of each slice.
#[inline(always)]
fn add_weight_of<const FMA: bool, const N: usize>(
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
    channels: usize,
    pixels: usize,
    strides: Strides,
) {
    let mut sums = [[0f32; LANES]; N];
    for p in 0..pixels {
        let g = lanes(dy, p * channels);
        let x = &x[p * strides.pixel..];
        for (k, sum) in sums.iter_mut().enumerate() {
            add_lanes::<FMA>(sum, lanes(x, k * strides.kernel_col), g);
        }
    }
    for (k, sum) in sums.iter().enumerate() {
        for (d, s) in dw[k * channels..][..LANES].iter_mut().zip(sum) {
            *d += s;
        }
    }
}

/// The vector at `at`.
#[inline(always)]
fn lanes(values: &[f32], at: usize) -> &[f32; LANES] {
    values[at..]
        .first_chunk()
        .expect("every vector ends inside the slice")
}

#[inline(always)]
fn add_lanes<const FMA: bool>(sum: &mut [f32; LANES], a: &[f32; LANES], b: &[f32; LANES]) {
    for j in 0..LANES {
        sum[j] = fma::<FMA>(a[j], b[j], sum[j]);
    }
}
