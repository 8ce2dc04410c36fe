//! Loops over rows of channels: sums, scales, sums over rows.

use rayon::prelude::*;

use super::simd::fma;

/// Values of one task in element-wise loops.
pub const CHUNK: usize = 1 << 15;

/// Rows of `channels` values that make up about one chunk.
pub fn rows_per_chunk(channels: usize) -> usize {
    (CHUNK / channels.max(1)).clamp(1, 1 << 12)
}

multiversion! {
    /// `a += b`.
    pub fn add<FMA>(a: &mut [f32], b: &[f32]) {
        for (a, b) in a.iter_mut().zip(b) {
            *a += *b;
        }
    }
}

multiversion! {
    /// `out = a + b`.
    pub fn sum<FMA>(a: &[f32], b: &[f32], out: &mut [f32]) {
        for ((a, b), out) in a.iter().zip(b).zip(out) {
            *out = *a + *b;
        }
    }
}

multiversion! {
    /// `sums[c] += x[r][c]` over all rows.
    fn sum_rows<FMA>(x: &[f32], sums: &mut [f32]) {
        let c = sums.len();
        for row in x.chunks_exact(c) {
            for j in 0..c {
                sums[j] += row[j];
            }
        }
    }
}

multiversion! {
    /// `sums[c] += x[r][c] * y[r][c]` over all rows.
    fn dot_rows<FMA>(x: &[f32], y: &[f32], sums: &mut [f32]) {
        let c = sums.len();
        for (row, other) in x.chunks_exact(c).zip(y.chunks_exact(c)) {
            for j in 0..c {
                sums[j] = fma::<FMA>(row[j], other[j], sums[j]);
            }
        }
    }
}

multiversion! {
    /// `sums[c] += weights[r] * x[r][c]` over all rows, on this thread.
    pub fn add_weighted<FMA>(weights: &[f32], x: &[f32], sums: &mut [f32]) {
        // So many sums stay in registers while the rows pass.
        const BLOCK: usize = 32;
        let c = sums.len();
        let mut from = 0;
        for block in sums.chunks_mut(BLOCK) {
            if block.len() == BLOCK {
                let mut sums = [0.0; BLOCK];
                sums.copy_from_slice(block);
                for (row, weight) in x.chunks_exact(c).zip(weights) {
                    let row = &row[from..from + BLOCK];
                    for j in 0..BLOCK {
                        sums[j] = fma::<FMA>(*weight, row[j], sums[j]);
                    }
                }
                block.copy_from_slice(&sums);
            } else {
                for (row, weight) in x.chunks_exact(c).zip(weights) {
                    for (sum, x) in block.iter_mut().zip(&row[from..]) {
                        *sum = fma::<FMA>(*weight, *x, *sum);
                    }
                }
            }
            from += BLOCK;
        }
    }
}

multiversion! {
    /// `x[r][c] *= scale[c]`.
    pub fn scale_rows<FMA>(x: &mut [f32], scale: &[f32]) {
        let c = scale.len();
        for row in x.chunks_exact_mut(c) {
            for j in 0..c {
                row[j] *= scale[j];
            }
        }
    }
}

multiversion! {
    /// `out[r][c] = x[r][c] * scale[c]`.
    pub fn scaled_rows<FMA>(x: &[f32], scale: &[f32], out: &mut [f32]) {
        let c = scale.len();
        for (x, out) in x.chunks_exact(c).zip(out.chunks_exact_mut(c)) {
            for j in 0..c {
                out[j] = x[j] * scale[j];
            }
        }
    }
}

multiversion! {
    /// `out[r][c] = x[r][c] * scale[c] + y[r][c]`.
    pub fn scaled_sum<FMA>(x: &[f32], scale: &[f32], y: &[f32], out: &mut [f32]) {
        let c = scale.len();
        for ((x, y), out) in x.chunks_exact(c).zip(y.chunks_exact(c)).zip(out.chunks_exact_mut(c)) {
            for j in 0..c {
                out[j] = fma::<FMA>(x[j], scale[j], y[j]);
            }
        }
    }
}

multiversion! {
    /// `x *= factor`.
    pub fn scale<FMA>(x: &mut [f32], factor: f32) {
        for x in x {
            *x *= factor;
        }
    }
}

/// `a += b` over all threads.
pub fn add_parallel(a: &mut [f32], b: &[f32]) {
    a.par_chunks_mut(CHUNK)
        .zip(b.par_chunks(CHUNK))
        .for_each(|(a, b)| add(a, b));
}

/// `out = a + b` over all threads.
pub fn sum_parallel(a: &[f32], b: &[f32], out: &mut [f32]) {
    out.par_chunks_mut(CHUNK)
        .zip(a.par_chunks(CHUNK).zip(b.par_chunks(CHUNK)))
        .for_each(|(out, (a, b))| sum(a, b, out));
}

/// `x[r][c] *= scale[c]` over all threads.
pub fn scale_parallel(x: &mut [f32], scale: &[f32]) {
    let chunk = rows_per_chunk(scale.len()) * scale.len();
    x.par_chunks_mut(chunk).for_each(|x| scale_rows(x, scale));
}

/// `x[r][c] += offset[c]` over all threads.
pub fn add_to_rows(x: &mut [f32], offset: &[f32]) {
    let chunk = rows_per_chunk(offset.len()) * offset.len();
    x.par_chunks_mut(chunk).for_each(|x| {
        for row in x.chunks_exact_mut(offset.len()) {
            add(row, offset);
        }
    });
}

/// Adds every one of `parts` to `total`, always in the same order.
pub fn add_all(total: &mut [f32], parts: &[Vec<f32>]) {
    total
        .par_chunks_mut(CHUNK)
        .enumerate()
        .for_each(|(i, total)| {
            for part in parts {
                add(total, &part[i * CHUNK..]);
            }
        });
}

/// Sum of every column of `[M, C]`: in 32 bits within a chunk of rows, in 64 over the chunks.
pub fn column_sums(x: &[f32], channels: usize) -> Vec<f64> {
    let chunk = rows_per_chunk(channels) * channels;
    let parts = x.par_chunks(chunk).map(|x| {
        let mut sums = vec![0.0; channels];
        sum_rows(x, &mut sums);
        sums
    });
    total(parts.collect(), channels)
}

/// Sum of every column of the product of two `[M, C]` matrices, value by value.
pub fn column_dots(x: &[f32], y: &[f32], channels: usize) -> Vec<f64> {
    let chunk = rows_per_chunk(channels) * channels;
    let parts = x.par_chunks(chunk).zip(y.par_chunks(chunk)).map(|(x, y)| {
        let mut sums = vec![0.0; channels];
        dot_rows(x, y, &mut sums);
        sums
    });
    total(parts.collect(), channels)
}

fn total(parts: Vec<Vec<f32>>, channels: usize) -> Vec<f64> {
    let mut sums = vec![0.0; channels];
    for part in parts {
        for (sum, value) in sums.iter_mut().zip(part) {
            *sum += f64::from(value);
        }
    }
    sums
}

/// Adds sums in 64 bits to a gradient.
pub fn add_f64(gradient: &mut [f32], sums: &[f64]) {
    for (g, s) in gradient.iter_mut().zip(sums) {
        *g += *s as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::kernel::testing::{assert_near, numbers};

    #[test]
    fn column_sums_and_dots_are_those_of_the_plain_loop() {
        for (m, c) in [(1, 1), (7, 3), (5000, 17), (70_000, 1)] {
            let (x, y) = (numbers("x", m * c), numbers("y", m * c));
            let plain = |f: &dyn Fn(usize) -> f64| -> Vec<f32> {
                (0..c)
                    .map(|j| (0..m).map(|i| f(i * c + j)).sum::<f64>() as f32)
                    .collect()
            };
            let got: Vec<f32> = column_sums(&x, c).iter().map(|v| *v as f32).collect();
            assert_near(&got, &plain(&|i| f64::from(x[i])), 1e-5);
            let got: Vec<f32> = column_dots(&x, &y, c).iter().map(|v| *v as f32).collect();
            assert_near(&got, &plain(&|i| f64::from(x[i]) * f64::from(y[i])), 1e-5);
        }
    }
}
