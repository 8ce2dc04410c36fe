use super::*;
use crate::nn::kernel::testing::numbers;

const LABELS: [u32; 3] = [4, 0, 2];

fn loss(logits: &[f32], smoothing: f32) -> f64 {
    cross_entropy(logits, &LABELS, smoothing, &mut vec![0.0; logits.len()]).loss
}

#[test]
fn the_loss_is_the_mean_cross_entropy_with_the_smoothed_target() {
    let logits = numbers("logits", 15);
    for smoothing in [0.0f32, 0.1] {
        let mut expected = 0.0;
        for (row, label) in logits.chunks(5).zip(LABELS) {
            let total: f64 = row.iter().map(|x| f64::from(*x).exp()).sum();
            for (j, x) in row.iter().enumerate() {
                let s = f64::from(smoothing);
                let target = s / 5.0 + if j == label as usize { 1.0 - s } else { 0.0 };
                expected -= target * (f64::from(*x).exp() / total).ln();
            }
        }
        assert!((loss(&logits, smoothing) - expected / 3.0).abs() < 1e-9);
    }
}

#[test]
fn the_gradient_is_the_slope_of_the_loss() {
    let logits = numbers("logits", 15);
    let mut gradient = vec![0.0; 15];
    cross_entropy(&logits, &LABELS, 0.2, &mut gradient);
    for (i, slope) in gradient.iter().enumerate() {
        let step = 1.0 / 256.0;
        let (mut up, mut down) = (logits.clone(), logits.clone());
        up[i] += step;
        down[i] -= step;
        let measured = (loss(&up, 0.2) - loss(&down, 0.2)) / f64::from(2.0 * step);
        assert!((measured - f64::from(*slope)).abs() < 1e-5, "logit {i}");
    }
}

#[test]
fn huge_logits_do_not_overflow_and_nan_is_not_hidden() {
    let mut logits = vec![0.0; 15];
    (logits[4], logits[5], logits[12]) = (1e30, 1e30, 1e30);
    assert_eq!(loss(&logits, 0.0), 0.0);
    logits[7] = f32::NAN;
    assert!(loss(&logits, 0.0).is_nan());
}

#[test]
fn the_first_of_equal_logits_is_predicted() {
    assert_eq!(predicted(&[1.0, 3.0, 3.0]), Some(1));
    assert_eq!(predicted(&[]), None);
    assert_eq!(predicted(&[f32::NAN, 1.0]), None);
}
