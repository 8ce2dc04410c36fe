use super::*;
use crate::nn::kernel::testing::{assert_near, numbers};

/// Output and the three gradients by the definition, in 64 bits.
fn plain(x: &[f32], weight: &[f32], bias: &[f32], eps: f64, dy: &[f32]) -> [Vec<f32>; 4] {
    let c = weight.len();
    let n = c as f64;
    let (mut y, mut dx) = (Vec::new(), Vec::new());
    let (mut dw, mut db) = (vec![0f64; c], vec![0f64; c]);
    for (x, dy) in x.chunks(c).zip(dy.chunks(c)) {
        let mean = x.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let var = x
            .iter()
            .map(|v| (f64::from(*v) - mean).powi(2))
            .sum::<f64>()
            / n;
        let inverse = 1.0 / (var + eps).sqrt();
        let hat: Vec<f64> = x.iter().map(|v| (f64::from(*v) - mean) * inverse).collect();
        let g: Vec<f64> = (0..c)
            .map(|j| f64::from(dy[j]) * f64::from(weight[j]))
            .collect();
        let sum = g.iter().sum::<f64>() / n;
        let dot = g.iter().zip(&hat).map(|(g, h)| g * h).sum::<f64>() / n;
        for j in 0..c {
            y.push((hat[j] * f64::from(weight[j]) + f64::from(bias[j])) as f32);
            dx.push((inverse * (g[j] - sum - hat[j] * dot)) as f32);
            dw[j] += f64::from(dy[j]) * hat[j];
            db[j] += f64::from(dy[j]);
        }
    }
    let narrow = |v: Vec<f64>| v.into_iter().map(|v| v as f32).collect();
    [y, dx, narrow(dw), narrow(db)]
}

#[test]
fn layer_norm_agrees_with_its_definition_for_any_width() {
    for (m, c) in [(1, 2), (5, 16), (40, 35), (700, 96)] {
        let (x, dy) = (numbers("x", m * c), numbers("dy", m * c));
        let (weight, bias) = (numbers("w", c), numbers("b", c));
        let [y, dx, dw, db] = plain(&x, &weight, &bias, 1e-3, &dy);
        let (mut got, mut stats) = (vec![f32::NAN; m * c], vec![0.0; 2 * m]);
        forward(&x, &weight, &bias, 1e-3, &mut got, &mut stats);
        assert_near(&got, &y, 1e-5);
        let (got_dw, got_db) = backward(&x, &stats, &weight, &dy, &mut got);
        assert_near(&got, &dx, 1e-5);
        let narrow = |v: Vec<f64>| v.into_iter().map(|v| v as f32).collect::<Vec<f32>>();
        assert_near(&narrow(got_dw), &dw, 1e-5);
        assert_near(&narrow(got_db), &db, 1e-5);
    }
}
