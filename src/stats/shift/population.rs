//! What the networks of a split have in common.

use serde::{Deserialize, Serialize};

use super::profile::{Feature, Measure, Measures, Operators, Profile};
use super::{Counts, ShiftError};
use crate::arch::deepnets::Split;
use crate::ghn::graph::Topology;
use crate::stats::Moments;

/// Distances are kept as this many quantiles, from the least to the largest.
pub(super) const QUANTILES: usize = 101;

/// Networks of one split of DeepNets-1M.
#[derive(Clone, Debug, PartialEq)]
pub struct Population {
    pub split: Split,
    /// One entry per network, in the order of their seeds, which start at 0.
    pub(super) networks: Vec<Network>,
    /// Over all networks, in the order of [`Feature::ALL`].
    pub(super) counts: [Counts; Feature::ALL.len()],
    /// Quantiles of the distances of the single networks from [`Self::counts`], in the same order.
    pub(super) distances: [Vec<f32>; Feature::ALL.len()],
    /// The most channels of any layer.
    pub(super) widest: usize,
}

/// What is kept of a network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Network {
    pub measures: Measures,
    pub operators: Operators,
}

/// A value among those of a population.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    pub mean: f64,
    /// Standard deviation of the networks themselves.
    pub deviation: f64,
    /// Deviations above the mean; null where all networks are alike and this one is not.
    #[serde(with = "crate::stats::nullable")]
    pub z: f64,
    /// Percent of the networks that have less; those that have as much count by half.
    pub percentile: f64,
}

impl Population {
    /// Sums up networks, given in the order of their seeds.
    ///
    /// # Errors
    /// [`ShiftError::TooFew`] without any.
    pub fn of(split: Split, profiles: &[Profile]) -> Result<Self, ShiftError> {
        if profiles.is_empty() {
            return Err(ShiftError::TooFew { least: 1, got: 0 });
        }
        let counts = Feature::ALL.map(|feature| {
            let mut all = Counts::default();
            for profile in profiles {
                all.extend(profile.counts(feature));
            }
            all
        });
        let distances = Feature::ALL.map(|feature| {
            let all = &counts[feature.index()];
            let distances = profiles.iter().map(|p| p.counts(feature).distance(all));
            quantiles(distances.collect())
        });
        let networks = profiles.iter().map(|p| Network {
            measures: p.measures,
            operators: p.operators,
        });
        Ok(Self {
            split,
            networks: networks.collect(),
            counts,
            distances,
            widest: profiles.iter().map(|p| p.widest).max().unwrap_or(0),
        })
    }

    /// Number of networks, at least one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.networks.len()
    }

    /// Never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }

    /// How often each label of a feature occurs in all networks together.
    #[must_use]
    pub const fn counts(&self, feature: Feature) -> &Counts {
        &self.counts[feature.index()]
    }

    /// The most channels of any layer of any network.
    #[must_use]
    pub const fn widest(&self) -> usize {
        self.widest
    }

    /// The networks' values of a measure.
    pub fn values(&self, measure: Measure) -> impl Iterator<Item = f64> + Clone {
        self.networks.iter().map(move |n| n.measures.of(measure))
    }

    /// Where a value of a measure stands.
    #[must_use]
    pub fn standing(&self, measure: Measure, value: f64) -> Standing {
        let count = self.networks.len() as f64;
        let Moments { mean, deviation } = Moments::of(self.values(measure));
        let below = self.values(measure).filter(|v| *v < value).count() as f64;
        let equal = self.values(measure).filter(|v| *v == value).count() as f64;
        Standing {
            mean,
            deviation,
            z: if value == mean {
                0.0
            } else {
                (value - mean) / deviation
            },
            percentile: 100.0 * (below + equal / 2.0) / count,
        }
    }

    /// Percent of the networks that lie nearer to the population in this feature than `distance`.
    #[must_use]
    pub fn percentile_of_distance(&self, feature: Feature, distance: f64) -> f64 {
        let quantiles = &self.distances[feature.index()];
        percentile(quantiles, distance)
    }

    /// The distance than which half of the networks lie nearer.
    #[must_use]
    pub fn usual_distance(&self, feature: Feature) -> f64 {
        f64::from(self.distances[feature.index()][QUANTILES / 2])
    }
}

impl Network {
    pub const fn new(topology: Topology, params: u64, operators: Operators) -> Self {
        Self {
            measures: Measures { topology, params },
            operators,
        }
    }
}

/// [`QUANTILES`] values, evenly spaced over the sorted ones, of which there is at least one.
fn quantiles(mut values: Vec<f64>) -> Vec<f32> {
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len() - 1;
    let at = |q: usize| values[(q * last + (QUANTILES - 1) / 2) / (QUANTILES - 1)];
    (0..QUANTILES).map(|q| at(q) as f32).collect()
}

/// Percent of the values below `value`, by their quantiles.
fn percentile(quantiles: &[f32], value: f64) -> f64 {
    let after = quantiles.partition_point(|q| f64::from(*q) <= value);
    let Some(before) = after.checked_sub(1) else {
        return 0.0;
    };
    let step = 100.0 / (quantiles.len() - 1) as f64;
    let from = f64::from(quantiles[before]);
    let within = match quantiles.get(after) {
        Some(to) => (value - from) / (f64::from(*to) - from),
        None => 0.0,
    };
    (before as f64 + within) * step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_between_their_quantiles() {
        let quantiles = quantiles((0..=1000).map(f64::from).collect());
        assert_eq!(
            (quantiles[0], quantiles[50], quantiles[100]),
            (0.0, 500.0, 1000.0)
        );
        for (value, expected) in [
            (-1.0, 0.0),
            (0.0, 0.0),
            (255.0, 25.5),
            (1000.0, 100.0),
            (2e3, 100.0),
        ] {
            assert!(
                (percentile(&quantiles, value) - expected).abs() < 1e-9,
                "{value}"
            );
        }
    }

    #[test]
    fn a_single_network_is_its_own_quantiles() {
        assert!(quantiles(vec![0.25]).iter().all(|q| *q == 0.25));
    }
}
