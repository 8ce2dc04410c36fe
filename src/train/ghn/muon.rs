//! Muon's direction (Jordan et al. 2024): momentum with all its singular values made equal.
//!
//! Letters: `R` rows, `C` columns, `R >= C`.

use crate::nn::matmul::{Fill, View, multiply_parallel};

/// Share of the past in the momentum.
const MOMENTUM: f32 = 0.95;
/// The published quintic, whose repetition takes all singular values between 0 and 1 close to 1.
const QUINTIC: [f32; 3] = [3.4445, -4.775, 2.0315];
const REPETITIONS: usize = 5;
/// What Adam's steps measure on average, in units of the learning rate: the same rates then suit both (Liu et al.
/// 2025, section 2.2).
const ROOT_MEAN_SQUARE: f32 = 0.2;

/// Takes the gradient of a `rows` by `columns` matrix into its momentum, and makes the gradient a direction whose
/// values measure about [`ROOT_MEAN_SQUARE`].
pub fn direct(gradient: &mut [f32], momentum: &mut [f32], columns: usize) {
    for (m, g) in momentum.iter_mut().zip(&*gradient) {
        *m = MOMENTUM * *m + (1.0 - MOMENTUM) * g;
    }
    // Nesterov's look ahead.
    for (g, m) in gradient.iter_mut().zip(&*momentum) {
        *g = (1.0 - MOMENTUM) * *g + MOMENTUM * m;
    }
    let rows = gradient.len() / columns;
    let length = gradient
        .iter()
        .map(|g| f64::from(*g).powi(2))
        .sum::<f64>()
        .sqrt() as f32;
    if length == 0.0 || !length.is_finite() {
        return;
    }
    gradient.iter_mut().for_each(|g| *g /= length);
    let matrix = View::dense(gradient, rows, columns);
    let scale = ROOT_MEAN_SQUARE * (rows.max(columns) as f32).sqrt();
    let mut direction = vec![0.0; gradient.len()];
    if rows >= columns {
        let factor = equaliser(matrix, scale);
        let factor = View::dense(&factor, columns, columns);
        multiply_parallel(&mut direction, matrix, factor, Fill::Overwrite);
    } else {
        let factor = equaliser(matrix.transposed(), scale);
        let factor = View::dense(&factor, rows, rows);
        multiply_parallel(&mut direction, factor, matrix, Fill::Overwrite);
    }
    gradient.copy_from_slice(&direction);
}

/// The symmetric `[C, C]` matrix that a matrix `X [R, C]` is multiplied with to make its singular values equal
/// to `scale`: all repetitions are polynomials of `X^T X`, so that the tall matrix is needed only at the
/// beginning and at the end.
fn equaliser(tall: View<'_>, scale: f32) -> Vec<f32> {
    let n = tall.width();
    let product = |a: &[f32], b: &[f32]| {
        let mut out = vec![0.0; n * n];
        multiply_parallel(
            &mut out,
            View::dense(a, n, n),
            View::dense(b, n, n),
            Fill::Overwrite,
        );
        out
    };
    let mut gram = vec![0.0; n * n];
    multiply_parallel(&mut gram, tall.transposed(), tall, Fill::Overwrite);
    let mut factor = identity(n, scale);
    let [a, b, c] = QUINTIC;
    for _ in 0..REPETITIONS {
        let square = product(&gram, &gram);
        let mut step = identity(n, a);
        for ((step, gram), square) in step.iter_mut().zip(&gram).zip(&square) {
            *step += b * gram + c * square;
        }
        factor = product(&factor, &step);
        gram = product(&step, &product(&gram, &step));
    }
    factor
}

fn identity(n: usize, value: f32) -> Vec<f32> {
    let mut matrix = vec![0.0; n * n];
    matrix.iter_mut().step_by(n + 1).for_each(|v| *v = value);
    matrix
}

#[cfg(test)]
mod tests {
    use rand::Rng as _;

    use super::*;
    use crate::nn::linalg::{MatrixView, singular_values};
    use crate::random;

    #[test]
    fn singular_values_become_nearly_equal() {
        for (rows, columns) in [(40, 12), (12, 40), (16, 16)] {
            let mut rng = random::stream(1, "muon");
            let mut gradient: Vec<f32> = (0..rows * columns)
                .map(|_| rng.random_range(-1.0..1.0))
                .collect();
            let mut momentum = vec![0.0; gradient.len()];
            direct(&mut gradient, &mut momentum, columns);
            let matrix = MatrixView::new(&[rows, columns], &gradient).unwrap();
            let scale = f64::from(ROOT_MEAN_SQUARE) * (rows.max(columns) as f64).sqrt();
            for value in singular_values(&matrix).unwrap() {
                // The quintic ends anywhere between 0.7 and 1.2.
                assert!((0.6..1.3).contains(&(value / scale)), "{value} of {scale}");
            }
        }
    }

    #[test]
    fn the_direction_is_that_of_the_momentum() {
        let mut gradient = vec![2.0, 0.0, 0.0, 2.0, 0.0, 0.0];
        let mut momentum = vec![0.0; 6];
        direct(&mut gradient, &mut momentum, 2);
        assert!((momentum[0] - 0.1).abs() < 1e-6);
        assert!(gradient[0] > 0.0 && (gradient[0] - gradient[3]).abs() < 1e-5);
        assert!(gradient[1].abs() < 1e-6 && gradient[4].abs() < 1e-6);
        // No gradient, no direction.
        let mut none = vec![0.0; 6];
        direct(&mut none, &mut [0.0; 6], 2);
        assert_eq!(none, [0.0; 6]);
    }
}
