//! Depthwise convolution: every channel with its own kernel, directly, 16 channels at a time.
//!
//! Letters: `B` samples, `C` channels, `T` taps. Weights are `[T, C]`. Any stride, padding and
//! dilation.

use rayon::prelude::*;

use super::matmul::cut;
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

/// `y = conv(x) + bias`; `x` is `[B, H, W, C]`, `y` likewise with the output's sides.
pub fn forward(
    window: &Window,
    channels: usize,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    let padded = Padded::new(window, channels, x);
    let line = window.output[1] * channels;
    y.par_chunks_mut(line).enumerate().for_each(|(row, y)| {
        match bias {
            Some(bias) => y
                .chunks_exact_mut(channels)
                .for_each(|y| y.copy_from_slice(bias)),
            None => y.fill(0.0),
        }
        let (top, strides) = padded.lines(row);
        add_taps(top, weight, y, channels, window.kernel, strides);
    });
}

/// `dx` from `dy`; overwrites `dx`.
pub fn backward_input(
    window: &Window,
    channels: usize,
    dy: &[f32],
    weight: &[f32],
    dx: &mut [f32],
) {
    if let Some(reversed) = window.reversed() {
        let flipped: Vec<f32> = weight
            .chunks_exact(channels)
            .rev()
            .flatten()
            .copied()
            .collect();
        return forward(&reversed, channels, dy, &flipped, None, dx);
    }
    let sample = window.pixels() * channels;
    let per_sample = window.positions() * channels;
    dx.par_chunks_mut(sample)
        .zip(dy.par_chunks(per_sample))
        .for_each(|(dx, dy)| {
            dx.fill(0.0);
            for (position, dy) in dy.chunks_exact(channels).enumerate() {
                let (_, oh, ow) = window.locate(position);
                for (tap, weight) in weight.chunks_exact(channels).enumerate() {
                    if let Some(pixel) = source(window, oh, ow, tap) {
                        let dx = &mut dx[pixel * channels..(pixel + 1) * channels];
                        add_product(dx, dy, weight);
                    }
                }
            }
        });
}

/// Adds the weight's gradient to `dw`, `[T, C]`.
pub fn backward_weight(window: &Window, channels: usize, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let padded = Padded::new(window, channels, x);
    let line = window.output[1] * channels;
    let lines = dy.len() / line;
    let part = lines.div_ceil(PARTS).max(8);
    let sums: Vec<Vec<f32>> = (0..lines.div_ceil(part))
        .into_par_iter()
        .map(|i| {
            let mut sum = vec![0.0; dw.len()];
            for row in cut(lines, part, i) {
                let (top, strides) = padded.lines(row);
                let dy = &dy[row * line..(row + 1) * line];
                add_weight(top, dy, &mut sum, channels, window.kernel, strides);
            }
            sum
        })
        .collect();
    rows::add_all(dw, &sums);
}

/// The pixel of its sample that a tap of an output position reads.
fn source(window: &Window, oh: usize, ow: usize, tap: usize) -> Option<usize> {
    let ih = window.source(0, oh, tap / window.kernel[1])?;
    let iw = window.source(1, ow, tap % window.kernel[1])?;
    Some(ih * window.input[1] + iw)
}

/// Images with their padding written out, so that the inner loops need no borders.
struct Padded<'a> {
    window: &'a Window,
    channels: usize,
    values: Vec<f32>,
    size: [usize; 2],
}

/// Steps, in values, from one kernel row, kernel column or output pixel to the next.
#[derive(Clone, Copy)]
struct Strides {
    kernel_row: usize,
    kernel_col: usize,
    pixel: usize,
}

impl Strides {
    /// How far a tap's first value lies from the window's.
    #[inline(always)]
    const fn tap(&self, kernel: [usize; 2], tap: usize) -> usize {
        tap / kernel[1] * self.kernel_row + tap % kernel[1] * self.kernel_col
    }
}

impl<'a> Padded<'a> {
    fn new(window: &'a Window, channels: usize, x: &[f32]) -> Self {
        let [h, w] = window.input;
        let size = [h + 2 * window.padding[0], w + 2 * window.padding[1]];
        let mut values = vec![0.0; x.len() / (h * w) * size[0] * size[1]];
        let line = w * channels;
        values
            .par_chunks_mut(size[0] * size[1] * channels)
            .zip(x.par_chunks(h * line))
            .for_each(|(padded, x)| {
                for (row, x) in x.chunks_exact(line).enumerate() {
                    let pixel = (row + window.padding[0]) * size[1] + window.padding[1];
                    padded[pixel * channels..][..line].copy_from_slice(x);
                }
            });
        Self {
            window,
            channels,
            values,
            size,
        }
    }

    /// The values from the first one on that output row `row` (counted over the batch) reads.
    fn lines(&self, row: usize) -> (&[f32], Strides) {
        let (sample, oh) = (row / self.window.output[0], row % self.window.output[0]);
        let [h, w] = self.size;
        let line = w * self.channels;
        let top = sample * h + oh * self.window.stride[0];
        let strides = Strides {
            kernel_row: self.window.dilation[0] * line,
            kernel_col: self.window.dilation[1] * self.channels,
            pixel: self.window.stride[1] * self.channels,
        };
        (&self.values[top * line..], strides)
    }
}

multiversion! {
    /// `a += b * c`, value by value.
    fn add_product<FMA>(a: &mut [f32], b: &[f32], c: &[f32]) {
        for ((a, b), c) in a.iter_mut().zip(b).zip(c) {
            *a = fma::<FMA>(*b, *c, *a);
        }
    }
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
    /// Adds all taps to one line of output pixels.
    fn add_taps<FMA>(x: &[f32], weight: &[f32], y: &mut [f32], channels: usize, kernel: [usize; 2], strides: Strides) {
        let pixels = y.len() / channels;
        let vectors = channels / LANES * LANES;
        for c in (0..vectors).step_by(LANES) {
            for first in (0..pixels).step_by(GROUP) {
                let (x, y) = (&x[first * strides.pixel + c..], &mut y[first * channels + c..]);
                let count = GROUP.min(pixels - first);
                with_count!(count, add_taps_to::<FMA>(x, &weight[c..], y, channels, kernel, strides));
            }
        }
        for tap in 0..kernel[0] * kernel[1] {
            let at = strides.tap(kernel, tap);
            for p in 0..pixels {
                for c in vectors..channels {
                    y[p * channels + c] += x[at + p * strides.pixel + c] * weight[tap * channels + c];
                }
            }
        }
    }
}

/// Adds all taps to `N` neighbouring pixels of [`LANES`] channels, the first of each slice.
#[inline(always)]
fn add_taps_to<const FMA: bool, const N: usize>(
    x: &[f32],
    weight: &[f32],
    y: &mut [f32],
    channels: usize,
    kernel: [usize; 2],
    strides: Strides,
) {
    let mut sums: [[f32; LANES]; N] = std::array::from_fn(|p| *lanes(y, p * channels));
    for tap in 0..kernel[0] * kernel[1] {
        let w = lanes(weight, tap * channels);
        let x = &x[strides.tap(kernel, tap)..];
        for (p, sum) in sums.iter_mut().enumerate() {
            add_lanes::<FMA>(sum, lanes(x, p * strides.pixel), w);
        }
    }
    for (p, sum) in sums.iter().enumerate() {
        y[p * channels..][..LANES].copy_from_slice(sum);
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
            let at = strides.tap(kernel, tap);
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
