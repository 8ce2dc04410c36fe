//! What a GHN sees in a network: the state of every node of its graph.
//!
//! Letters: `N` nodes, `C` width of a state.

use super::{Ghn, Graph, States};
use crate::arch::Arch;

/// The node states of one network.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// The graph whose nodes they belong to.
    pub graph: Graph,
    pub states: States,
    /// `C`.
    pub width: usize,
}

/// The other node whose state is most like a node's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    pub node: usize,
    /// Cosine of the angle between the states, -1 to 1.
    pub cosine: f64,
}

impl Ghn {
    /// Embeds `arch`.
    #[must_use]
    pub fn embed(&self, arch: &Arch) -> Embedding {
        let (graph, parameters) = Graph::with_parameters(arch);
        let (_, states) = self.states(&graph, &parameters);
        Embedding {
            graph,
            states,
            width: self.config().hid,
        }
    }
}

impl Embedding {
    /// A node's state as the decoders read it, `[C]`.
    #[must_use]
    pub fn state(&self, node: usize) -> &[f32] {
        row(&self.states.normalised, node, self.width)
    }

    /// A node's state before the last normalisation, `[C]`; the same for a GHN without one.
    #[must_use]
    pub fn raw(&self, node: usize) -> &[f32] {
        row(&self.states.raw, node, self.width)
    }

    /// Mean of the states of all nodes as the decoders read them, `[C]`.
    #[must_use]
    pub fn mean(&self) -> Vec<f64> {
        let mut mean = vec![0.0; self.width];
        for state in self.states.normalised.chunks_exact(self.width) {
            for (sum, value) in mean.iter_mut().zip(state) {
                *sum += f64::from(*value);
            }
        }
        let nodes = self.graph.len().max(1) as f64;
        mean.iter_mut().for_each(|v| *v /= nodes);
        mean
    }

    /// For each node, the other one with the state most like its own, the first of equal ones; none in a
    /// graph of one node.
    #[must_use]
    pub fn neighbours(&self) -> Vec<Option<Neighbour>> {
        let lengths: Vec<f64> = (0..self.graph.len()).map(|n| norm(self.state(n))).collect();
        let cosine = |a: usize, b: usize| {
            let product = dot(self.state(a), self.state(b));
            // A state without length has no direction.
            let scale = (lengths[a] * lengths[b]).max(f64::MIN_POSITIVE);
            (product / scale).clamp(-1.0, 1.0)
        };
        let nearest = |node: usize| {
            let others = (0..self.graph.len()).filter(|other| *other != node);
            let all = others.map(|other| Neighbour {
                node: other,
                cosine: cosine(node, other),
            });
            all.reduce(|best, next| {
                if next.cosine > best.cosine {
                    next
                } else {
                    best
                }
            })
        };
        (0..self.graph.len()).map(nearest).collect()
    }
}

fn row(values: &[f32], node: usize, width: usize) -> &[f32] {
    &values[node * width..(node + 1) * width]
}

/// Length of a state.
#[must_use]
pub fn norm(state: &[f32]) -> f64 {
    dot(state, state).sqrt()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    let pairs = a.iter().zip(b);
    pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::zoo::{self, Options};
    use crate::ghn::DEFAULT;

    fn embedded() -> Embedding {
        let ghn = Ghn::open(DEFAULT, 1).unwrap();
        let arch = zoo::build("resnet18", &Options::for_images(10, 32)).unwrap();
        ghn.embed(&arch)
    }

    #[test]
    fn the_mean_is_that_of_the_rows() {
        let embedding = embedded();
        let nodes = embedding.graph.len();
        for (i, mean) in embedding.mean().iter().enumerate() {
            let column = (0..nodes).map(|n| f64::from(embedding.state(n)[i]));
            assert!((column.sum::<f64>() / nodes as f64 - mean).abs() < 1e-9);
        }
        assert_eq!(embedding.states.raw.len(), nodes * embedding.width);
    }

    #[test]
    fn a_node_with_the_same_state_is_the_nearest() {
        let mut embedding = embedded();
        let width = embedding.width;
        let copy: Vec<f32> = embedding.state(3).iter().map(|v| 2.0 * v).collect();
        embedding.states.normalised[9 * width..10 * width].copy_from_slice(&copy);
        embedding.states.normalised[..width].fill(0.0);
        let neighbours = embedding.neighbours();
        assert_eq!(neighbours[3].unwrap().node, 9);
        assert_eq!(neighbours[9].unwrap().node, 3);
        assert!((neighbours[9].unwrap().cosine - 1.0).abs() < 1e-12);
        assert_eq!(neighbours[0].unwrap().cosine, 0.0);
    }
}
