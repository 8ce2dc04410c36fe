//! How often something occurs in a network or in many, and how far two such counts are apart.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Labels with how often each occurs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Counts(BTreeMap<String, u64>);

impl Counts {
    pub fn add(&mut self, label: &str, times: u64) {
        match self.0.get_mut(label) {
            Some(count) => *count += times,
            None => drop(self.0.insert(label.to_owned(), times)),
        }
    }

    /// Adds all of another's.
    pub fn extend(&mut self, other: &Self) {
        for (label, times) in other.iter() {
            self.add(label, times);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(label, count)| (label.as_str(), *count))
    }

    #[must_use]
    pub fn of(&self, label: &str) -> u64 {
        self.0.get(label).copied().unwrap_or(0)
    }

    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// A label's part of all, 0 if there is nothing.
    #[must_use]
    pub fn share(&self, label: &str) -> f64 {
        match self.total() {
            0 => 0.0,
            total => self.of(label) as f64 / total as f64,
        }
    }

    /// Jensen-Shannon distance of the two distributions, between 0 and 1: the root of their divergence in
    /// bits (Endres and Schindelin 2003). Nothing at all is as far as can be from anything, and equal to
    /// itself.
    #[must_use]
    pub fn distance(&self, other: &Self) -> f64 {
        let totals = [self.total(), other.total()];
        if totals.contains(&0) {
            return f64::from(u8::from(totals != [0, 0]));
        }
        let labels = self
            .0
            .keys()
            .chain(other.0.keys().filter(|l| !self.0.contains_key(*l)));
        let pairs = labels.map(|label| [self.of(label), other.of(label)]);
        jensen_shannon(pairs, totals)
    }
}

/// Jensen-Shannon distance of two distributions, given as pairs of counts and both totals, which are not 0.
pub(super) fn jensen_shannon(pairs: impl Iterator<Item = [u64; 2]>, totals: [u64; 2]) -> f64 {
    let bits = |share: f64, middle: f64| {
        if share > 0.0 {
            share * (share / middle).log2()
        } else {
            0.0
        }
    };
    let divergence: f64 = pairs
        .map(|[a, b]| {
            let (p, q) = (a as f64 / totals[0] as f64, b as f64 / totals[1] as f64);
            let middle = f64::midpoint(p, q);
            f64::midpoint(bits(p, middle), bits(q, middle))
        })
        .sum();
    divergence.clamp(0.0, 1.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(&str, u64)]) -> Counts {
        let mut counts = Counts::default();
        for (label, times) in of {
            counts.add(label, *times);
        }
        counts
    }

    #[test]
    fn distances_are_those_of_the_definition() {
        let (a, b) = (
            counts(&[("x", 1), ("y", 1)]),
            counts(&[("x", 30), ("z", 10)]),
        );
        // By hand: p = (1/2, 1/2, 0), q = (3/4, 0, 1/4), m = (5/8, 1/4, 1/8).
        let p = 0.5 * (0.8_f64).log2() + 0.5;
        let q = 0.75 * (1.2_f64).log2() + 0.25;
        let expected = (0.5 * (p + q)).sqrt();
        assert!((a.distance(&b) - expected).abs() < 1e-12);
        assert_eq!(a.distance(&b), b.distance(&a));
    }

    #[test]
    fn only_proportions_count_and_strangers_are_one_apart() {
        let a = counts(&[("x", 1), ("y", 2)]);
        assert!(a.distance(&counts(&[("x", 10), ("y", 20)])) < 1e-7);
        assert_eq!(a.distance(&counts(&[("z", 5)])), 1.0);
        let nothing = Counts::default();
        assert_eq!(
            (a.distance(&nothing), nothing.distance(&nothing)),
            (1.0, 0.0)
        );
    }
}
