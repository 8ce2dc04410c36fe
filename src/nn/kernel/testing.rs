//! Numbers and comparisons for the kernels' tests.

use rand::Rng;

use crate::random;

/// `n` numbers in [-1, 1) that depend on the name alone.
pub fn numbers(name: &str, n: usize) -> Vec<f32> {
    let mut stream = random::stream(0, name);
    (0..n).map(|_| stream.random_range(-1.0..1.0)).collect()
}

/// Fails unless all differences are at most `tolerance` times the largest expected value (at least 1).
#[track_caller]
pub fn assert_near(got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len());
    let scale = expected.iter().fold(1f32, |a, b| a.max(b.abs()));
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        assert!(
            (g - e).abs() <= tolerance * scale,
            "value {i}: {g} instead of {e}"
        );
    }
}
