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

mod places;

use rayon::prelude::*;

use super::conv::{Conv, with_scratch};
use super::epilogue::Epilogue;
use super::matmul::{Blocks, Fill, ViewMut, for_each_block, multiply};
use super::product::{Panels, multiply_panels, panels_len, with_panels};
use super::window::Window;
use places::{
    KERNEL, LANES, OUT, PLACES, add_places_to_weight, gradient_row, input_row, output_band, pitch,
    plane, weight_to_places,
};

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
