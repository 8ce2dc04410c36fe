//! What the two distances between nodes add to their attention.

use std::ops::Range;

use super::super::super::GhnError;
use super::super::super::graph::Distances;
use super::super::dense::{Dense, add, relu, through_relu};
use super::super::weight::Weight;
use super::super::weights::Weights;

/// The layers that make it.
#[derive(Clone, Debug)]
pub struct EdgeBias {
    width: usize,
    heads: usize,
    /// By distance, `[257, C]`; see [`NO_PATH`].
    pub distances: Weight,
    /// From both distances' embeddings to one number a head.
    pub layers: [Dense; 2],
}

/// Row of the distance 0, which stands for "no path"; the rows before it are not used.
const NO_PATH: usize = 2;
const DISTANCE_ROWS: usize = 257;

impl EdgeBias {
    pub fn new(width: usize, heads: usize, weights: &Weights) -> Result<Self, GhnError> {
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
    pub fn of(&self, distances: &Distances) -> (Vec<f32>, Pairs) {
        let pairs = Pairs::of(distances);
        let both = pairs.different.iter().flatten();
        let embedded: Vec<f32> = both.flat_map(|d| self.embedding(*d)).copied().collect();
        let [first, second] = &self.layers;
        let mut hidden = first.apply(&embedded);
        relu(&mut hidden);
        let of_pairs = second.apply(&hidden);
        let mut bias = Vec::with_capacity(self.heads * pairs.numbers.len());
        for head in 0..self.heads {
            let of_head: Vec<f32> = of_pairs.chunks_exact(self.heads).map(|h| h[head]).collect();
            bias.extend(pairs.numbers.iter().map(|pair| of_head[*pair as usize]));
        }
        (
            bias,
            Pairs {
                embedded,
                hidden,
                ..pairs
            },
        )
    }

    /// Adds to the derivatives by the table and the layers, from those by the bias, `[H, N, N]`.
    pub fn back(&self, pairs: &Pairs, by_bias: &[f32], gradient: &mut Self) {
        let mut by_pairs = vec![0.0; pairs.different.len() * self.heads];
        for (head, by_head) in by_bias.chunks_exact(pairs.numbers.len()).enumerate() {
            for (pair, by) in pairs.numbers.iter().zip(by_head) {
                by_pairs[*pair as usize * self.heads + head] += by;
            }
        }
        let [first, second] = &self.layers;
        let [by_first, by_second] = &mut gradient.layers;
        let mut by_hidden = second.back(&pairs.hidden, &by_pairs, by_second);
        through_relu(&mut by_hidden, &pairs.hidden);
        let by_embedded = first.back(&pairs.embedded, &by_hidden, by_first);
        let both = pairs.different.iter().flatten();
        for (distance, by) in both.zip(by_embedded.chunks_exact(self.width)) {
            add(&mut gradient.distances[self.place(*distance)], by);
        }
    }

    /// Its tensors.
    pub fn list<'a>(&'a mut self, all: &mut Vec<&'a mut Weight>) {
        all.push(&mut self.distances);
        self.layers.iter_mut().for_each(|layer| layer.list(all));
    }

    fn embedding(&self, distance: u8) -> &[f32] {
        &self.distances[self.place(distance)]
    }

    fn place(&self, distance: u8) -> Range<usize> {
        let row = Self::row(distance);
        row * self.width..(row + 1) * self.width
    }

    /// A distance's row in the table.
    pub const fn row(distance: u8) -> usize {
        distance as usize + NO_PATH
    }
}

/// Pairs of distances, there and back, between all nodes, and what their embedding saw.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// Each different pair once.
    pub different: Vec<[u8; 2]>,
    /// Which of them is that of two nodes, `[N, N]`.
    pub numbers: Vec<u32>,
    /// `[different, 2 C]`.
    embedded: Vec<f32>,
    /// `[different, C]`.
    hidden: Vec<f32>,
}

impl Pairs {
    pub fn of(distances: &Distances) -> Self {
        const UNSEEN: u32 = u32::MAX;
        let nodes = distances.nodes();
        let mut numbers = vec![UNSEEN; 1 << 16];
        let mut pairs = Self {
            different: Vec::new(),
            numbers: Vec::with_capacity(nodes * nodes),
            embedded: Vec::new(),
            hidden: Vec::new(),
        };
        for i in 0..nodes {
            for j in 0..nodes {
                let (there, back) = (distances.between(i, j), distances.between(j, i));
                let number = &mut numbers[usize::from(there) << 8 | usize::from(back)];
                if *number == UNSEEN {
                    *number = pairs.different.len() as u32;
                    pairs.different.push([there, back]);
                }
                pairs.numbers.push(*number);
            }
        }
        pairs
    }
}
