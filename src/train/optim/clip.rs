//! The norm of a network's gradient.

use rayon::prelude::*;

use crate::nn::Network;

/// Values that one task sums; fixed, so that the norm does not depend on the number of threads.
const CHUNK: usize = 1 << 16;
/// Keeps the quotient finite for a gradient of zero; torch's value.
const EPS: f64 = 1e-6;

/// See [`Optimiser::clip`](super::Optimiser::clip).
pub fn clip(network: &mut Network, max_norm: f64) -> f64 {
    let square: f64 = network.parameters_mut().map(|p| square_sum(p.grad)).sum();
    let norm = square.sqrt();
    let factor = max_norm / (norm + EPS);
    if norm.is_finite() && factor < 1.0 {
        for parameter in network.parameters_mut() {
            let chunks = parameter.grad.par_chunks_mut(CHUNK);
            chunks.for_each(|g| g.iter_mut().for_each(|g| *g *= factor as f32));
        }
    }
    norm
}

fn square_sum(values: &[f32]) -> f64 {
    let sums: Vec<f64> = values
        .par_chunks(CHUNK)
        .map(|chunk| chunk.iter().map(|v| f64::from(*v).powi(2)).sum())
        .collect();
    sums.iter().sum()
}
