//! The networks of a population that are most like a given one.

use serde::{Deserialize, Serialize};

use super::{Measure, Population, Profile};
use crate::arch::deepnets;
use crate::ghn::Primitive;
use crate::stats::Moments;

/// A network like the one in question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Such as `deepnets:7`.
    pub name: String,
    /// Root mean square of the differences, each in deviations of the population: of nodes, degree, path,
    /// depth, the logarithm of the parameters, and the share of each primitive op.
    pub distance: f64,
    pub nodes: usize,
    pub params: u64,
}

/// Coordinates of a network.
const AXES: usize = 5 + Primitive::ALL.len();

impl Population {
    /// The `count` nearest networks, nearest first.
    #[must_use]
    pub fn nearest(&self, profile: &Profile, count: usize) -> Vec<Neighbour> {
        let places: Vec<[f64; AXES]> = self
            .networks
            .iter()
            .map(|n| place(|m| n.measures.of(m), &n.operators))
            .collect();
        let own = place(|m| profile.measures.of(m), &profile.operators);
        let along = |axis| Moments::of(places.iter().map(move |p| p[axis])).deviation;
        let deviations: [f64; AXES] = std::array::from_fn(along);
        let mut near: Vec<(f64, usize)> = places
            .iter()
            .map(|place| distance(place, &own, &deviations))
            .zip(0..)
            .collect();
        near.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let nearest = near.into_iter().take(count);
        nearest
            .map(|(distance, seed)| {
                let measures = &self.networks[seed].measures;
                Neighbour {
                    name: deepnets::name_of(self.split, seed as u64),
                    distance,
                    nodes: measures.topology.nodes,
                    params: measures.params,
                }
            })
            .collect()
    }
}

fn place(measure: impl Fn(Measure) -> f64, operators: &[u16]) -> [f64; AXES] {
    let nodes = measure(Measure::Nodes);
    let shape = [
        nodes,
        measure(Measure::Degree),
        measure(Measure::Path),
        measure(Measure::Depth),
        measure(Measure::Parameters).max(1.0).ln(),
    ];
    let shares = operators.iter().map(|o| f64::from(*o) / nodes.max(1.0));
    let mut place = [0.0; AXES];
    for (to, value) in place.iter_mut().zip(shape.into_iter().chain(shares)) {
        *to = value;
    }
    place
}

/// Along an axis on which all networks are alike, there is no nearer and farther.
fn distance(a: &[f64; AXES], b: &[f64; AXES], deviations: &[f64; AXES]) -> f64 {
    let squares = a.iter().zip(b).zip(deviations).map(|((a, b), deviation)| {
        if *deviation > 0.0 {
            ((a - b) / deviation).powi(2)
        } else {
            0.0
        }
    });
    (squares.sum::<f64>() / AXES as f64).sqrt()
}
