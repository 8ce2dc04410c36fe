//! What the first layer adds to a node's features: embeddings of its place in the graph.

use super::super::super::GhnError;
use super::super::super::graph::Distances;
use super::super::dense::add;
use super::super::weight::Weight;
use super::super::weights::Weights;

/// Embeddings of a node's place in the graph.
#[derive(Clone, Debug)]
pub struct Places {
    /// By direct edges that end at the node, `[101, C]`.
    incoming: Weight,
    /// By those that begin there, `[101, C]`.
    outgoing: Weight,
    /// By the distance from the input, `[1001, C]`.
    from_input: Weight,
}

/// More edges than this count as so many.
const MOST_EDGES: usize = 100;
/// Rows of the table of distances from the input.
const INPUT_ROWS: usize = 1001;

impl Places {
    /// The released files have these tables at top level, those of the training script in the first layer.
    pub fn new(width: usize, weights: &Weights) -> Result<Self, GhnError> {
        let inside = weights.has("gnn.0.centrality_embed_in.weight");
        let table = |name: &str, rows| {
            let name = if inside {
                format!("gnn.0.{name}")
            } else {
                name.to_owned()
            };
            weights.embedding(&name, rows, width)
        };
        Ok(Self {
            incoming: table("centrality_embed_in", MOST_EDGES + 1)?,
            outgoing: table("centrality_embed_out", MOST_EDGES + 1)?,
            from_input: table("input_dist_embed", INPUT_ROWS)?,
        })
    }

    /// `x` is `[N, C]`.
    pub fn add(&self, x: &mut [f32], width: usize, distances: &Distances) {
        let tables = [&self.incoming, &self.outgoing, &self.from_input];
        for (state, rows) in x.chunks_exact_mut(width).zip(rows(distances)) {
            for (table, row) in tables.iter().zip(rows) {
                add(state, &table[row * width..(row + 1) * width]);
            }
        }
    }

    /// Adds to the derivatives by the tables, from those by what they were added to, `[N, C]`.
    pub fn back(by_x: &[f32], width: usize, distances: &Distances, gradient: &mut Self) {
        for (by_state, rows) in by_x.chunks_exact(width).zip(rows(distances)) {
            let tables = [
                &mut gradient.incoming,
                &mut gradient.outgoing,
                &mut gradient.from_input,
            ];
            for (table, row) in tables.into_iter().zip(rows) {
                add(&mut table[row * width..(row + 1) * width], by_state);
            }
        }
    }

    /// Its tensors.
    pub fn list<'a>(&'a mut self, all: &mut Vec<&'a mut Weight>) {
        all.extend([&mut self.incoming, &mut self.outgoing, &mut self.from_input]);
    }
}

/// Each node's row in each table.
fn rows(distances: &Distances) -> Vec<[usize; 3]> {
    let nodes = distances.nodes();
    let (mut incoming, mut outgoing) = (vec![0; nodes], vec![0; nodes]);
    for (from, to, length) in distances.edges() {
        if length == 1 {
            outgoing[from] += 1;
            incoming[to] += 1;
        }
    }
    let row = |node: usize| {
        // Nodes without a path from the first one are as far from it as itself.
        let from_input = usize::from(distances.between(0, node));
        [
            incoming[node].min(MOST_EDGES),
            outgoing[node].min(MOST_EDGES),
            from_input,
        ]
    };
    (0..nodes).map(row).collect()
}
