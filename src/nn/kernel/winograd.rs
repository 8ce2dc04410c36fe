//! 3x3 convolutions with stride 1 by Winograd's minimal filtering F(4x4, 3x3): a quarter of the
//! multiplications of the plain sum.
//!
//! An output tile of 4x4 comes from an input tile of 6x6. Both are polynomials in disguise: with `B`,
//! `G` and `A` evaluating at six points and interpolating back (Toom-Cook),
//!
//! ```text
//! y  = A' [ (G w G') . (B' x B) ] A        forward
//! dw = G' [ (A dy A') . (B' x B) ] G       gradient of the weight, summed over tiles
//! ```
//!
//! where `.` multiplies value by value. Summed over channels (or tiles), each of the 36 places is a
//! matrix product of its own. The points are 0, ±2/3, ±3/2 and infinity: of those tried, they have the
//! smallest error, four times that of the plain sum in 32 bits; the usual 0, ±1, ±2 have twice that.
//!
//! Letters: `T` tiles, `C` channels in, `O` channels out. In memory: tiles `[T, 36 C + PAD]`, weights
//! `[O, 36 C + PAD]`.

use std::array::from_fn;

use rayon::prelude::*;

use super::conv::{Conv, with_scratch};
use super::epilogue::Epilogue;
use super::matmul::{Blocks, Fill, View, ViewMut, for_each_block, multiply};
use super::product::{Panels, multiply_panels, panels_len, with_panels};
use super::window::Window;

/// Side of an output tile, of an input tile, and places of the latter.
const OUT: usize = 4;
const IN: usize = 6;
const PLACES: usize = IN * IN;
/// Side of the kernel.
const KERNEL: usize = 3;
/// Channels that are transformed together.
const LANES: usize = 16;
/// Values after every row of places: without them, rows of many channels would lie a multiple of the
/// page size apart and push each other out of the cache.
const PAD: usize = 16;
/// Fewer channels than this do not pay for the transforms.
const FEW_CHANNELS: usize = 32;
/// Output pixels of a batch, likewise: 36 values of every weight are made and put into panels, which takes
/// as long as the products of about so many pixels.
const FEW_POSITIONS: usize = 600;
/// Values of transformed inputs and outputs that are held at a time: 16 MiB, which a shared cache takes.
const HELD: usize = 1 << 22;
/// Likewise for one task going forward: 768 KiB, but not fewer tiles than make the weights' way from memory
/// worth it.
const TASK_VALUES: usize = 3 << 16;
const FEW_TILES: usize = 28;
/// Tasks that there should be, for many threads.
const TASKS: usize = 64;

/// The points and their powers.
const P: f32 = 2.0 / 3.0;
const Q: f32 = 3.0 / 2.0;
const P2: f32 = 4.0 / 9.0;
const Q2: f32 = 9.0 / 4.0;
const P3: f32 = 8.0 / 27.0;
const Q3: f32 = 27.0 / 8.0;
/// `P2 + Q2`.
const S: f32 = 97.0 / 36.0;
/// What `G` divides by at ±P and ±Q: `2 p^2 (p^2 - q^2)`.
const GP: f32 = -81.0 / 130.0;
const GQ: f32 = 8.0 / 65.0;

/// As many channels of one place.
type Lanes = [f32; LANES];

/// A convolution that can be done this way.
#[derive(Clone, Copy, Debug)]
pub struct Winograd {
    window: Window,
    in_channels: usize,
    out_channels: usize,
}

/// Part of the batch whose tiles are held at a time.
#[derive(Clone, Copy)]
struct Part {
    first: usize,
    samples: usize,
}

impl Winograd {
    /// None unless `conv` has a dense 3x3 kernel with stride 1, enough channels, and enough outputs in
    /// a batch to pay for the weights' transform.
    pub fn of(conv: &Conv, batch: usize) -> Option<Self> {
        let w = &conv.window;
        let suits = |channels: usize| channels >= FEW_CHANNELS && channels.is_multiple_of(LANES);
        let fits = conv.groups == 1
            && batch * w.positions() >= FEW_POSITIONS
            && w.kernel == [KERNEL; 2]
            && w.stride == [1, 1]
            && w.dilation == [1, 1]
            && suits(conv.in_channels)
            && suits(conv.out_channels);
        fits.then_some(Self {
            window: conv.window,
            in_channels: conv.in_channels,
            out_channels: conv.out_channels,
        })
    }

    /// Rows and columns of tiles of one sample.
    fn tiles(&self) -> [usize; 2] {
        self.window.output.map(|side| side.div_ceil(OUT))
    }

    fn tiles_per_sample(&self) -> usize {
        let [rows, cols] = self.tiles();
        rows * cols
    }

    /// Cuts a batch into parts of about equal size whose tiles can be held.
    fn parts(&self, batch: usize) -> impl Iterator<Item = Part> + use<> {
        let values = self.tiles_per_sample() * (pitch(self.in_channels) + pitch(self.out_channels));
        let most = (HELD / values).clamp(1, batch.max(1));
        let samples = batch.div_ceil(batch.div_ceil(most).max(1));
        (0..batch).step_by(samples.max(1)).map(move |first| Part {
            first,
            samples: samples.min(batch - first),
        })
    }

    /// `y = conv(x)`, finished: `x` is `[B, H, W, C]`, `weight` `[O, 3, 3, C]`, `y` `[B, H', W', O]`.
    ///
    /// A task takes a few rows of tiles all the way: what it makes of them never leaves the cache.
    pub fn forward(&self, x: &[f32], weight: &[f32], epilogue: &Epilogue<'_>, y: &mut [f32]) {
        let (c, o) = (self.in_channels, self.out_channels);
        let [h, w] = self.window.output;
        with_panels(PLACES * panels_len(c, o), |memory| {
            let panels = self.weight_panels(weight, memory);
            let samples = y.chunks_mut(h * w * o);
            let mut bands: Vec<&mut [f32]> =
                samples.flat_map(|y| y.chunks_mut(OUT * w * o)).collect();
            let rows = self.task_rows(bands.len());
            bands
                .par_chunks_mut(rows)
                .enumerate()
                .for_each(|(i, bands)| {
                    self.forward_rows(x, &panels, i * rows, bands, epilogue);
                });
        });
    }

    /// `G w G'` of all weights, a matrix `[C, O]` for every place.
    fn weight_panels<'a>(&self, weight: &[f32], memory: &'a mut [f32]) -> Vec<Panels<'a>> {
        let (c, o) = (self.in_channels, self.out_channels);
        with_scratch(o * pitch(c), |u| {
            u.par_chunks_mut(pitch(c))
                .zip(weight.par_chunks(KERNEL * KERNEL * c))
                .for_each(|(u, w)| weight_to_places(w, c, u));
            memory
                .par_chunks_exact_mut(panels_len(c, o))
                .enumerate()
                .map(|(place, memory)| Panels::pack(plane(u, o, c, place).transposed(), memory))
                .collect()
        })
    }

    /// Rows of tiles that one task takes, of all that there are.
    fn task_rows(&self, all: usize) -> usize {
        let [_, cols] = self.tiles();
        let values = pitch(self.in_channels) + pitch(self.out_channels);
        let tiles = (TASK_VALUES / values).max(FEW_TILES);
        let shared = (all.div_ceil(TASKS) * cols).max(FEW_TILES / 2);
        tiles.min(shared).div_ceil(cols)
    }

    /// Some rows of tiles from row `first` of the batch on, each into its band of the output.
    fn forward_rows(
        &self,
        x: &[f32],
        panels: &[Panels<'_>],
        first: usize,
        bands: &mut [&mut [f32]],
        epilogue: &Epilogue<'_>,
    ) {
        let (c, o) = (self.in_channels, self.out_channels);
        let [h, w] = self.window.output;
        let [rows, cols] = self.tiles();
        let sample = self.window.pixels() * c;
        let tiles = bands.len() * cols;
        with_scratch(tiles * (pitch(c) + pitch(o)), |held| {
            let (v, m) = held.split_at_mut(tiles * pitch(c));
            for (row, v) in (first..).zip(v.chunks_exact_mut(cols * pitch(c))) {
                let x = &x[row / rows * sample..][..sample];
                input_row(x, &self.window, c, row % rows, v);
            }
            let mut whole = ViewMut::dense(m, tiles, pitch(o));
            for (place, panels) in panels.iter().enumerate() {
                let mut out = whole.block(0..tiles, place * o..(place + 1) * o);
                multiply_panels(
                    &mut out,
                    plane(v, tiles, c, place),
                    *panels,
                    Fill::Overwrite,
                );
            }
            let places = m.chunks_exact(cols * pitch(o));
            for ((row, band), m) in (first..).zip(bands).zip(places) {
                output_band(m, w, o, band);
                let from = (row / rows * h + row % rows * OUT) * w;
                let pixels = band.len() / o;
                let mut band = ViewMut::dense(band, pixels, o);
                epilogue.apply(from..from + pixels, 0..o, o, &mut band);
            }
        });
    }

    /// Adds the weight's gradient to `dw`, `[O, 3, 3, C]`; `dy` is `[B, H', W', O]`.
    pub fn backward_weight(&self, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        let (c, o) = (self.in_channels, self.out_channels);
        let batch = dy.len() / (self.window.positions() * o);
        self.with_places(batch, |du, held| {
            let mut fill = Fill::Overwrite;
            for part in self.parts(batch) {
                let tiles = part.samples * self.tiles_per_sample();
                let (v, z) = held.split_at_mut(tiles * pitch(c));
                let z = &mut z[..tiles * pitch(o)];
                self.inputs_to_places(x, part, v);
                self.gradients_to_places(dy, part, z);
                let blocks = Blocks { rows: o, cols: c };
                for_each_block(du, [o, pitch(c)], blocks, |_, cols, mut out| {
                    let place = cols.start / c;
                    if place < PLACES {
                        let z = plane(z, tiles, o, place).transposed();
                        multiply(&mut out, z, plane(v, tiles, c, place), fill);
                    }
                });
                fill = Fill::Accumulate;
            }
            dw.par_chunks_mut(KERNEL * KERNEL * c)
                .zip(du.par_chunks(pitch(c)))
                .for_each(|(dw, du)| add_places_to_weight(du, c, dw));
        });
    }

    /// Calls `work` with memory for the places of the weights, and of inputs and outputs of the largest
    /// part of a batch.
    fn with_places(&self, batch: usize, work: impl FnOnce(&mut [f32], &mut [f32])) {
        let (c, o) = (pitch(self.in_channels), pitch(self.out_channels));
        let most = self.parts(batch).next().map_or(0, |part| part.samples);
        let weights = self.out_channels * c;
        with_scratch(weights + most * self.tiles_per_sample() * (c + o), |all| {
            let (weights, held) = all.split_at_mut(weights);
            work(weights, held);
        });
    }

    /// `B' x B` of every tile of a part, `[T, 36 C + PAD]`.
    fn inputs_to_places(&self, x: &[f32], part: Part, v: &mut [f32]) {
        let per_sample = self.tiles_per_sample();
        let sample = self.window.pixels() * self.in_channels;
        let row = self.tiles()[1] * pitch(self.in_channels);
        v.par_chunks_mut(row).enumerate().for_each(|(i, v)| {
            let tile = i * self.tiles()[1];
            let x = &x[(part.first + tile / per_sample) * sample..][..sample];
            let ty = tile % per_sample / self.tiles()[1];
            input_row(x, &self.window, self.in_channels, ty, v);
        });
    }

    /// `A dy A'` of every tile of a part, `[T, 36 O + PAD]`.
    fn gradients_to_places(&self, dy: &[f32], part: Part, z: &mut [f32]) {
        let per_sample = self.tiles_per_sample();
        let sample = self.window.positions() * self.out_channels;
        let row = self.tiles()[1] * pitch(self.out_channels);
        z.par_chunks_mut(row).enumerate().for_each(|(i, z)| {
            let tile = i * self.tiles()[1];
            let dy = &dy[(part.first + tile / per_sample) * sample..][..sample];
            let ty = tile % per_sample / self.tiles()[1];
            gradient_row(dy, &self.window, self.out_channels, ty, z);
        });
    }
}

/// Values of a row of places with their padding.
const fn pitch(channels: usize) -> usize {
    PLACES * channels + PAD
}

/// One place of every row.
fn plane(places: &[f32], rows: usize, channels: usize, place: usize) -> View<'_> {
    let from = place * channels;
    View::new(&places[from..], rows, channels, pitch(channels))
}

multiversion! {
    /// `B' x B` of one row of tiles of an image.
    fn input_row<FMA>(x: &[f32], window: &Window, channels: usize, ty: usize, v: &mut [f32]) {
        let [height, width] = window.input;
        for (tx, v) in v.chunks_exact_mut(pitch(channels)).enumerate() {
            for from in (0..channels).step_by(LANES) {
                let tile = tile(|i, j| {
                    // Above and left of the image wraps to a huge number: zero like below and right.
                    let line = (ty * OUT + i).wrapping_sub(window.padding[0]);
                    let at = (tx * OUT + j).wrapping_sub(window.padding[1]);
                    let inside = line < height && at < width;
                    if inside { load(&x[(line * width + at) * channels + from..]) } else { ZERO }
                });
                store_places(&on_both_sides(&tile, to_input_places), channels, &mut v[from..]);
            }
        }
    }
}

multiversion! {
    /// `A dy A'` of one row of tiles of an image; beyond the image the gradient is zero.
    fn gradient_row<FMA>(dy: &[f32], window: &Window, channels: usize, ty: usize, z: &mut [f32]) {
        let [height, width] = window.output;
        for (tx, z) in z.chunks_exact_mut(pitch(channels)).enumerate() {
            for from in (0..channels).step_by(LANES) {
                let tile = tile(|i, j| {
                    let (line, at) = (ty * OUT + i, tx * OUT + j);
                    let inside = line < height && at < width;
                    if inside { load(&dy[(line * width + at) * channels + from..]) } else { ZERO }
                });
                store_places(&on_both_sides(&tile, to_output_places), channels, &mut z[from..]);
            }
        }
    }
}

multiversion! {
    /// `A' m A` of one row of tiles, as a band of up to four image rows of `width` pixels.
    fn output_band<FMA>(m: &[f32], width: usize, channels: usize, band: &mut [f32]) {
        for (tx, m) in m.chunks_exact(pitch(channels)).enumerate() {
            for from in (0..channels).step_by(LANES) {
                let tile = on_both_sides(&load_places(&m[from..], channels), from_output_places);
                for (row, line) in tile.iter().zip(band.chunks_exact_mut(width * channels)) {
                    let pixels = line.chunks_exact_mut(channels).skip(tx * OUT);
                    for (value, pixel) in row.iter().zip(pixels) {
                        store(value, &mut pixel[from..]);
                    }
                }
            }
        }
    }
}

multiversion! {
    /// `G w G'` of one output channel's weights, `[3, 3, C]`.
    fn weight_to_places<FMA>(w: &[f32], channels: usize, u: &mut [f32]) {
        for from in (0..channels).step_by(LANES) {
            let kernel = tile(|i, j| load(&w[(i * KERNEL + j) * channels + from..]));
            store_places(&on_both_sides(&kernel, to_weight_places), channels, &mut u[from..]);
        }
    }
}

multiversion! {
    /// Adds `G' du G` to one output channel's gradient, `[3, 3, C]`.
    fn add_places_to_weight<FMA>(du: &[f32], channels: usize, dw: &mut [f32]) {
        for from in (0..channels).step_by(LANES) {
            let kernel = on_both_sides(&load_places(&du[from..], channels), from_weight_places);
            for (value, tap) in kernel.as_flattened().iter().zip(dw.chunks_exact_mut(channels)) {
                let tap = &mut tap[from..];
                store(&sum(&load(tap), value), tap);
            }
        }
    }
}

const ZERO: Lanes = [0.0; LANES];

/// A square of `value(row, column)`.
#[inline(always)]
fn tile<const N: usize>(value: impl Fn(usize, usize) -> Lanes) -> [[Lanes; N]; N] {
    from_fn(|i| from_fn(|j| value(i, j)))
}

/// `F t F'` for the transform `F` of a column.
#[inline(always)]
fn on_both_sides<const I: usize, const O: usize>(
    tile: &[[Lanes; I]; I],
    transform: impl Fn(&[Lanes; I]) -> [Lanes; O],
) -> [[Lanes; O]; O] {
    let columns: [[Lanes; O]; I] = from_fn(|j| transform(&from_fn(|i| tile[i][j])));
    from_fn(|i| transform(&from_fn(|j| columns[j][i])))
}

/// The places of a tile from the first channel on that `places` begins with.
#[inline(always)]
fn load_places(places: &[f32], channels: usize) -> [[Lanes; IN]; IN] {
    tile(|i, j| load(&places[(i * IN + j) * channels..]))
}

/// The inverse of [`load_places`].
#[inline(always)]
fn store_places(tile: &[[Lanes; IN]; IN], channels: usize, places: &mut [f32]) {
    for (place, value) in tile.as_flattened().iter().enumerate() {
        store(value, &mut places[place * channels..]);
    }
}

#[inline(always)]
fn sum(a: &Lanes, b: &Lanes) -> Lanes {
    from_fn(|l| a[l] + b[l])
}

#[inline(always)]
fn load(values: &[f32]) -> Lanes {
    from_fn(|l| values[..LANES][l])
}

#[inline(always)]
fn store(lanes: &Lanes, values: &mut [f32]) {
    values[..LANES].copy_from_slice(lanes);
}

/// `B' d`.
#[inline(always)]
fn to_input_places(d: &[Lanes; IN]) -> [Lanes; IN] {
    let mut out = [[0.0; LANES]; IN];
    for l in 0..LANES {
        let [d0, d1, d2, d3, d4, d5] = from_fn(|i| d[i][l]);
        let (even_p, odd_p) = (d4 - Q2 * d2, P * (d3 - Q2 * d1));
        let (even_q, odd_q) = (d4 - P2 * d2, Q * (d3 - P2 * d1));
        out[0][l] = (d0 + d4) - S * d2;
        out[1][l] = even_p + odd_p;
        out[2][l] = even_p - odd_p;
        out[3][l] = even_q + odd_q;
        out[4][l] = even_q - odd_q;
        out[5][l] = (d1 + d5) - S * d3;
    }
    out
}

/// `A y`.
#[inline(always)]
fn to_output_places(y: &[Lanes; OUT]) -> [Lanes; IN] {
    let mut out = [[0.0; LANES]; IN];
    for l in 0..LANES {
        let [y0, y1, y2, y3] = from_fn(|i| y[i][l]);
        let (even_p, odd_p) = (y0 + P2 * y2, P * y1 + P3 * y3);
        let (even_q, odd_q) = (y0 + Q2 * y2, Q * y1 + Q3 * y3);
        out[0][l] = y0;
        out[1][l] = even_p + odd_p;
        out[2][l] = even_p - odd_p;
        out[3][l] = even_q + odd_q;
        out[4][l] = even_q - odd_q;
        out[5][l] = y3;
    }
    out
}

/// `A' m`.
#[inline(always)]
fn from_output_places(m: &[Lanes; IN]) -> [Lanes; OUT] {
    let mut out = [[0.0; LANES]; OUT];
    for l in 0..LANES {
        let [m0, m1, m2, m3, m4, m5] = from_fn(|i| m[i][l]);
        let (even_p, odd_p) = (m1 + m2, m1 - m2);
        let (even_q, odd_q) = (m3 + m4, m3 - m4);
        out[0][l] = m0 + even_p + even_q;
        out[1][l] = P * odd_p + Q * odd_q;
        out[2][l] = P2 * even_p + Q2 * even_q;
        out[3][l] = P3 * odd_p + Q3 * odd_q + m5;
    }
    out
}

/// `G w`.
#[inline(always)]
fn to_weight_places(w: &[Lanes; KERNEL]) -> [Lanes; IN] {
    let mut out = [[0.0; LANES]; IN];
    for l in 0..LANES {
        let [w0, w1, w2] = from_fn(|i| w[i][l]);
        out[0][l] = w0;
        out[1][l] = GP * ((w0 + P2 * w2) + P * w1);
        out[2][l] = GP * ((w0 + P2 * w2) - P * w1);
        out[3][l] = GQ * ((w0 + Q2 * w2) + Q * w1);
        out[4][l] = GQ * ((w0 + Q2 * w2) - Q * w1);
        out[5][l] = w2;
    }
    out
}

/// `G' u`.
#[inline(always)]
fn from_weight_places(u: &[Lanes; IN]) -> [Lanes; KERNEL] {
    let mut out = [[0.0; LANES]; KERNEL];
    for l in 0..LANES {
        let [u0, u1, u2, u3, u4, u5] = from_fn(|i| u[i][l]);
        let (even_p, odd_p) = (GP * (u1 + u2), GP * (u1 - u2));
        let (even_q, odd_q) = (GQ * (u3 + u4), GQ * (u3 - u4));
        out[0][l] = u0 + even_p + even_q;
        out[1][l] = P * odd_p + Q * odd_q;
        out[2][l] = P2 * even_p + Q2 * even_q + u5;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::kernel::testing::{assert_near, numbers};

    fn conv(input: [usize; 2], padding: [usize; 2], c: usize, o: usize) -> Conv {
        Conv {
            window: Window {
                input,
                output: [0, 1].map(|a| input[a] + 2 * padding[a] - (KERNEL - 1)),
                kernel: [KERNEL; 2],
                stride: [1, 1],
                padding,
                dilation: [1, 1],
            },
            in_channels: c,
            out_channels: o,
            groups: 1,
        }
    }

    #[test]
    fn tiles_give_what_patches_give() {
        for (batch, input, padding, c, o) in [
            (1, [4, 4], [1, 1], 32, 32),
            (3, [7, 9], [1, 1], 48, 32),
            (2, [5, 3], [0, 0], 32, 64),
            (5, [1, 6], [2, 1], 32, 48),
            // More than is held at a time.
            (40, [16, 16], [1, 1], 64, 64),
        ] {
            let conv = conv(input, padding, c, o);
            let fast = Winograd::of(&conv, FEW_POSITIONS).unwrap();
            let x = numbers("x", batch * conv.window.pixels() * c);
            let weight = numbers("w", o * KERNEL * KERNEL * c);
            let dy = numbers("dy", batch * conv.window.positions() * o);
            let bias = numbers("b", o);
            let mut expected = vec![0.0; dy.len()];
            let epilogue = Epilogue::bias(Some(&bias));
            conv.forward_by_patches(&x, &weight, &epilogue, &mut expected);
            let mut got = vec![f32::NAN; dy.len()];
            fast.forward(&x, &weight, &epilogue, &mut got);
            assert_near(&got, &expected, 1e-5);
            let mut expected = vec![1.0; weight.len()];
            conv.backward_weight_by_patches(&x, &dy, &mut expected);
            let mut got = vec![1.0; weight.len()];
            fast.backward_weight(&x, &dy, &mut got);
            assert_near(&got, &expected, 1e-5);
        }
    }

    #[test]
    fn other_convolutions_are_left_alone() {
        let usual = conv([8, 8], [1, 1], 32, 32);
        assert!(Winograd::of(&usual, 10).is_some());
        assert!(Winograd::of(&usual, 9).is_none());
        let with = |change: &dyn Fn(&mut Conv)| {
            let mut changed = usual;
            change(&mut changed);
            changed
        };
        for other in [
            with(&|c| c.groups = 2),
            with(&|c| c.in_channels = 3),
            with(&|c| c.out_channels = 40),
            with(&|c| c.window.stride = [2, 2]),
            with(&|c| c.window.dilation = [2, 2]),
            with(&|c| c.window.kernel = [3, 1]),
        ] {
            assert!(Winograd::of(&other, 10).is_none(), "{other:?}");
        }
    }
}
