//! A Graphormer on a device.
//!
//! Letters: `N` nodes, `C` width of a state, `H` heads.

use super::super::super::graph::Distances;
use super::super::graphormer;
use super::super::graphormer::{EdgeBias, Pairs, Places};
use super::dense::{Dense, LayerNorm};
use crate::arch::Activation;
use crate::nn::DeviceError;
use crate::nn::arrays::{Array, Arrays};

#[derive(Debug)]
pub(super) struct Graphormer {
    width: usize,
    heads: usize,
    /// On the processor: three rows of tables a node.
    places: Places,
    /// By distance, `[rows, C]`.
    distances: Array,
    /// From the embeddings of a pair of distances to one number a head.
    bias: [Dense; 2],
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    attention_norm: LayerNorm,
    queries: Dense,
    out: Dense,
    feed_norm: LayerNorm,
    feed: [Dense; 2],
}

/// What the layers see of a graph.
pub(super) struct Input {
    /// Features with the embeddings of their places, `[N, C]`.
    x: Array,
    /// Rows of the table of distances for each different pair of them, `[different, 2]`.
    pairs: Array,
    /// Which of those pairs is that of two nodes, `[N, N]`.
    numbers: Array,
}

impl Graphormer {
    pub fn keep(from: &graphormer::Graphormer, arrays: &mut Arrays) -> Result<Self, DeviceError> {
        let layers = from.layers.iter().map(|layer| Layer::keep(layer, arrays));
        let layers = layers.collect::<Result<_, _>>()?;
        let [first, second] = &from.bias.layers;
        Ok(Self {
            width: from.width,
            heads: from.heads,
            places: from.places.clone(),
            distances: arrays.keep(&from.bias.distances)?,
            bias: [Dense::keep(first, arrays)?, Dense::keep(second, arrays)?],
            layers,
        })
    }

    /// Sends up what the layers see of a graph; `features` is `[N, C]`.
    pub fn upload(
        &self,
        mut features: Vec<f32>,
        distances: &Distances,
        arrays: &mut Arrays,
    ) -> Result<Input, DeviceError> {
        self.places.add(&mut features, self.width, distances);
        let pairs = Pairs::of(distances);
        let both = pairs.different.iter().flatten();
        let rows: Vec<u32> = both.map(|d| EdgeBias::row(*d) as u32).collect();
        Ok(Input {
            x: arrays.upload(&features)?,
            pairs: arrays.upload_indices(&rows)?,
            numbers: arrays.upload_indices(&pairs.numbers)?,
        })
    }

    /// All layers, to `[N, C]`.
    pub fn run(&self, input: Input, arrays: &mut Arrays) -> Result<Array, DeviceError> {
        let bias = self.bias_of(&input, arrays)?;
        let x = input.x;
        for layer in &self.layers {
            layer.run(&x, &bias, self.heads, arrays)?;
        }
        Ok(x)
    }

    /// What all layers add to their scores, `[H, N, N]`.
    fn bias_of(&self, input: &Input, arrays: &mut Arrays) -> Result<Array, DeviceError> {
        let table = self.distances.view();
        let embedded = arrays.rows(table, self.width, input.pairs.view())?;
        let [first, second] = &self.bias;
        let hidden = first.activated(embedded.view(), Activation::Relu, arrays)?;
        let of_pairs = second.apply(hidden.view(), arrays)?;
        arrays.pair_bias(of_pairs.view(), input.numbers.view(), self.heads)
    }
}

impl Layer {
    fn keep(from: &graphormer::Layer, arrays: &mut Arrays) -> Result<Self, DeviceError> {
        let [widen, narrow] = &from.feed;
        Ok(Self {
            attention_norm: LayerNorm::keep(&from.attention_norm, arrays)?,
            queries: Dense::keep(&from.queries, arrays)?,
            out: Dense::keep(&from.out, arrays)?,
            feed_norm: LayerNorm::keep(&from.feed_norm, arrays)?,
            feed: [Dense::keep(widen, arrays)?, Dense::keep(narrow, arrays)?],
        })
    }

    fn run(
        &self,
        x: &Array,
        bias: &Array,
        heads: usize,
        arrays: &mut Arrays,
    ) -> Result<(), DeviceError> {
        let normal = self.attention_norm.apply(x.view(), arrays)?;
        let queries = self.queries.apply(normal.view(), arrays)?;
        let attended = arrays.attention(queries.view(), bias.view(), heads)?;
        let out = self.out.apply(attended.view(), arrays)?;
        arrays.add(x.view(), out.view())?;
        let fed = self.feed_norm.apply(x.view(), arrays)?;
        let [widen, narrow] = &self.feed;
        let hidden = widen.activated(fed.view(), Activation::Gelu, arrays)?;
        let narrowed = narrow.apply(hidden.view(), arrays)?;
        arrays.add(x.view(), narrowed.view())
    }
}
