//! GHN-3's layers: self-attention over all nodes, biased by how far apart they are (Ying et al. 2021,
//! Knyazev et al. 2023).
//!
//! Letters: `N` nodes, `C` width of a state, `H` heads.

use super::super::GhnError;
use super::super::graph::Distances;
use super::dense::{Dense, LayerNorm, add};
use super::weight::Weight;
use super::weights::Weights;
use crate::arch::Activation;
use crate::nn::{BiasedAttention, activate, activate_backward};
pub(super) use bias::{EdgeBias, Pairs};
pub(super) use places::Places;

mod bias;
mod places;

/// Layers of a Graphormer, with what the first one adds to the features.
#[derive(Clone, Debug)]
pub(super) struct Graphormer {
    pub width: usize,
    pub heads: usize,
    pub places: Places,
    pub bias: EdgeBias,
    pub layers: Vec<Layer>,
}

/// Transformer layer with norms before each part.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub attention_norm: LayerNorm,
    /// Queries, keys and values, one after the other: `[3 C, C]`.
    pub queries: Dense,
    pub out: Dense,
    pub feed_norm: LayerNorm,
    pub feed: [Dense; 2],
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
    pub fn run(&self, features: Vec<f32>, distances: &Distances) -> Vec<f32> {
        self.layers_on(features, distances, |_| ()).0
    }

    /// As [`Graphormer::run`], with the notes that going backward needs.
    pub fn run_noting(&self, features: Vec<f32>, distances: &Distances) -> (Vec<f32>, Tape) {
        let mut layers = Vec::with_capacity(self.layers.len());
        let (x, bias, pairs) = self.layers_on(features, distances, |notes| layers.push(notes));
        let tape = Tape {
            layers,
            bias,
            pairs,
        };
        (x, tape)
    }

    /// The result, the bias, and the distances behind it; `note` hears of every layer.
    fn layers_on(
        &self,
        mut x: Vec<f32>,
        distances: &Distances,
        mut note: impl FnMut(Notes),
    ) -> (Vec<f32>, Vec<f32>, Pairs) {
        self.places.add(&mut x, self.width, distances);
        // One bias for all layers: it depends on the graph alone.
        let (bias, pairs) = self.bias.of(distances);
        let attention = BiasedAttention::new(self.heads, self.width / self.heads, &bias);
        for layer in &self.layers {
            note(layer.run(&mut x, &attention));
        }
        (x, bias, pairs)
    }

    /// Goes back through a run on the same graph: `by_x` holds a loss's derivatives by its result, `[N, C]`;
    /// those by the features come back, and those by the weights are added to `gradient`.
    pub fn backward(
        &self,
        tape: &Tape,
        distances: &Distances,
        mut by_x: Vec<f32>,
        gradient: &mut Self,
    ) -> Vec<f32> {
        let attention = BiasedAttention::new(self.heads, self.width / self.heads, &tape.bias);
        let mut by_bias = vec![0.0; tape.bias.len()];
        let layers = self
            .layers
            .iter()
            .zip(&mut gradient.layers)
            .zip(&tape.layers);
        for ((layer, gradient), notes) in layers.rev() {
            add(
                &mut by_bias,
                &layer.back(notes, &attention, &mut by_x, gradient),
            );
        }
        self.bias.back(&tape.pairs, &by_bias, &mut gradient.bias);
        Places::back(&by_x, self.width, distances, &mut gradient.places);
        by_x
    }

    /// Its tensors.
    pub fn list<'a>(&'a mut self, all: &mut Vec<&'a mut Weight>) {
        self.places.list(all);
        self.bias.list(all);
        for layer in &mut self.layers {
            layer.attention_norm.list(all);
            layer.queries.list(all);
            layer.out.list(all);
            layer.feed_norm.list(all);
            layer.feed.iter_mut().for_each(|dense| dense.list(all));
        }
    }
}

/// What going backward needs of a run.
#[derive(Clone, Debug)]
pub(super) struct Tape {
    layers: Vec<Notes>,
    /// `[H, N, N]`.
    bias: Vec<f32>,
    pairs: Pairs,
}

/// The same of one layer; `[N, C]` each where nothing else is said.
#[derive(Clone, Debug)]
struct Notes {
    x: Vec<f32>,
    /// Behind the first norm.
    normal: Vec<f32>,
    /// `[N, 3 C]`.
    queries: Vec<f32>,
    attended: Vec<f32>,
    /// Behind the attention and its addition.
    between: Vec<f32>,
    /// Behind the second norm.
    fed: Vec<f32>,
    /// Before the activation, `[N, 4 C]`.
    wide: Vec<f32>,
    /// Behind it.
    hidden: Vec<f32>,
}

impl Layer {
    fn run(&self, x: &mut [f32], attention: &BiasedAttention<'_>) -> Notes {
        let before = x.to_vec();
        let mut normal = before.clone();
        self.attention_norm.apply(&mut normal);
        let queries = self.queries.apply(&normal);
        let attended = attention.forward(&queries);
        add(x, &self.out.apply(&attended));
        let between = x.to_vec();
        let mut fed = between.clone();
        self.feed_norm.apply(&mut fed);
        let [widen, narrow] = &self.feed;
        let wide = widen.apply(&fed);
        let mut hidden = wide.clone();
        activate(Activation::Gelu, &mut hidden);
        add(x, &narrow.apply(&hidden));
        Notes {
            x: before,
            normal,
            queries,
            attended,
            between,
            fed,
            wide,
            hidden,
        }
    }

    /// Turns the derivatives by the layer's result into those by what it saw, and gives those by the bias.
    fn back(
        &self,
        notes: &Notes,
        attention: &BiasedAttention<'_>,
        by_x: &mut [f32],
        gradient: &mut Self,
    ) -> Vec<f32> {
        let [widen, narrow] = &self.feed;
        let [by_widen, by_narrow] = &mut gradient.feed;
        let mut by_hidden = narrow.back(&notes.hidden, by_x, by_narrow);
        activate_backward(Activation::Gelu, &notes.wide, &mut by_hidden);
        let mut by_fed = widen.back(&notes.fed, &by_hidden, by_widen);
        let norm = &self.feed_norm;
        norm.back(&notes.between, &mut by_fed, &mut gradient.feed_norm);
        add(by_x, &by_fed);
        let by_attended = self.out.back(&notes.attended, by_x, &mut gradient.out);
        let [by_queries, by_bias] = attention.backward(&notes.queries, &by_attended);
        let queries = &mut gradient.queries;
        let mut by_normal = self.queries.back(&notes.normal, &by_queries, queries);
        let norm = &self.attention_norm;
        norm.back(&notes.x, &mut by_normal, &mut gradient.attention_norm);
        add(by_x, &by_normal);
        by_bias
    }
}
