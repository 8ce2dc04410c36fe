//! Distance of a network from the training networks in the eyes of a GHN: of its mean node state.
//!
//! Letters: `n` networks, `C` width of a state.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::ShiftError;
use super::reference::network;
use crate::arch::Arch;
use crate::arch::deepnets::Split;
use crate::ghn::Ghn;

/// Where the networks of a split lie for one GHN.
///
/// One half of the networks gives mean and covariance, the other half the distances to compare with:
/// networks that shaped the covariance would seem nearer than strangers of the same kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    ghn: String,
    trained: bool,
    networks: usize,
    mean: Vec<f64>,
    /// Lower triangle of the covariance's Cholesky factor, `[C, C]`, row by row.
    factor: Vec<f64>,
    /// In rising order.
    distances: Vec<f64>,
}

/// A network among those of the split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingShift {
    /// Name of the GHN.
    pub ghn: String,
    /// Whether its weights were trained.
    pub trained: bool,
    /// How many networks it is compared with.
    pub networks: usize,
    /// Mahalanobis distance of the mean node state.
    pub distance: f64,
    /// The distance than which half of the networks lie nearer.
    pub usual: f64,
    /// Percent of the networks that lie nearer.
    pub percentile: f64,
}

/// Fewer networks do not give a covariance of 32 or more numbers.
const LEAST: usize = 100;

impl Embedding {
    /// Embeds the first `count` networks of a split, made for images of such a side.
    ///
    /// The covariance is shrunk towards a multiple of the identity by the share that Ledoit and Wolf (2004)
    /// derive from the networks. `made` is told of each network.
    ///
    /// # Errors
    /// [`ShiftError::TooFew`]; [`ShiftError::Alike`] if the GHN tells no networks apart.
    pub fn of(
        ghn: &Ghn,
        split: Split,
        side: usize,
        count: usize,
        made: impl Fn() + Sync,
    ) -> Result<Self, ShiftError> {
        if count < LEAST {
            return Err(ShiftError::TooFew {
                least: LEAST,
                got: count,
            });
        }
        let points: Result<Vec<Vec<f64>>, ShiftError> = (0..count as u64)
            .into_par_iter()
            .map(|seed| {
                let point = ghn.embed(&network(split, seed, side)?).mean();
                made();
                Ok(point)
            })
            .collect();
        let points = points?;
        let (shaping, compared) = points.split_at(count / 2);
        let mean = mean(shaping);
        let factor = cholesky(&shrunk_covariance(shaping, &mean), mean.len());
        let factor = factor.ok_or_else(|| ShiftError::Alike {
            ghn: ghn.name().to_owned(),
        })?;
        let mut distances: Vec<f64> = compared
            .iter()
            .map(|p| mahalanobis(p, &mean, &factor))
            .collect();
        distances.sort_unstable_by(f64::total_cmp);
        Ok(Self {
            ghn: ghn.name().to_owned(),
            trained: ghn.trained(),
            networks: count,
            mean,
            factor,
            distances,
        })
    }

    /// Where `arch` lies, embedded by the same GHN.
    #[must_use]
    pub fn shift(&self, ghn: &Ghn, arch: &Arch) -> EmbeddingShift {
        let distance = mahalanobis(&ghn.embed(arch).mean(), &self.mean, &self.factor);
        let nearer = self.distances.partition_point(|d| *d < distance);
        EmbeddingShift {
            ghn: self.ghn.clone(),
            trained: self.trained,
            networks: self.networks,
            distance,
            usual: self.distances[self.distances.len() / 2],
            percentile: 100.0 * nearer as f64 / self.distances.len() as f64,
        }
    }
}

fn mean(points: &[Vec<f64>]) -> Vec<f64> {
    let mut mean = vec![0.0; points[0].len()];
    for point in points {
        for (sum, value) in mean.iter_mut().zip(point) {
            *sum += value / points.len() as f64;
        }
    }
    mean
}

/// Covariance `[C, C]`, mixed with the multiple of the identity that has the same trace: in the share
/// `b^2 / d^2` of Ledoit and Wolf (2004), section 3.2.
fn shrunk_covariance(points: &[Vec<f64>], mean: &[f64]) -> Vec<f64> {
    let (n, c) = (points.len() as f64, mean.len());
    let centred: Vec<Vec<f64>> = points
        .iter()
        .map(|p| p.iter().zip(mean).map(|(v, m)| v - m).collect())
        .collect();
    let mut sample = vec![0.0; c * c];
    for x in &centred {
        for (row, a) in sample.chunks_exact_mut(c).zip(x) {
            for (entry, b) in row.iter_mut().zip(x) {
                *entry += a * b / n;
            }
        }
    }
    let trace: f64 = sample.iter().step_by(c + 1).sum();
    let middle = trace / c as f64;
    let square: f64 = sample.iter().map(|s| s * s).sum();
    // Squared distance of the sample from the target, and how uncertain the sample is.
    let spread = square - trace * middle;
    let uncertainty: f64 = centred
        .iter()
        .map(|x| {
            let own: f64 = x.iter().map(|v| v * v).sum();
            let rows = sample.chunks_exact(c).zip(x);
            let mixed: f64 = rows.map(|(row, a)| a * dot(row, x)).sum();
            own * own - 2.0 * mixed + square
        })
        .sum::<f64>()
        / (n * n);
    let share = if spread > 0.0 {
        (uncertainty / spread).clamp(0.0, 1.0)
    } else {
        1.0
    };
    sample.iter_mut().for_each(|s| *s *= 1.0 - share);
    sample
        .iter_mut()
        .step_by(c + 1)
        .for_each(|s| *s += share * middle);
    sample
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Lower triangle `L` with `L L^T` the matrix; none if that is not positive definite.
fn cholesky(matrix: &[f64], c: usize) -> Option<Vec<f64>> {
    let mut factor = vec![0.0; c * c];
    for i in 0..c {
        for j in 0..=i {
            let (above, row) = (&factor[j * c..j * c + j], &factor[i * c..i * c + j]);
            let rest = matrix[i * c + j] - dot(above, row);
            factor[i * c + j] = if i == j {
                if rest <= 0.0 || !rest.is_finite() {
                    return None;
                }
                rest.sqrt()
            } else {
                rest / factor[j * c + j]
            };
        }
    }
    Some(factor)
}

/// Length of the difference in deviations: of `y` with `L y = point - mean`.
fn mahalanobis(point: &[f64], mean: &[f64], factor: &[f64]) -> f64 {
    let c = mean.len();
    let mut y: Vec<f64> = Vec::with_capacity(c);
    for i in 0..c {
        let row = &factor[i * c..=i * c + i];
        y.push((point[i] - mean[i] - dot(&row[..i], &y)) / row[i]);
    }
    dot(&y, &y).sqrt()
}

#[cfg(test)]
mod tests {
    use rand::Rng as _;

    use super::*;
    use crate::random::stream;

    /// Points whose coordinates have the deviations 1, 2, 3, the second leaning on the first.
    fn points(count: usize) -> Vec<Vec<f64>> {
        let mut rng = stream(7, "embedding");
        let mut uniform = || (rng.random::<f64>() - 0.5) * 12.0_f64.sqrt();
        (0..count)
            .map(|_| {
                let [a, b, c] = [uniform(), uniform(), uniform()];
                vec![a, 2.0 * (0.6 * a + 0.8 * b), 3.0 * c]
            })
            .collect()
    }

    #[test]
    fn many_points_are_hardly_shrunk_and_few_are() {
        let all = points(20_000);
        let covariance = shrunk_covariance(&all, &mean(&all));
        let expected = [1.0, 1.2, 0.0, 1.2, 4.0, 0.0, 0.0, 0.0, 9.0];
        for (got, expected) in covariance.iter().zip(expected) {
            assert!((got - expected).abs() < 0.1, "{covariance:?}");
        }
        let few = points(4);
        let covariance = shrunk_covariance(&few, &mean(&few));
        assert!(cholesky(&covariance, 3).is_some());
    }

    #[test]
    fn distances_are_counted_in_deviations() {
        let covariance = [1.0, 1.2, 0.0, 1.2, 4.0, 0.0, 0.0, 0.0, 9.0];
        let factor = cholesky(&covariance, 3).unwrap();
        let origin = [0.0; 3];
        assert!((mahalanobis(&[0.0, 0.0, 6.0], &origin, &factor) - 2.0).abs() < 1e-12);
        // Along the correlation is nearer than across it: both have the same length.
        let along = mahalanobis(&[1.0, 2.0, 0.0], &origin, &factor);
        let across = mahalanobis(&[1.0, -2.0, 0.0], &origin, &factor);
        // By the inverse of [[1, 1.2], [1.2, 4]]: (4 x^2 - 2.4 x y + y^2) / 2.56.
        assert!((along - (3.2_f64 / 2.56).sqrt()).abs() < 1e-12);
        assert!((across - (12.8_f64 / 2.56).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn networks_that_are_all_alike_have_no_distance() {
        let same = vec![vec![1.0, 2.0]; 10];
        assert_eq!(cholesky(&shrunk_covariance(&same, &mean(&same)), 2), None);
    }
}
