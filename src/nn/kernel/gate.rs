//! Images times one factor per sample and channel: the last step of squeeze and excitation.
//!
//! Letters: `B` samples, `M` positions of a sample, `C` channels.

use rayon::prelude::*;

use super::rows;

/// `y = x * gate`: `x` is `[B, M, C]`, `gate` is `[B, C]`.
pub fn forward(x: &[f32], gate: &[f32], channels: usize, y: &mut [f32]) {
    let sample = sample(x, gate, channels);
    let chunk = rows::rows_per_chunk(channels) * channels;
    y.par_chunks_mut(sample)
        .zip(x.par_chunks(sample).zip(gate.par_chunks(channels)))
        .for_each(|(y, (x, gate))| {
            y.par_chunks_mut(chunk)
                .zip(x.par_chunks(chunk))
                .for_each(|(y, x)| rows::scaled_rows(x, gate, y));
        });
}

/// Turns the output's gradient into that of `x` and overwrites `d_gate` with the gate's.
pub fn backward(
    x: &[f32],
    gate: &[f32],
    channels: usize,
    gradient: &mut [f32],
    d_gate: &mut [f32],
) {
    let sample = sample(x, gate, channels);
    gradient
        .par_chunks_mut(sample)
        .zip(x.par_chunks(sample))
        .zip(
            d_gate
                .par_chunks_mut(channels)
                .zip(gate.par_chunks(channels)),
        )
        .for_each(|((gradient, x), (d_gate, gate))| {
            let dots = rows::column_dots(x, gradient, channels);
            for (d, dot) in d_gate.iter_mut().zip(dots) {
                *d = dot as f32;
            }
            rows::scale_parallel(gradient, gate);
        });
}

/// Values of one sample.
fn sample(x: &[f32], gate: &[f32], channels: usize) -> usize {
    x.len() / (gate.len() / channels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::kernel::testing::{assert_near, numbers};

    #[test]
    fn gates_and_their_gradients_are_those_of_the_plain_loop() {
        for (b, m, c) in [(1, 1, 1), (3, 7, 5), (2, 3000, 33)] {
            let (x, gate) = (numbers("x", b * m * c), numbers("gate", b * c));
            let dy = numbers("dy", b * m * c);
            let of = |i: usize| i / (m * c) * c + i % c;
            let mut expected = vec![0f64; b * c];
            let (mut y, mut dx) = (Vec::new(), Vec::new());
            for i in 0..x.len() {
                y.push(x[i] * gate[of(i)]);
                dx.push(dy[i] * gate[of(i)]);
                expected[of(i)] += f64::from(dy[i]) * f64::from(x[i]);
            }
            let expected: Vec<f32> = expected.iter().map(|v| *v as f32).collect();
            let mut got = vec![f32::NAN; x.len()];
            forward(&x, &gate, c, &mut got);
            assert_near(&got, &y, 1e-6);
            let (mut got, mut d_gate) = (dy.clone(), vec![f32::NAN; b * c]);
            backward(&x, &gate, c, &mut got, &mut d_gate);
            assert_near(&got, &dx, 1e-6);
            // Sums of a chunk are in 32 bits.
            assert_near(&d_gate, &expected, 1e-5);
        }
    }
}
