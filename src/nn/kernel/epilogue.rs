//! What is done with the parts of an output while they are still in the cache: the bias, a norm's factors, a
//! residual and an activation on top, and the moments that a batch norm behind it asks for.

use std::ops::Range;
use std::sync::Mutex;

use super::activation::{self, clamp};
use super::matmul::ViewMut;
use super::moments::{Moments, Part};
use super::simd::fma;
use crate::arch::Activation;

/// Bounds that leave every value as it is.
pub const UNBOUNDED: [f32; 2] = [f32::NEG_INFINITY, f32::INFINITY];

/// Turns sums `s` into `f(a s + b + residual)`, as far as these are there.
#[derive(Debug, Default)]
pub struct Epilogue<'a> {
    /// `a`, per channel.
    pub factor: Option<&'a [f32]>,
    /// `b`, per channel.
    pub offset: Option<&'a [f32]>,
    /// As large as the output.
    pub residual: Option<&'a [f32]>,
    pub activation: Option<Activation>,
    /// Collects the moments of what comes out.
    pub measure: Option<Mutex<Vec<Part>>>,
}

impl<'a> Epilogue<'a> {
    /// Only a bias, if that.
    pub fn bias(bias: Option<&'a [f32]>) -> Self {
        Self {
            offset: bias,
            ..Self::default()
        }
    }

    /// Does its work on the output's rows `rows`, of which `out` holds the columns `cols` of `channels`.
    pub fn apply(
        &self,
        rows: Range<usize>,
        cols: Range<usize>,
        channels: usize,
        out: &mut ViewMut<'_>,
    ) {
        self.finish(rows.start, cols.clone(), channels, out);
        if let Some(parts) = &self.measure {
            let part = Part::of(out, rows.start, cols);
            // Only a panic elsewhere poisons it, and that goes on anyway.
            parts.lock().unwrap_or_else(|e| e.into_inner()).push(part);
        }
    }

    fn finish(&self, row: usize, cols: Range<usize>, channels: usize, out: &mut ViewMut<'_>) {
        let clamped = self.activation.and_then(activation::bounds);
        let curve = self.activation.filter(|_| clamped.is_none());
        let bounds = clamped.unwrap_or(UNBOUNDED);
        let factor = self.factor.map(|a| &a[cols.clone()]);
        let offset = self.offset.map(|b| &b[cols.clone()]);
        match (factor, offset, self.residual) {
            (None, None, None) if clamped.is_none() => {}
            (factor, offset, residual) => {
                let width = cols.len();
                let (ones, zeros) = (vec![1.0; width], vec![0.0; width]);
                let (a, b) = (factor.unwrap_or(&ones), offset.unwrap_or(&zeros));
                match residual {
                    Some(r) => {
                        let r = &r[row * channels + cols.start..];
                        scale_and_add(out, a, b, r, channels, bounds);
                    }
                    None => scale(out, a, b, bounds),
                }
            }
        }
        let Some(curve) = curve else { return };
        if let Some(values) = out.contiguous() {
            return activation::forward_chunk(curve, values);
        }
        for i in 0..out.height() {
            activation::forward_chunk(curve, out.row(i));
        }
    }

    /// The moments of the whole output, `[M, channels]`, if they were asked for.
    pub fn moments(self, channels: usize) -> Option<Moments> {
        let parts = self.measure?;
        let parts = parts.into_inner().unwrap_or_else(|e| e.into_inner());
        Some(Moments::joined(parts, channels))
    }
}

multiversion! {
    /// `out = clamp(a out + b)`.
    fn scale<FMA>(out: &mut ViewMut<'_>, a: &[f32], b: &[f32], bounds: [f32; 2]) {
        for i in 0..out.height() {
            for ((y, a), b) in out.row(i).iter_mut().zip(a).zip(b) {
                *y = clamp(fma::<FMA>(*y, *a, *b), bounds);
            }
        }
    }
}

multiversion! {
    /// `out = clamp(a out + b + r)`, the rows of `r` being `step` values apart.
    fn scale_and_add<FMA>(out: &mut ViewMut<'_>, a: &[f32], b: &[f32], r: &[f32], step: usize, bounds: [f32; 2]) {
        for i in 0..out.height() {
            let r = &r[i * step..][..a.len()];
            for (((y, a), b), r) in out.row(i).iter_mut().zip(a).zip(b).zip(r) {
                *y = clamp(fma::<FMA>(*y, *a, *b) + *r, bounds);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::kernel::testing::{assert_near, numbers};

    #[test]
    fn every_combination_is_that_of_the_plain_loop() {
        let (m, c) = (7, 37);
        let (x, a, b, r) = (
            numbers("x", m * c),
            numbers("a", c),
            numbers("b", c),
            numbers("r", m * c),
        );
        let activations = [None, Some(Activation::Relu), Some(Activation::Silu)];
        for (i, activation) in (0..8).flat_map(|i| activations.map(|f| (i, f))) {
            let some = |bit: usize, values| (i & bit != 0).then_some(values);
            let epilogue = Epilogue {
                factor: some(1, &a[..]),
                offset: some(2, &b[..]),
                residual: some(4, &r[..]),
                activation,
                measure: Some(Mutex::default()),
            };
            let mut expected: Vec<f32> = (0..m * c)
                .map(|i| {
                    let y = x[i] * epilogue.factor.map_or(1.0, |a| a[i % c]);
                    y + epilogue.offset.map_or(0.0, |b| b[i % c])
                        + epilogue.residual.map_or(0.0, |r| r[i])
                })
                .collect();
            if let Some(activation) = activation {
                activation::forward_chunk(activation, &mut expected);
            }
            let mut got = x.clone();
            let mut whole = ViewMut::dense(&mut got, m, c);
            for (rows, cols) in [(0..4, 0..c), (4..m, 0..20), (4..m, 20..c)] {
                let mut block = whole.block(rows.clone(), cols.clone());
                epilogue.apply(rows, cols, c, &mut block);
            }
            assert_near(&got, &expected, 1e-6);
            let moments = epilogue.moments(c).unwrap();
            let plain = Moments::of(&expected, c);
            for j in 0..c {
                assert!((moments.mean[j] - plain.mean[j]).abs() < 1e-6);
                assert!((moments.var[j] - plain.var[j]).abs() < 1e-6);
            }
        }
    }
}
