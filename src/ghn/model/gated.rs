//! The gated GNN of GHN-1 and GHN-2 (Zhang et al. 2019, Knyazev et al. 2021, equations 3 and 4): one sweep
//! along the edges and one against them. Nodes are updated one after another, and later ones see what
//! earlier ones have become.
//!
//! Letters: `N` nodes, `C` width of a state, `M` width inside a message's network.

use super::super::GhnError;
use super::super::graph::Distances;
use super::config::Config;
use super::dense::{Columns, relu};
use super::weight::Weight;
use super::weights::Weights;
use crate::arch::Activation;
use crate::nn::{activate, add_weighted_rows};
pub(super) use tape::Tape;
use tape::{Nothing, Recorder};

mod backward;
mod tape;

/// A gated GNN's weights; or the gradients of a loss for each of them.
#[derive(Clone, Debug)]
pub(super) struct GatedGnn {
    width: usize,
    /// Messages along edges.
    direct: Message,
    /// Messages along virtual edges, divided by their length.
    virtual_edges: Option<Message>,
    gru: Gru,
}

impl GatedGnn {
    pub fn new(config: &Config, weights: &Weights) -> Result<Self, GhnError> {
        let c = config.hid;
        let inner = if config.ve { c / 2 } else { c };
        let virtual_edges = config
            .ve
            .then(|| Message::new(weights, "gnn.mlp_ve", c, inner));
        Ok(Self {
            width: c,
            direct: Message::new(weights, "gnn.mlp", c, inner)?,
            virtual_edges: virtual_edges.transpose()?,
            gru: Gru {
                input: Columns::of(weights.gru("gnn.gru", "ih", c)?),
                state: Columns::of(weights.gru("gnn.gru", "hh", c)?),
            },
        })
    }

    /// Its tensors.
    pub fn list<'a>(&'a mut self, all: &mut Vec<&'a mut Weight>) {
        let messages = [Some(&mut self.direct), self.virtual_edges.as_mut()];
        let layers = messages.into_iter().flatten().flat_map(|m| &mut m.0);
        for layer in layers.chain([&mut self.gru.input, &mut self.gru.state]) {
            layer.list(all);
        }
    }

    /// Node states from node features, both `[N, C]`.
    pub fn run(&self, features: Vec<f32>, distances: &Distances) -> Vec<f32> {
        self.sweep(features, distances, Nothing).0
    }

    /// As [`GatedGnn::run`], with the notes that going backward needs.
    pub fn run_noting(&self, features: Vec<f32>, distances: &Distances) -> (Vec<f32>, Tape) {
        self.sweep(features, distances, Tape::default())
    }

    fn sweep<R: Recorder>(
        &self,
        features: Vec<f32>,
        distances: &Distances,
        recorder: R,
    ) -> (Vec<f32>, R) {
        let order = Order::of(distances);
        let mut sweep = Sweep::new(self, features, distances.nodes(), recorder);
        for (v, lengths) in order.updates(distances) {
            sweep.update(v, lengths);
        }
        (sweep.states, sweep.recorder)
    }
}

/// Which nodes are updated, and whom they hear.
struct Order {
    nodes: usize,
    /// `[to, from]`: row `v` holds the lengths of the paths that end at `v`.
    ending: Vec<u8>,
    /// Nodes that are updated: those up to the last one with an incoming edge. The others are not part
    /// of the original's graph.
    updated: usize,
}

impl Order {
    fn of(distances: &Distances) -> Self {
        let nodes = distances.nodes();
        let mut ending = vec![0; nodes * nodes];
        for from in 0..nodes {
            for (to, length) in distances.row(from).iter().enumerate() {
                ending[to * nodes + from] = *length;
            }
        }
        let reached = |v: &usize| ending[v * nodes..(v + 1) * nodes].iter().any(|l| *l > 0);
        let updated = (0..nodes).rev().find(reached).map_or(0, |v| v + 1);
        Self {
            nodes,
            ending,
            updated,
        }
    }

    /// Each update's node, and how far the others lie from it (0: no connection).
    fn updates<'a>(
        &'a self,
        distances: &'a Distances,
    ) -> impl DoubleEndedIterator<Item = (usize, &'a [u8])> {
        let along = (0..self.updated).map(|v| (v, &self.ending[v * self.nodes..][..self.nodes]));
        let against = (0..self.updated).rev().map(|v| (v, distances.row(v)));
        along.chain(against)
    }
}

/// Linear, ReLU, linear, ReLU: what a node tells its neighbours.
#[derive(Clone, Debug)]
struct Message([Columns; 2]);

impl Message {
    fn new(weights: &Weights, name: &str, width: usize, inner: usize) -> Result<Self, GhnError> {
        let first = weights.dense(&format!("{name}.fc.0"), inner, width)?;
        let second = weights.dense(&format!("{name}.fc.2"), width, inner)?;
        Ok(Self([Columns::of(first), Columns::of(second)]))
    }

    /// Width of the layer inside.
    const fn inner(&self) -> usize {
        self.0[0].outputs()
    }

    /// `inner` is `[M]`, `message` `[C]`.
    fn apply(&self, state: &[f32], inner: &mut [f32], message: &mut [f32]) {
        let Self([first, second]) = self;
        first.apply(state, inner);
        relu(inner);
        second.apply(inner, message);
        relu(message);
    }
}

/// States on the way, and each node's messages, which are computed once per state.
struct Sweep<'a, R> {
    gnn: &'a GatedGnn,
    states: Vec<f32>,
    direct: Vec<f32>,
    virtual_edges: Vec<f32>,
    /// Whether a node's messages belong to its present state.
    fresh: Vec<bool>,
    inner: Vec<f32>,
    /// How much of the messages along virtual edges is heard of each node.
    nearness: Vec<f32>,
    sum: Vec<f32>,
    gates: Gates,
    recorder: R,
}

impl<'a, R: Recorder> Sweep<'a, R> {
    fn new(gnn: &'a GatedGnn, states: Vec<f32>, nodes: usize, recorder: R) -> Self {
        let len = states.len();
        Self {
            gnn,
            direct: vec![0.0; len],
            virtual_edges: vec![0.0; if gnn.virtual_edges.is_some() { len } else { 0 }],
            states,
            fresh: vec![false; nodes],
            inner: vec![0.0; gnn.direct.inner()],
            nearness: vec![0.0; nodes],
            sum: vec![0.0; gnn.width],
            gates: Gates::new(gnn.width),
            recorder,
        }
    }

    /// Updates node `v` from the nodes that lie at `lengths` from it (0: no connection).
    fn update(&mut self, v: usize, lengths: &[u8]) {
        let c = self.gnn.width;
        self.sum.fill(0.0);
        for (u, &length) in lengths.iter().enumerate() {
            let is_heard = length == 1 || length > 1 && self.gnn.virtual_edges.is_some();
            self.nearness[u] = if is_heard {
                1.0 / f32::from(length)
            } else {
                0.0
            };
            if !is_heard {
                continue;
            }
            self.refresh(u);
            if length == 1 {
                for (sum, m) in self.sum.iter_mut().zip(&self.direct[u * c..]) {
                    *sum += m;
                }
            }
        }
        if self.gnn.virtual_edges.is_some() {
            add_weighted_rows(&self.nearness, &self.virtual_edges, &mut self.sum);
        }
        let state = &mut self.states[v * c..(v + 1) * c];
        self.recorder.update(&self.sum, state);
        self.gnn.gru.update(&self.sum, state, &mut self.gates);
        self.fresh[v] = false;
    }

    fn refresh(&mut self, u: usize) {
        if std::mem::replace(&mut self.fresh[u], true) {
            return;
        }
        let at = u * self.gnn.width..(u + 1) * self.gnn.width;
        let state = &self.states[at.clone()];
        self.recorder.refresh(u, state);
        let direct = &mut self.direct[at.clone()];
        self.gnn.direct.apply(state, &mut self.inner, direct);
        if let Some(message) = &self.gnn.virtual_edges {
            message.apply(state, &mut self.inner, &mut self.virtual_edges[at]);
        }
    }
}

/// `nn.GRUCell`, whose stacked rows are reset, update and new.
#[derive(Clone, Debug)]
struct Gru {
    input: Columns,
    state: Columns,
}

/// Stacked products `[3 C]`, or the derivatives by them.
struct Products {
    input: Vec<f32>,
    state: Vec<f32>,
}

/// Gates that are open for an input and a state.
struct Gates {
    products: Products,
    /// `[3 C]`: how much of each of the state's values is read, how much of it stays, and what is new.
    open: Vec<f32>,
}

impl Products {
    fn new(width: usize) -> Self {
        Self {
            input: vec![0.0; 3 * width],
            state: vec![0.0; 3 * width],
        }
    }
}

impl Gates {
    fn new(width: usize) -> Self {
        Self {
            products: Products::new(width),
            open: vec![0.0; 3 * width],
        }
    }

    /// Of value `i` of `c`: how much of it is read, how much of it stays, and what is new.
    fn at(&self, i: usize, c: usize) -> [f32; 3] {
        [self.open[i], self.open[c + i], self.open[2 * c + i]]
    }
}

impl Gru {
    /// Opens the gates for an input and a state, both `[C]`.
    fn open(&self, input: &[f32], state: &[f32], gates: &mut Gates) {
        let Gates { products, open } = gates;
        let Products { input: x, state: h } = products;
        self.input.apply(input, x);
        self.state.apply(state, h);
        let (gates, new) = open.split_at_mut(2 * state.len());
        for ((gate, x), h) in gates.iter_mut().zip(&*x).zip(&*h) {
            *gate = x + h;
        }
        activate(Activation::Sigmoid, gates);
        let ([x, h], reset) = ([x, h].map(|v| &v[gates.len()..]), gates.iter());
        for (((new, x), h), reset) in new.iter_mut().zip(x).zip(h).zip(reset) {
            *new = x + reset * h;
        }
        activate(Activation::Tanh, new);
    }

    fn update(&self, input: &[f32], state: &mut [f32], gates: &mut Gates) {
        self.open(input, state, gates);
        let c = state.len();
        for (i, s) in state.iter_mut().enumerate() {
            let [_, update, new] = gates.at(i, c);
            *s = (1.0 - update) * new + update * *s;
        }
    }
}
