//! Depthwise convolution: every channel with its own kernel, directly, 16 channels at a time.
//!
//! Letters: `B` samples, `C` channels, `T` taps. Weights are `[T, C]`. Any stride, padding and
//! dilation.

mod bands;

use rayon::prelude::*;

use super::epilogue::Epilogue;
use super::rows;
use super::simd::fma;
use super::window::Window;
use bands::{Bands, Pixels, Strides, Tap};

/// Channels in one vector.
const LANES: usize = 16;
/// Neighbouring output pixels that share the loads of a tap's weights, and taps that share those of a
/// gradient. With AVX2, seven sums and one shared vector fill the sixteen registers; and seven divides
/// the sides of ConvNeXt's images at 224 pixels and its kernel.
const GROUP: usize = 7;
/// Most parts of the batch in the weight's gradient.
const PARTS: usize = 16;

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
