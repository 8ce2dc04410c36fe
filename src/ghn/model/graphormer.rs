//! GHN-3's layers: self-attention over all nodes, biased by how far apart they are (Ying et al. 2021,
//! Knyazev et al. 2023).
//!
//! Letters: `N` nodes, `C` width of a state, `H` heads.

use super::super::GhnError;
use super::super::graph::Distances;
use super::dense::{Dense, LayerNorm, relu};
use super::weights::Weights;
use crate::arch::Activation;
use crate::nn::{activate, biased_attention};

/// Layers of a Graphormer, with what the first one adds to the features.
#[derive(Clone, Debug)]
pub(super) struct Graphormer {
    width: usize,
    heads: usize,
    places: Places,
    bias: EdgeBias,
    layers: Vec<Layer>,
}

/// Transformer layer with norms before each part.
#[derive(Clone, Debug)]
struct Layer {
    attention_norm: LayerNorm,
    /// Queries, keys and values, one after the other: `[3 C, C]`.
    queries: Dense,
    out: Dense,
    feed_norm: LayerNorm,
    feed: [Dense; 2],
}

impl Graphormer {
    pub fn new(
        width: usize,
        layers: usize,
        heads: usize,
        weights: &Weights,
    ) -> Result<Self, GhnError> {
        let layer = |index: usize| -> Result<Layer, GhnError> {
            let name = |part: &str| format!("gnn.{index}.{part}");
            Ok(Layer {
                attention_norm: weights.layer_norm(&name("ln1"), width)?,
                queries: weights.dense_without_bias(&name("attn.to_qkv"), 3 * width, width)?,
                out: weights.dense(&name("attn.to_out.0"), width, width)?,
                feed_norm: weights.layer_norm(&name("ln2"), width)?,
                feed: [
                    weights.dense(&name("ff.net.0"), 4 * width, width)?,
                    weights.dense(&name("ff.net.3"), width, 4 * width)?,
                ],
            })
        };
        Ok(Self {
            width,
            heads,
            places: Places::new(width, weights)?,
            bias: EdgeBias::new(width, heads, weights)?,
            layers: (0..layers).map(layer).collect::<Result<_, _>>()?,
        })
    }

    /// `features` is `[N, C]`, and so is the result.
    pub fn run(&self, mut x: Vec<f32>, distances: &Distances) -> Vec<f32> {
        self.places.add(&mut x, self.width, distances);
        // One bias for all layers: it depends on the graph alone.
        let bias = self.bias.of(distances);
        for layer in &self.layers {
            let mut normal = x.clone();
            layer.attention_norm.apply(&mut normal);
            let queries = layer.queries.apply(&normal);
            let attended = biased_attention(&queries, self.heads, self.width / self.heads, &bias);
            add(&mut x, &layer.out.apply(&attended));
            let mut normal = x.clone();
            layer.feed_norm.apply(&mut normal);
            let [widen, narrow] = &layer.feed;
            let mut hidden = widen.apply(&normal);
            activate(Activation::Gelu, &mut hidden);
            add(&mut x, &narrow.apply(&hidden));
        }
        x
    }
}

fn add(to: &mut [f32], values: &[f32]) {
    for (to, value) in to.iter_mut().zip(values) {
        *to += value;
    }
}

/// Embeddings of a node's place in the graph.
#[derive(Clone, Debug)]
struct Places {
    /// By direct edges that end at the node, `[101, C]`.
    incoming: Vec<f32>,
    /// By those that begin there, `[101, C]`.
    outgoing: Vec<f32>,
    /// By the distance from the input, `[1001, C]`.
    from_input: Vec<f32>,
}

/// More edges than this count as so many.
const MOST_EDGES: usize = 100;
/// Rows of the table of distances from the input.
const INPUT_ROWS: usize = 1001;

impl Places {
    /// The released files have these tables at top level, those of the training script in the first layer.
    fn new(width: usize, weights: &Weights) -> Result<Self, GhnError> {
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

    fn add(&self, x: &mut [f32], width: usize, distances: &Distances) {
        let nodes = distances.nodes();
        let (mut incoming, mut outgoing) = (vec![0; nodes], vec![0; nodes]);
        for (from, to, length) in distances.edges() {
            if length == 1 {
                outgoing[from] += 1;
                incoming[to] += 1;
            }
        }
        for (node, state) in x.chunks_exact_mut(width).enumerate() {
            // Nodes without a path from the first one are as far from it as itself.
            let from_input = usize::from(distances.between(0, node));
            for (table, row) in [
                (&self.incoming, incoming[node].min(MOST_EDGES)),
                (&self.outgoing, outgoing[node].min(MOST_EDGES)),
                (&self.from_input, from_input),
            ] {
                add(state, &table[row * width..(row + 1) * width]);
            }
        }
    }
}

/// What the two distances between nodes add to their attention.
#[derive(Clone, Debug)]
struct EdgeBias {
    width: usize,
    heads: usize,
    /// By distance, `[257, C]`; see [`NO_PATH`].
    distances: Vec<f32>,
    /// From both distances' embeddings to one number a head.
    layers: [Dense; 2],
}

/// Row of the distance 0, which stands for "no path"; the rows before it are not used.
const NO_PATH: usize = 2;
const DISTANCE_ROWS: usize = 257;

impl EdgeBias {
    fn new(width: usize, heads: usize, weights: &Weights) -> Result<Self, GhnError> {
        let name = |part: &str| format!("gnn.0.attn.{part}");
        Ok(Self {
            width,
            heads,
            distances: weights.embedding(&name("edge_embed.embed"), DISTANCE_ROWS, width)?,
            layers: [
                weights.dense(&name("proj_e.0"), width, 2 * width)?,
                weights.dense(&name("proj_e.2"), heads, width)?,
            ],
        })
    }

    /// `[H, N, N]`. There are few different pairs of distances: in a graph without cycles one of the two
    /// is none, so that each is computed once.
    fn of(&self, distances: &Distances) -> Vec<f32> {
        const UNSEEN: u32 = u32::MAX;
        let nodes = distances.nodes();
        let mut numbers = vec![UNSEEN; 1 << 16];
        let mut embedded: Vec<f32> = Vec::new();
        let mut pairs = Vec::with_capacity(nodes * nodes);
        let mut seen = 0;
        for i in 0..nodes {
            for j in 0..nodes {
                let (there, back) = (distances.between(i, j), distances.between(j, i));
                let number = &mut numbers[usize::from(there) << 8 | usize::from(back)];
                if *number == UNSEEN {
                    *number = seen;
                    seen += 1;
                    embedded.extend_from_slice(self.embedding(there));
                    embedded.extend_from_slice(self.embedding(back));
                }
                pairs.push(*number);
            }
        }
        let [first, second] = &self.layers;
        let mut hidden = first.apply(&embedded);
        relu(&mut hidden);
        let of_pairs = second.apply(&hidden);
        let mut bias = Vec::with_capacity(self.heads * pairs.len());
        for head in 0..self.heads {
            let of_head: Vec<f32> = of_pairs.chunks_exact(self.heads).map(|h| h[head]).collect();
            bias.extend(pairs.iter().map(|pair| of_head[*pair as usize]));
        }
        bias
    }

    fn embedding(&self, distance: u8) -> &[f32] {
        let row = usize::from(distance) + NO_PATH;
        &self.distances[row * self.width..(row + 1) * self.width]
    }
}
