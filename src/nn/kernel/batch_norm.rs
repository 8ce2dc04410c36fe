//! Batch normalisation over the rows of `[M, C]`, with the residual sum and the activation that follow
//! it.
//!
//! Forward: `y = f(a x + b + residual)` with `a = weight / sigma`, `b = bias - mean a`.
//! Backward, with `g` the gradient before the activation: `dx = a g + u x + v` per channel, where `u` and `v`
//! come from the sums of `g` and of `g (x - mean)` (Ioffe & Szegedy 2015, section 3, solved for `x`).

use rayon::prelude::*;

use super::activation::{self, clamp};
use super::conv::with_scratch;
use super::epilogue::UNBOUNDED;
use super::joined::Rows;
use super::rows::rows_per_chunk;
use super::simd::fma;
use crate::arch::Activation;

/// Factor and offset of every channel.
#[derive(Clone, Debug, Default)]
pub struct Affine {
    pub factor: Vec<f32>,
    pub offset: Vec<f32>,
}

/// `y = a x + b`, plus the residual, then the activation, as far as they are there.
pub fn apply(
    x: &(impl Rows + ?Sized),
    residual: Option<&[f32]>,
    affine: &Affine,
    activation: Option<Activation>,
    y: &mut [f32],
) {
    let channels = affine.factor.len();
    let chunk = rows_per_chunk(channels) * channels;
    let clamp = activation.and_then(activation::bounds);
    let curve = activation.filter(|_| clamp.is_none());
    let bounds = clamp.unwrap_or(UNBOUNDED);
    y.par_chunks_mut(chunk).enumerate().for_each(|(i, y)| {
        let at = i * chunk..i * chunk + y.len();
        x.with(at.clone(), |x| match residual {
            Some(residual) => {
                affine_sum(x, &residual[at], &affine.factor, &affine.offset, bounds, y);
            }
            None => affine_rows(x, &affine.factor, &affine.offset, bounds, y),
        });
        if let Some(curve) = curve {
            // The chunk is still in the cache.
            activation::forward_chunk(curve, y);
        }
    });
}

multiversion! {
    fn affine_rows<FMA>(x: &[f32], a: &[f32], b: &[f32], bounds: [f32; 2], y: &mut [f32]) {
        let c = a.len();
        let b = &b[..c];
        for (x, y) in x.chunks_exact(c).zip(y.chunks_exact_mut(c)) {
            for j in 0..c {
                y[j] = clamp(fma::<FMA>(x[j], a[j], b[j]), bounds);
            }
        }
    }
}

multiversion! {
    fn affine_sum<FMA>(x: &[f32], residual: &[f32], a: &[f32], b: &[f32], bounds: [f32; 2], y: &mut [f32]) {
        let c = a.len();
        let b = &b[..c];
        for ((x, r), y) in x.chunks_exact(c).zip(residual.chunks_exact(c)).zip(y.chunks_exact_mut(c)) {
            for j in 0..c {
                y[j] = clamp(fma::<FMA>(x[j], a[j], b[j]) + r[j], bounds);
            }
        }
    }
}

/// The activation that a gradient must be taken through before it is the norm's.
#[derive(Clone, Copy, Debug)]
pub enum Behind<'a> {
    Nothing,
    /// A clamp to bounds, with its output.
    Clamp([f32; 2], &'a [f32]),
    /// Any other, without a residual; its input is computed once more.
    Curve(Activation, &'a Affine),
}

impl Behind<'_> {
    /// Takes the gradient of some rows through; `at` is the place of the first value.
    fn backward(&self, x: &[f32], gradient: &mut [f32], at: usize) {
        match self {
            Self::Nothing => {}
            Self::Clamp(bounds, y) => {
                activation::mask_chunk(*bounds, &y[at..at + gradient.len()], gradient);
            }
            Self::Curve(activation, affine) => with_scratch(x.len(), |input| {
                affine_rows(x, &affine.factor, &affine.offset, UNBOUNDED, input);
                activation::backward_chunk(*activation, input, gradient);
            }),
        }
    }
}

/// A clamp right behind a norm: whether a gradient passes follows from the norm's input, so that the way
/// back needs neither the output nor a pass of its own.
#[derive(Clone, Copy, Debug)]
pub struct Clamped<'a> {
    pub bounds: [f32; 2],
    /// Of the norm.
    pub affine: &'a Affine,
}

impl Clamped<'_> {
    /// As [`gradient_sums`], but leaves the gradient as it is.
    pub fn gradient_sums(
        &self,
        x: &(impl Rows + ?Sized),
        gradient: &[f32],
        mean: &[f32],
    ) -> (Vec<f64>, Vec<f64>) {
        let c = mean.len();
        let chunk = rows_per_chunk(c).min(256) * c;
        let parts = gradient.par_chunks(chunk).enumerate().map(|(i, g)| {
            let (mut sums, mut dots) = (vec![0.0; c], vec![0.0; c]);
            let Affine { factor, offset } = self.affine;
            x.with(i * chunk..i * chunk + g.len(), |x| {
                inside_sums(
                    x,
                    g,
                    factor,
                    offset,
                    self.bounds,
                    mean,
                    &mut sums,
                    &mut dots,
                );
            });
            (sums, dots)
        });
        total(parts.collect(), c)
    }
}

/// `g` where the norm's output lies strictly within the bounds, otherwise zero.
#[inline(always)]
fn passing<const FMA: bool>(x: f32, g: f32, a: f32, b: f32, [floor, ceiling]: [f32; 2]) -> f32 {
    let y = fma::<FMA>(x, a, b);
    if y > floor && y < ceiling { g } else { 0.0 }
}

multiversion! {
    fn inside_sums<FMA>(x: &[f32], g: &[f32], a: &[f32], b: &[f32], bounds: [f32; 2], mean: &[f32], sums: &mut [f32], dots: &mut [f32]) {
        let c = mean.len();
        let (a, b, sums, dots) = (&a[..c], &b[..c], &mut sums[..c], &mut dots[..c]);
        for (x, g) in x.chunks_exact(c).zip(g.chunks_exact(c)) {
            for j in 0..c {
                let g = passing::<FMA>(x[j], g[j], a[j], b[j], bounds);
                sums[j] += g;
                dots[j] = fma::<FMA>(g, x[j] - mean[j], dots[j]);
            }
        }
    }
}

multiversion! {
    fn combine_inside<FMA>(x: &[f32], g: &mut [f32], factor: &[f32], offset: &[f32], bounds: [f32; 2], a: &[f32], u: &[f32], v: &[f32]) {
        let c = a.len();
        let (factor, offset, u, v) = (&factor[..c], &offset[..c], &u[..c], &v[..c]);
        for (x, g) in x.chunks_exact(c).zip(g.chunks_exact_mut(c)) {
            for j in 0..c {
                let inside = passing::<FMA>(x[j], g[j], factor[j], offset[j], bounds);
                g[j] = fma::<FMA>(a[j], inside, fma::<FMA>(u[j], x[j], v[j]));
            }
        }
    }
}

/// Per channel, the sum of the gradient and of the gradient times `x - mean`. First takes the gradient
/// through what lies behind the norm.
pub fn gradient_sums(
    x: &(impl Rows + ?Sized),
    gradient: &mut [f32],
    behind: Behind<'_>,
    mean: &[f32],
) -> (Vec<f64>, Vec<f64>) {
    let c = mean.len();
    let chunk = rows_per_chunk(c).min(256) * c;
    let parts: Vec<_> = gradient
        .par_chunks_mut(chunk)
        .enumerate()
        .map(|(i, g)| {
            let (mut sums, mut dots) = (vec![0.0; c], vec![0.0; c]);
            x.with(i * chunk..i * chunk + g.len(), |x| {
                // The chunk stays in the cache for the sums.
                behind.backward(x, g, i * chunk);
                centred_sums(x, g, mean, &mut sums, &mut dots);
            });
            (sums, dots)
        })
        .collect();
    total(parts, c)
}

/// Sums of the parts' sums.
fn total(parts: Vec<(Vec<f32>, Vec<f32>)>, channels: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut sums, mut dots) = (vec![0.0; channels], vec![0.0; channels]);
    for (s, d) in &parts {
        for j in 0..channels {
            sums[j] += f64::from(s[j]);
            dots[j] += f64::from(d[j]);
        }
    }
    (sums, dots)
}

multiversion! {
    fn centred_sums<FMA>(x: &[f32], g: &[f32], mean: &[f32], sums: &mut [f32], dots: &mut [f32]) {
        let c = mean.len();
        let (sums, dots) = (&mut sums[..c], &mut dots[..c]);
        for (x, g) in x.chunks_exact(c).zip(g.chunks_exact(c)) {
            for j in 0..c {
                sums[j] += g[j];
                dots[j] = fma::<FMA>(g[j], x[j] - mean[j], dots[j]);
            }
        }
    }
}

/// The three factors of `dx = a g + u x + v`, per channel.
#[derive(Clone, Debug)]
pub struct InputGradient<'a> {
    pub a: Vec<f32>,
    pub u: Vec<f32>,
    pub v: Vec<f32>,
    /// The clamp that the gradient is still behind, if there is one.
    pub clamped: Option<Clamped<'a>>,
}

impl InputGradient<'_> {
    /// Writes `dx` of some rows over their gradient.
    pub fn rows(&self, x: &[f32], gradient: &mut [f32]) {
        let Self { a, u, v, clamped } = self;
        match clamped {
            Some(Clamped { bounds, affine }) => {
                let Affine { factor, offset } = affine;
                combine_inside(x, gradient, factor, offset, *bounds, a, u, v);
            }
            None => combine_in_place(x, gradient, a, u, v),
        }
    }

    /// Writes `dx` over the gradient.
    pub fn in_place(&self, x: &[f32], gradient: &mut [f32]) {
        let chunk = rows_per_chunk(self.a.len()) * self.a.len();
        gradient
            .par_chunks_mut(chunk)
            .zip(x.par_chunks(chunk))
            .for_each(|(g, x)| self.rows(x, g));
    }

    /// Writes `dx` beside a gradient that is behind no clamp.
    pub fn beside(&self, x: &[f32], gradient: &[f32], dx: &mut [f32]) {
        let chunk = rows_per_chunk(self.a.len()) * self.a.len();
        dx.par_chunks_mut(chunk)
            .zip(x.par_chunks(chunk).zip(gradient.par_chunks(chunk)))
            .for_each(|(dx, (x, g))| combine(x, g, &self.a, &self.u, &self.v, dx));
    }
}

multiversion! {
    fn combine_in_place<FMA>(x: &[f32], g: &mut [f32], a: &[f32], u: &[f32], v: &[f32]) {
        let c = a.len();
        let (u, v) = (&u[..c], &v[..c]);
        for (x, g) in x.chunks_exact(c).zip(g.chunks_exact_mut(c)) {
            for j in 0..c {
                g[j] = fma::<FMA>(a[j], g[j], fma::<FMA>(u[j], x[j], v[j]));
            }
        }
    }
}

multiversion! {
    fn combine<FMA>(x: &[f32], g: &[f32], a: &[f32], u: &[f32], v: &[f32], dx: &mut [f32]) {
        let c = a.len();
        let (u, v) = (&u[..c], &v[..c]);
        for ((x, g), dx) in x.chunks_exact(c).zip(g.chunks_exact(c)).zip(dx.chunks_exact_mut(c)) {
            for j in 0..c {
                dx[j] = fma::<FMA>(a[j], g[j], fma::<FMA>(u[j], x[j], v[j]));
            }
        }
    }
}

#[cfg(test)]
mod tests;
