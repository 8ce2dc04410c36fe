//! Step 10: virtual edges, the directed shortest-path lengths between all nodes.

use super::sketch::Sketch;

/// Longest path that becomes a virtual edge.
pub const CUTOFF: u8 = 50;

/// Shortest-path lengths from every node to every other, along the edges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distances {
    nodes: usize,
    /// Row-major, `[from, to]`; 0 where there is no path of at most [`CUTOFF`] edges, and on the
    /// diagonal.
    lengths: Vec<u8>,
}

impl Distances {
    pub(super) fn of(sketch: &Sketch) -> Self {
        let edges: Vec<Vec<usize>> = sketch
            .successors
            .iter()
            .map(|s| s.iter().copied().collect())
            .collect();
        Self::from_edges(&edges)
    }

    /// From each node's direct successors.
    #[must_use]
    pub fn from_edges(successors: &[Vec<usize>]) -> Self {
        let nodes = successors.len();
        let mut lengths = vec![0; nodes * nodes];
        let (mut front, mut next) = (Vec::new(), Vec::new());
        for from in 0..nodes {
            let row = &mut lengths[from * nodes..(from + 1) * nodes];
            front.clear();
            front.push(from);
            for length in 1..=CUTOFF {
                for &node in &front {
                    for &s in &successors[node] {
                        if s != from && row[s] == 0 {
                            row[s] = length;
                            next.push(s);
                        }
                    }
                }
                std::mem::swap(&mut front, &mut next);
                next.clear();
                if front.is_empty() {
                    break;
                }
            }
        }
        Self { nodes, lengths }
    }

    /// Number of nodes.
    #[must_use]
    pub const fn nodes(&self) -> usize {
        self.nodes
    }

    /// Length of the shortest path, 0 if there is none.
    #[must_use]
    pub fn between(&self, from: usize, to: usize) -> u8 {
        self.lengths[from * self.nodes + to]
    }

    /// The lengths of the paths that start at `from`, one for each node.
    #[must_use]
    pub fn row(&self, from: usize) -> &[u8] {
        &self.lengths[from * self.nodes..(from + 1) * self.nodes]
    }

    /// All edges `(from, to, length)`, virtual ones included, row by row.
    pub fn edges(&self) -> impl Iterator<Item = (usize, usize, u8)> {
        self.lengths
            .iter()
            .enumerate()
            .filter(|(_, length)| **length > 0)
            .map(|(i, length)| (i / self.nodes, i % self.nodes, *length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_longer_than_the_cutoff_are_no_edges() {
        let chain: Vec<Vec<usize>> = (0..60)
            .map(|i| if i < 59 { vec![i + 1] } else { Vec::new() })
            .collect();
        let distances = Distances::from_edges(&chain);
        assert_eq!(distances.between(0, 50), 50);
        assert_eq!(distances.between(0, 51), 0);
        assert_eq!(distances.between(50, 0), 0);
        assert_eq!(distances.between(7, 7), 0);
    }
}
