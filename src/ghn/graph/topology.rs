//! The numbers by which the GHN papers describe a graph's shape.

use super::Graph;

/// Shape of a graph without its virtual edges, whose direction does not matter here (Knyazev et al. 2021,
/// table 1).
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Topology {
    pub nodes: usize,
    pub edges: usize,
    /// Edges that end at a node, on average: `2 edges / nodes`.
    pub degree: f64,
    /// Length of the shortest path between two nodes, averaged over all pairs that a path joins.
    pub path: f64,
    /// Edges on the longest way along their direction.
    pub depth: usize,
}

impl Topology {
    #[must_use]
    pub fn of(graph: &Graph) -> Self {
        let nodes = graph.len();
        let mut neighbours = vec![Vec::new(); nodes];
        let mut edges = 0;
        // Nodes stand in topological order: whatever leads to a node has been seen before it.
        let mut depths = vec![0; nodes];
        for (from, to, length) in graph.distances.edges() {
            if length == 1 {
                edges += 1;
                neighbours[from].push(to);
                neighbours[to].push(from);
                depths[to] = depths[to].max(depths[from] + 1);
            }
        }
        Self {
            nodes,
            edges,
            degree: 2.0 * edges as f64 / nodes.max(1) as f64,
            path: mean_path(&neighbours),
            depth: depths.into_iter().max().unwrap_or(0),
        }
    }
}

/// Breadth first from every node.
fn mean_path(neighbours: &[Vec<usize>]) -> f64 {
    const UNSEEN: usize = usize::MAX;
    let (mut total, mut pairs) = (0, 0);
    let mut lengths = vec![UNSEEN; neighbours.len()];
    let mut queue = Vec::with_capacity(neighbours.len());
    for from in 0..neighbours.len() {
        lengths.fill(UNSEEN);
        lengths[from] = 0;
        queue.clear();
        queue.push(from);
        let mut next = 0;
        while next < queue.len() {
            let node = queue[next];
            next += 1;
            for neighbour in &neighbours[node] {
                if lengths[*neighbour] == UNSEEN {
                    lengths[*neighbour] = lengths[node] + 1;
                    total += lengths[*neighbour];
                    queue.push(*neighbour);
                }
            }
        }
        pairs += queue.len() - 1;
    }
    if pairs == 0 {
        0.0
    } else {
        total as f64 / pairs as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::zoo::{self, Options};

    /// Nodes, edges, degree and path as the published code computes them at 224 pixels, to the digits
    /// of its table. EfficientNet's path is that of GHN-3's graph, which this program builds; GHN-2's code
    /// drew gates differently and found 19.35.
    const PUBLISHED: [(&str, usize, usize, f64, f64); 9] = [
        ("resnet18", 53, 60, 2.264, 7.58),
        ("resnet50", 127, 142, 2.236, 11.29),
        ("resnet152", 365, 414, 2.268, 21.87),
        ("densenet121", 307, 841, 5.479, 7.43),
        ("mobilenet_v2", 118, 127, 2.153, 18.01),
        ("efficientnet_b0", 191, 215, 2.251, 21.37),
        ("vgg16_bn", 52, 51, 1.962, 17.67),
        ("convnext_tiny", 161, 178, 2.211, 13.10),
        ("convnext_base", 305, 340, 2.230, 18.17),
    ];

    #[test]
    fn torchvisions_networks_have_the_published_shapes() {
        for (name, nodes, edges, degree, path) in PUBLISHED {
            let graph = Graph::of(&zoo::build(name, &Options::default()).unwrap());
            let got = Topology::of(&graph);
            assert_eq!((got.nodes, got.edges), (nodes, edges), "{name}");
            assert!((got.degree - degree).abs() < 6e-4, "{name}: {}", got.degree);
            assert!((got.path - path).abs() < 6e-3, "{name}: {}", got.path);
        }
    }

    /// What the depth leans on.
    #[test]
    fn nodes_stand_behind_all_that_leads_to_them() {
        for name in zoo::names() {
            let graph = Graph::of(&zoo::build(name, &Options::default()).unwrap());
            let backward = graph.distances.edges().find(|(from, to, _)| from > to);
            assert_eq!(backward, None, "{name}");
        }
    }

    #[test]
    fn a_chain_is_as_deep_as_it_is_long() {
        let graph = Graph::of(&zoo::build("vgg16_bn", &Options::default()).unwrap());
        let Topology { edges, depth, .. } = Topology::of(&graph);
        assert_eq!(depth, edges);
    }

    #[test]
    fn paths_go_either_way() {
        // 0 -> 1 -> 2, seen from every node.
        let line = [vec![1], vec![0, 2], vec![1]];
        assert!((mean_path(&line) - 8.0 / 6.0).abs() < 1e-12);
        assert_eq!(mean_path(&[Vec::new()]), 0.0);
    }
}
