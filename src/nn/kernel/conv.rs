//! Convolutions in three directions, dense and grouped: as matrix products over patches, in tiles; those
//! that [`Winograd`] can do, by it.
//!
//! Letters: `B` samples, `M` output positions over the batch, `C` channels in, `O` channels out, `G`
//! groups, `K` values of a patch of one group (`taps * C / G`).

use std::cell::RefCell;
use std::ops::Range;

use rayon::prelude::*;

use super::epilogue::Epilogue;
use super::im2col::{self, Columns};
use super::matmul::{self, Blocks, Fill, View, ViewMut, cut, multiply};
use super::product::{Panels, multiply_panels, panels_len, with_panels};
use super::rows;
use super::transpose;
use super::window::Window;
use super::winograd::Winograd;

/// A convolution's sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv {
    pub window: Window,
    pub in_channels: usize,
    pub out_channels: usize,
    pub groups: usize,
}

/// Values of the patch matrix that one task holds at a time: 2 MiB, about what a core's cache takes.
const TILE_VALUES: usize = 1 << 19;
/// Values of an output that are finished at a time: 512 KiB; but not fewer rows than these, with which
/// packing the weights would count.
const FINISHED_VALUES: usize = 1 << 17;
const FEW_ROWS: usize = 256;
/// Weight gradients up to this many values are summed over parts of the batch; larger ones are cut
/// into columns instead, because the parts would need too much memory.
const SMALL_WEIGHT: usize = 1 << 18;
/// Most parts of the batch.
const PARTS: usize = 16;

/// Input channels whose weights are flipped by one task.
const FLIPPED_CHANNELS: usize = 16;

thread_local! {
    /// The patch matrix of the task that runs on this thread, kept to avoid fresh pages.
    static PATCHES: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

impl Conv {
    fn group_in(&self) -> usize {
        self.in_channels / self.groups
    }

    fn group_out(&self) -> usize {
        self.out_channels / self.groups
    }

    /// Values of a patch of one group.
    fn patch(&self) -> usize {
        self.window.taps() * self.group_in()
    }

    fn columns(&self, group: usize) -> Columns {
        Columns {
            taps: 0..self.window.taps(),
            channels: group * self.group_in()..(group + 1) * self.group_in(),
        }
    }

    fn is_plain(&self) -> bool {
        self.groups == 1 && self.window.is_pointwise()
    }

    fn tile_rows(&self) -> usize {
        (TILE_VALUES / self.patch()).clamp(128, 4096)
    }

    /// Weights of one group as `[O / G, K]`.
    fn group_weight<'a>(&self, weight: &'a [f32], group: usize) -> View<'a> {
        let (o, k) = (self.group_out(), self.patch());
        View::dense(&weight[group * o * k..(group + 1) * o * k], o, k)
    }

    /// The faster way for a batch of so many output values, if it is one.
    fn winograd(&self, outputs: usize) -> Option<Winograd> {
        let batch = outputs / (self.window.positions() * self.out_channels);
        Winograd::of(self, batch)
    }

    /// `y = conv(x)`, finished: `x` is `[B, H, W, C]`, `y` is `[M, O]`.
    pub fn forward(&self, x: &[f32], weight: &[f32], epilogue: &Epilogue<'_>, y: &mut [f32]) {
        match self.winograd(y.len()) {
            Some(fast) => fast.forward(x, weight, epilogue, y),
            None => self.forward_by_patches(x, weight, epilogue, y),
        }
    }

    /// [`Conv::forward`] for all sizes.
    pub(super) fn forward_by_patches(
        &self,
        x: &[f32],
        weight: &[f32],
        epilogue: &Epilogue<'_>,
        y: &mut [f32],
    ) {
        let (o, k) = (self.group_out(), self.patch());
        let m = y.len() / self.out_channels;
        let mut blocks = Blocks::of(m, self.out_channels, self.tile_rows());
        if self.groups > 1 {
            blocks.cols = self.out_channels;
        }
        let length = panels_len(k, o);
        with_panels(self.groups * length, |memory| {
            let panels: Vec<Panels<'_>> = memory
                .chunks_exact_mut(length)
                .enumerate()
                .map(|(group, memory)| {
                    let weight = self.group_weight(weight, group).transposed();
                    Panels::pack_parallel(weight, memory)
                })
                .collect();
            matmul::for_each_block(y, [m, self.out_channels], blocks, |r, c, mut out| {
                // Parts that stay in the cache until the epilogue.
                let step = (FINISHED_VALUES / c.len()).max(FEW_ROWS);
                for i in 0..r.len().div_ceil(step) {
                    let part = cut(r.len(), step, i);
                    let mut out = out.block(part.clone(), 0..c.len());
                    let rows = r.start + part.start..r.start + part.end;
                    self.forward_block(x, &panels, rows.clone(), c.clone(), &mut out);
                    epilogue.apply(rows, c.clone(), self.out_channels, &mut out);
                }
            });
        });
    }

    fn forward_block(
        &self,
        x: &[f32],
        panels: &[Panels<'_>],
        rows: Range<usize>,
        cols: Range<usize>,
        out: &mut ViewMut<'_>,
    ) {
        let o = self.group_out();
        for (group, panels) in panels.iter().enumerate() {
            self.with_patches(x, rows.clone(), &self.columns(group), |patches| {
                if self.groups == 1 {
                    multiply_panels(out, patches, panels.cols(cols.clone()), Fill::Overwrite);
                } else {
                    let mut out = out.cols(group * o..(group + 1) * o);
                    multiply_panels(&mut out, patches, *panels, Fill::Overwrite);
                }
            });
        }
    }

    /// `dx` from `dy`; overwrites `dx`.
    pub fn backward_input(&self, dy: &[f32], weight: &[f32], dx: &mut [f32]) {
        if self.is_plain() {
            let (o, c) = (self.out_channels, self.in_channels);
            let dy = View::dense(dy, dy.len() / o, o);
            return matmul::multiply_parallel(dx, dy, View::dense(weight, o, c), Fill::Overwrite);
        }
        match self.window.reversed() {
            Some(window) => {
                let reversed = Self {
                    window,
                    in_channels: self.out_channels,
                    out_channels: self.in_channels,
                    groups: self.groups,
                };
                reversed.forward(dy, &self.flipped(weight), &Epilogue::default(), dx);
            }
            None => self.scatter_input(dy, weight, dx),
        }
    }

    /// Weights `[C, taps, O / G]` of the convolution that takes gradients back.
    fn flipped(&self, weight: &[f32]) -> Vec<f32> {
        let (gi, go, taps) = (self.group_in(), self.group_out(), self.window.taps());
        let mut flipped = vec![0.0; weight.len()];
        for (group, flipped) in flipped.chunks_exact_mut(gi * taps * go).enumerate() {
            let weight = &weight[group * go * taps * gi..];
            flipped
                .par_chunks_mut(FLIPPED_CHANNELS * taps * go)
                .enumerate()
                .for_each(|(i, out)| {
                    let channels = cut(gi, FLIPPED_CHANNELS, i);
                    for tap in 0..taps {
                        // A tap is a matrix `[O / G, C / G]`; it goes where its mirror image was.
                        let from = &weight[(taps - 1 - tap) * gi + channels.start..];
                        let shape = [channels.len(), go];
                        transpose::into_rows(
                            from,
                            taps * gi,
                            shape,
                            &mut out[tap * go..],
                            taps * go,
                        );
                    }
                });
        }
        flipped
    }

    /// The general way: gradients of patches, added where the patches came from. One task per group
    /// of samples.
    fn scatter_input(&self, dy: &[f32], weight: &[f32], dx: &mut [f32]) {
        let sample = self.window.pixels() * self.in_channels;
        let per_sample = self.window.positions();
        let samples = (self.tile_rows() / 4 / per_sample).max(1);
        let o = self.group_out();
        dx.par_chunks_mut(samples * sample)
            .enumerate()
            .for_each(|(i, dx)| {
                dx.fill(0.0);
                let first = i * samples;
                let count = dx.len() / sample;
                let rows = first * per_sample..(first + count) * per_sample;
                let tile = self.tile_rows();
                for t in 0..rows.len().div_ceil(tile) {
                    let part = cut(rows.len(), tile, t);
                    let part = rows.start + part.start..rows.start + part.end;
                    for group in 0..self.groups {
                        let dy = View::dense(dy, dy.len() / self.out_channels, self.out_channels)
                            .rows(part.clone())
                            .cols(group * o..(group + 1) * o);
                        let columns = self.columns(group);
                        with_scratch(part.len() * columns.len(), |col| {
                            let mut out = ViewMut::dense(col, part.len(), columns.len());
                            let w = self.group_weight(weight, group);
                            multiply(&mut out, dy, w, Fill::Overwrite);
                            im2col::scatter_add(
                                col,
                                self.in_channels,
                                &self.window,
                                part.clone(),
                                &columns,
                                first,
                                dx,
                            );
                        });
                    }
                }
            });
    }

    /// Adds the weight's gradient to `dw`.
    pub fn backward_weight(&self, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        match self.winograd(dy.len()) {
            Some(fast) => fast.backward_weight(x, dy, dw),
            None => self.backward_weight_by_patches(x, dy, dw),
        }
    }

    /// [`Conv::backward_weight`] for all sizes.
    pub(super) fn backward_weight_by_patches(&self, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        if dw.len() <= SMALL_WEIGHT || self.groups > 1 {
            self.weight_by_parts(x, dy, dw);
        } else {
            self.weight_by_columns(x, dy, dw);
        }
    }

    /// Each task sums over a part of the output positions into its own buffer.
    fn weight_by_parts(&self, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        let m = dy.len() / self.out_channels;
        let part = m.div_ceil(PARTS).max(256);
        let sums: Vec<Vec<f32>> = (0..m.div_ceil(part))
            .into_par_iter()
            .map(|i| {
                let mut sum = vec![0.0; dw.len()];
                let rows = cut(m, part, i);
                let tile = self.tile_rows();
                for t in 0..rows.len().div_ceil(tile) {
                    let r = cut(rows.len(), tile, t);
                    self.add_weight(x, dy, rows.start + r.start..rows.start + r.end, &mut sum);
                }
                sum
            })
            .collect();
        rows::add_all(dw, &sums);
    }

    /// Adds the gradient over some output positions to `sum`, all groups.
    fn add_weight(&self, x: &[f32], dy: &[f32], rows: Range<usize>, sum: &mut [f32]) {
        let (o, k) = (self.group_out(), self.patch());
        let dy =
            View::dense(dy, dy.len() / self.out_channels, self.out_channels).rows(rows.clone());
        for (group, sum) in sum.chunks_exact_mut(o * k).enumerate() {
            let dy = dy.cols(group * o..(group + 1) * o).transposed();
            let mut out = ViewMut::dense(sum, o, k);
            self.with_patches(x, rows.clone(), &self.columns(group), |patches| {
                multiply(&mut out, dy, patches, Fill::Accumulate);
            });
        }
    }

    /// Each task does some columns of the weight (a tap, or some channels of the only tap) over all
    /// positions. For one group.
    fn weight_by_columns(&self, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        let (o, k, c) = (self.out_channels, self.patch(), self.in_channels);
        let m = dy.len() / o;
        // A block must not reach from one tap into the next.
        let cols = match self.window.taps() {
            1 => 128,
            _ if c > 512 && c % 128 == 0 => 128,
            _ => c,
        };
        let blocks = Blocks { rows: o, cols };
        let tile = TILE_VALUES / blocks.cols;
        matmul::for_each_block(dw, [o, k], blocks, |_, cols, mut out| {
            let tap = cols.start / c;
            let columns = Columns {
                taps: tap..tap + 1,
                channels: cols.start - tap * c..cols.end - tap * c,
            };
            for t in 0..m.div_ceil(tile) {
                let rows = cut(m, tile, t);
                let dy = View::dense(dy, m, o).rows(rows.clone()).transposed();
                self.with_patches(x, rows, &columns, |patches| {
                    multiply(&mut out, dy, patches, Fill::Accumulate);
                });
            }
        });
    }

    /// Calls `work` with rows of the patch matrix; where the input itself is that matrix, nothing is
    /// copied.
    fn with_patches<R>(
        &self,
        x: &[f32],
        rows: Range<usize>,
        columns: &Columns,
        work: impl FnOnce(View<'_>) -> R,
    ) -> R {
        if self.window.is_pointwise() {
            let x = View::dense(x, x.len() / self.in_channels, self.in_channels);
            return work(x.rows(rows).cols(columns.channels.clone()));
        }
        with_scratch(rows.len() * columns.len(), |col| {
            im2col::gather(
                x,
                self.in_channels,
                &self.window,
                rows.clone(),
                columns,
                col,
            );
            work(View::dense(col, rows.len(), columns.len()))
        })
    }
}

/// Calls `work` with this thread's scratch memory; what it holds at first is arbitrary.
pub(super) fn with_scratch<R>(length: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    // Taken out rather than borrowed, in case `work` ends up here again.
    let mut scratch = PATCHES.take();
    if scratch.len() < length {
        scratch.resize(length, 0.0);
    }
    let result = work(&mut scratch[..length]);
    PATCHES.replace(scratch);
    result
}

#[cfg(test)]
mod tests;
