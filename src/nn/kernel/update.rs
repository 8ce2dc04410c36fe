//! An optimiser's step over one parameter, and the norm of gradients.

use rayon::prelude::*;

use crate::nn::update::{AdamWNumbers, SgdNumbers};

/// Values that one task changes.
const CHUNK: usize = 1 << 15;
/// Values that one task sums; fixed, so that the norm does not depend on the number of threads.
const SUM_CHUNK: usize = 1 << 16;

/// SGD with momentum.
pub fn sgd(n: &SgdNumbers, w: &mut [f32], g: &[f32], m: &mut [f32]) {
    w.par_chunks_mut(CHUNK)
        .zip(g.par_chunks(CHUNK))
        .zip(m.par_chunks_mut(CHUNK))
        .for_each(|((w, g), m)| {
            for ((w, g), m) in w.iter_mut().zip(g).zip(m) {
                *m = n.momentum * *m + (*g + n.weight_decay * *w);
                *w -= n.lr * *m;
            }
        });
}

/// Loshchilov & Hutter 2019, algorithm 2, as torch computes it; `m` and `v` are the means of the
/// gradient and of its square.
pub fn adamw(n: &AdamWNumbers, w: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32]) {
    w.par_chunks_mut(CHUNK)
        .zip(g.par_chunks(CHUNK))
        .zip(m.par_chunks_mut(CHUNK).zip(v.par_chunks_mut(CHUNK)))
        .for_each(|((w, g), (m, v))| {
            for ((w, g), (m, v)) in w.iter_mut().zip(g).zip(m.iter_mut().zip(v)) {
                *m = n.old_mean * *m + n.new_mean * *g;
                *v = n.old_square * *v + n.new_square * *g * *g;
                *w = *w * n.shrink - n.rate * *m / (v.sqrt() / n.root + n.eps);
            }
        });
}

/// The sum of squares, in 64 bits.
pub fn square_sum(values: &[f32]) -> f64 {
    let sums: Vec<f64> = values
        .par_chunks(SUM_CHUNK)
        .map(|chunk| chunk.iter().map(|v| f64::from(*v).powi(2)).sum())
        .collect();
    sums.iter().sum()
}

/// All values times a factor.
pub fn scale(values: &mut [f32], factor: f32) {
    values
        .par_chunks_mut(SUM_CHUNK)
        .for_each(|chunk| chunk.iter_mut().for_each(|v| *v *= factor));
}
