//! Layer normalisation over the channels of every row of `[M, C]`.

use rayon::prelude::*;

use super::rows::rows_per_chunk;
use super::simd::{LANES, fma, sum_lanes};

/// `y = (x - mean) / sigma * weight + bias`; `stats` receives mean and `1 / sigma` of every row.
pub fn forward(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    eps: f32,
    y: &mut [f32],
    stats: &mut [f32],
) {
    let rows = rows_per_chunk(weight.len());
    let chunk = rows * weight.len();
    y.par_chunks_mut(chunk)
        .zip(x.par_chunks(chunk).zip(stats.par_chunks_mut(2 * rows)))
        .for_each(|(y, (x, stats))| forward_rows(x, weight, bias, eps, y, stats));
}

/// `dx` from `dy`, and the gradients of weight and bias, added to `dw` and `db`.
pub fn backward(
    x: &[f32],
    stats: &[f32],
    weight: &[f32],
    dy: &[f32],
    dx: &mut [f32],
) -> (Vec<f64>, Vec<f64>) {
    let c = weight.len();
    let rows = rows_per_chunk(c).min(256);
    let chunk = rows * c;
    let parts: Vec<_> = dx
        .par_chunks_mut(chunk)
        .zip(x.par_chunks(chunk).zip(dy.par_chunks(chunk)))
        .zip(stats.par_chunks(2 * rows))
        .map(|((dx, (x, dy)), stats)| {
            let (mut dw, mut db) = (vec![0.0; c], vec![0.0; c]);
            backward_rows(x, stats, weight, dy, dx, &mut dw, &mut db);
            (dw, db)
        })
        .collect();
    let (mut dw, mut db) = (vec![0.0; c], vec![0.0; c]);
    for (w, b) in &parts {
        for j in 0..c {
            dw[j] += f64::from(w[j]);
            db[j] += f64::from(b[j]);
        }
    }
    (dw, db)
}

multiversion! {
    fn forward_rows<FMA>(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, y: &mut [f32], stats: &mut [f32]) {
        let c = weight.len();
        let bias = &bias[..c];
        for ((x, y), stats) in x.chunks_exact(c).zip(y.chunks_exact_mut(c)).zip(stats.chunks_exact_mut(2)) {
            let mean = sum_lanes(x, |v| v) / c as f32;
            let var = sum_lanes(x, |v| (v - mean) * (v - mean)) / c as f32;
            let inverse = 1.0 / (var + eps).sqrt();
            (stats[0], stats[1]) = (mean, inverse);
            for j in 0..c {
                y[j] = fma::<FMA>((x[j] - mean) * inverse, weight[j], bias[j]);
            }
        }
    }
}

multiversion! {
    fn backward_rows<FMA>(x: &[f32], stats: &[f32], weight: &[f32], dy: &[f32], dx: &mut [f32], dw: &mut [f32], db: &mut [f32]) {
        let c = weight.len();
        let (dw, db) = (&mut dw[..c], &mut db[..c]);
        for (((x, dy), dx), stats) in
            x.chunks_exact(c).zip(dy.chunks_exact(c)).zip(dx.chunks_exact_mut(c)).zip(stats.chunks_exact(2))
        {
            let (mean, inverse) = (stats[0], stats[1]);
            // `dx` first holds dy * weight, whose mean and projection on the output are taken off.
            for j in 0..c {
                let normal = (x[j] - mean) * inverse;
                dx[j] = dy[j] * weight[j];
                dw[j] = fma::<FMA>(dy[j], normal, dw[j]);
                db[j] += dy[j];
            }
            let sum = sum_lanes(dx, |v| v) / c as f32;
            let mut dots = [0f32; LANES];
            let ((xs, x_rest), (gs, g_rest)) = (x.as_chunks::<LANES>(), dx.as_chunks::<LANES>());
            for (x, g) in xs.iter().zip(gs) {
                for j in 0..LANES {
                    dots[j] = fma::<FMA>(g[j], (x[j] - mean) * inverse, dots[j]);
                }
            }
            for ((dot, x), g) in dots.iter_mut().zip(x_rest).zip(g_rest) {
                *dot += g * (x - mean) * inverse;
            }
            let dot = dots.iter().sum::<f32>() / c as f32;
            for j in 0..c {
                let normal = (x[j] - mean) * inverse;
                dx[j] = inverse * (dx[j] - sum - normal * dot);
            }
        }
    }
}

#[cfg(test)]
mod tests;
