//! Tiles to places and back: the transforms, sixteen channels at a time.
//!
//! Names as in the formulas of [`super`]: `B'` and `A` take inputs and gradients of outputs to places, `G`
//! takes weights there; `A'` and `G'` take sums back.
//!
//! Arrays are filled by loops: what `array::from_fn` and `map` are given is compiled for the least of
//! processors wherever the compiler does not choose to inline it.

use crate::nn::kernel::matmul::View;
use crate::nn::kernel::window::Window;

/// Side of an output tile, of an input tile, and places of the latter.
pub const OUT: usize = 4;
const IN: usize = 6;
pub const PLACES: usize = IN * IN;
/// Side of the kernel.
pub const KERNEL: usize = 3;
/// Channels that are transformed together.
pub const LANES: usize = 16;
/// Values after every row of places: without them, rows of many channels would lie a multiple of the
/// page size apart and push each other out of the cache.
const PAD: usize = 16;
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

/// Values of a row of places with their padding.
pub const fn pitch(channels: usize) -> usize {
    PLACES * channels + PAD
}

/// One place of every row.
pub fn plane(places: &[f32], rows: usize, channels: usize, place: usize) -> View<'_> {
    let from = place * channels;
    View::new(&places[from..], rows, channels, pitch(channels))
}

multiversion! {
    /// `B' x B` of one row of tiles of an image.
    pub fn input_row<FMA>(x: &[f32], window: &Window, channels: usize, ty: usize, v: &mut [f32]) {
        let [height, width] = window.input;
        let mut square = Square::new();
        for (tx, v) in v.chunks_exact_mut(pitch(channels)).enumerate() {
            for from in (0..channels).step_by(LANES) {
                for (i, row) in square.tile.iter_mut().enumerate() {
                    // Above and left of the image wraps to a huge number: zero like below and right.
                    let line = (ty * OUT + i).wrapping_sub(window.padding[0]);
                    for (j, value) in row.iter_mut().enumerate() {
                        let at = (tx * OUT + j).wrapping_sub(window.padding[1]);
                        let inside = line < height && at < width;
                        *value = if inside { load(&x[(line * width + at) * channels + from..]) } else { ZERO };
                    }
                }
                square.transform(to_input_places);
                square.store_places(channels, &mut v[from..]);
            }
        }
    }
}

multiversion! {
    /// `A dy A'` of one row of tiles of an image; beyond the image the gradient is zero.
    pub fn gradient_row<FMA>(dy: &[f32], window: &Window, channels: usize, ty: usize, z: &mut [f32]) {
        let [height, width] = window.output;
        let mut square = Square::new();
        for (tx, z) in z.chunks_exact_mut(pitch(channels)).enumerate() {
            for from in (0..channels).step_by(LANES) {
                for (i, row) in square.tile.iter_mut().enumerate() {
                    let line = ty * OUT + i;
                    for (j, value) in row.iter_mut().enumerate() {
                        let at = tx * OUT + j;
                        let inside = line < height && at < width;
                        *value = if inside { load(&dy[(line * width + at) * channels + from..]) } else { ZERO };
                    }
                }
                square.transform(to_output_places);
                square.store_places(channels, &mut z[from..]);
            }
        }
    }
}

multiversion! {
    /// `A' m A` of one row of tiles, as a band of up to four image rows of `width` pixels.
    pub fn output_band<FMA>(m: &[f32], width: usize, channels: usize, band: &mut [f32]) {
        let mut square = Square::new();
        for (tx, m) in m.chunks_exact(pitch(channels)).enumerate() {
            for from in (0..channels).step_by(LANES) {
                square.load(&m[from..], channels);
                square.transform(from_output_places);
                for (row, line) in square.out.iter().zip(band.chunks_exact_mut(width * channels)) {
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
    pub fn weight_to_places<FMA>(w: &[f32], channels: usize, u: &mut [f32]) {
        let mut square = Square::new();
        for from in (0..channels).step_by(LANES) {
            square.load(&w[from..], channels);
            square.transform(to_weight_places);
            square.store_places(channels, &mut u[from..]);
        }
    }
}

multiversion! {
    /// Adds `G' du G` to one output channel's gradient, `[3, 3, C]`.
    pub fn add_places_to_weight<FMA>(du: &[f32], channels: usize, dw: &mut [f32]) {
        let mut square = Square::new();
        for from in (0..channels).step_by(LANES) {
            square.load(&du[from..], channels);
            square.transform(from_weight_places);
            let values = square.out.as_flattened().iter();
            for (value, tap) in values.zip(dw.chunks_exact_mut(channels)) {
                let tap = &mut tap[from..];
                store(&sum(&load(tap), value), tap);
            }
        }
    }
}

const ZERO: Lanes = [0.0; LANES];

/// A tile and what becomes of it. Made once for many tiles: clearing it would take as long as its use.
struct Square<const I: usize, const O: usize> {
    tile: [[Lanes; I]; I],
    columns: [[Lanes; O]; I],
    out: [[Lanes; O]; O],
}

impl<const I: usize, const O: usize> Square<I, O> {
    #[inline(always)]
    const fn new() -> Self {
        Self {
            tile: [[ZERO; I]; I],
            columns: [[ZERO; O]; I],
            out: [[ZERO; O]; O],
        }
    }

    /// Takes places or taps, each `channels` values after the one before, from the channel on that `values`
    /// begins with.
    #[inline(always)]
    fn load(&mut self, values: &[f32], channels: usize) {
        for i in 0..I {
            for j in 0..I {
                self.tile[i][j] = load(&values[(i * I + j) * channels..]);
            }
        }
    }

    /// `F t F'` for the transform `F` of a column.
    #[inline(always)]
    fn transform(&mut self, transform: impl Fn(&[Lanes; I]) -> [Lanes; O]) {
        for j in 0..I {
            let mut column = [ZERO; I];
            for (value, row) in column.iter_mut().zip(&self.tile) {
                *value = row[j];
            }
            self.columns[j] = transform(&column);
        }
        for i in 0..O {
            let mut row = [ZERO; I];
            for (value, column) in row.iter_mut().zip(&self.columns) {
                *value = column[i];
            }
            self.out[i] = transform(&row);
        }
    }

    /// Writes what became of the tile as places.
    #[inline(always)]
    fn store_places(&self, channels: usize, places: &mut [f32]) {
        for (place, value) in self.out.as_flattened().iter().enumerate() {
            store(value, &mut places[place * channels..]);
        }
    }
}

#[inline(always)]
fn sum(a: &Lanes, b: &Lanes) -> Lanes {
    let mut out = ZERO;
    for l in 0..LANES {
        out[l] = a[l] + b[l];
    }
    out
}

#[inline(always)]
fn load(values: &[f32]) -> Lanes {
    let mut lanes = ZERO;
    lanes.copy_from_slice(&values[..LANES]);
    lanes
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
        let [d0, d1, d2, d3, d4, d5] = [d[0][l], d[1][l], d[2][l], d[3][l], d[4][l], d[5][l]];
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
        let [y0, y1, y2, y3] = [y[0][l], y[1][l], y[2][l], y[3][l]];
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
        let [m0, m1, m2, m3, m4, m5] = [m[0][l], m[1][l], m[2][l], m[3][l], m[4][l], m[5][l]];
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
        let [w0, w1, w2] = [w[0][l], w[1][l], w[2][l]];
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
        let [u0, u1, u2, u3, u4, u5] = [u[0][l], u[1][l], u[2][l], u[3][l], u[4][l], u[5][l]];
        let (even_p, odd_p) = (GP * (u1 + u2), GP * (u1 - u2));
        let (even_q, odd_q) = (GQ * (u3 + u4), GQ * (u3 - u4));
        out[0][l] = u0 + even_p + even_q;
        out[1][l] = P * odd_p + Q * odd_q;
        out[2][l] = P2 * even_p + Q2 * even_q + u5;
    }
    out
}
