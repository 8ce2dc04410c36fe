//! From node features to node states: a gated GNN or a Graphormer along the graph, or an MLP without it.
//!
//! Letters: `N` nodes, `C` width of a state.

use super::super::GhnError;
use super::super::graph::Distances;
use super::config::{Config, HyperNet};
use super::dense::{Columns, Dense, LayerNorm, relu};
use super::graphormer::Graphormer;
use super::weights::Weights;

/// The part of a GHN between features and decoders.
#[derive(Clone, Debug)]
pub(super) struct Propagation {
    hyper: Hyper,
    norm: Option<LayerNorm>,
}

#[derive(Clone, Debug)]
enum Hyper {
    Mlp([Dense; 2]),
    GatedGnn(Box<GatedGnn>),
    Graphormer(Box<Graphormer>),
}

/// Node states before and after the last normalisation, both `[N, C]`.
#[derive(Clone, Debug, PartialEq)]
pub struct States {
    pub raw: Vec<f32>,
    /// What the decoders read.
    pub normalised: Vec<f32>,
}

impl Propagation {
    pub fn new(config: &Config, weights: &Weights) -> Result<Self, GhnError> {
        let c = config.hid;
        let hyper = match config.hypernet {
            HyperNet::Mlp => Hyper::Mlp([
                weights.dense("gnn.fc.0", c, c)?,
                weights.dense("gnn.fc.2", c, c)?,
            ]),
            HyperNet::GatedGnn => Hyper::GatedGnn(Box::new(GatedGnn::new(config, weights)?)),
            HyperNet::Graphormer { layers, heads } => {
                Hyper::Graphormer(Box::new(Graphormer::new(c, layers, heads, weights)?))
            }
        };
        let norm = config.layernorm.then(|| weights.layer_norm("ln", c));
        Ok(Self {
            hyper,
            norm: norm.transpose()?,
        })
    }

    /// `features` is `[N, C]`.
    pub fn run(&self, features: Vec<f32>, distances: &Distances) -> States {
        let raw = match &self.hyper {
            Hyper::Mlp([first, second]) => {
                let mut x = first.apply(&features);
                relu(&mut x);
                let mut x = second.apply(&x);
                relu(&mut x);
                x
            }
            Hyper::GatedGnn(gnn) => gnn.run(features, distances),
            Hyper::Graphormer(graphormer) => graphormer.run(features, distances),
        };
        let mut normalised = raw.clone();
        if let Some(norm) = &self.norm {
            norm.apply(&mut normalised);
        }
        States { raw, normalised }
    }
}

/// Linear, ReLU, linear, ReLU: what a node tells its neighbours.
#[derive(Clone, Debug)]
struct Message([Columns; 2]);

impl Message {
    fn new(weights: &Weights, name: &str, width: usize, inner: usize) -> Result<Self, GhnError> {
        let first = weights.dense(&format!("{name}.fc.0"), inner, width)?;
        let second = weights.dense(&format!("{name}.fc.2"), width, inner)?;
        Ok(Self([Columns::of(&first), Columns::of(&second)]))
    }

    fn apply(&self, state: &[f32], inner: &mut Vec<f32>, message: &mut [f32]) {
        let Self([first, second]) = self;
        inner.resize(first.outputs(), 0.0);
        first.apply(state, inner);
        relu(inner);
        second.apply(inner, message);
        relu(message);
    }
}

/// The gated GNN of GHN-1 and GHN-2 (Zhang et al. 2019, Knyazev et al. 2021, equations 3 and 4):
/// one sweep along the edges and one against them. Nodes are updated one after another, and later
/// ones see what earlier ones have become.
#[derive(Clone, Debug)]
struct GatedGnn {
    width: usize,
    /// Messages along edges.
    direct: Message,
    /// Messages along virtual edges, divided by their length.
    virtual_edges: Option<Message>,
    gru: Gru,
}

impl GatedGnn {
    fn new(config: &Config, weights: &Weights) -> Result<Self, GhnError> {
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
                input: Columns::of(&weights.gru("gnn.gru", "ih", c)?),
                state: Columns::of(&weights.gru("gnn.gru", "hh", c)?),
            },
        })
    }

    fn run(&self, features: Vec<f32>, distances: &Distances) -> Vec<f32> {
        let n = distances.nodes();
        // Row `v` holds the lengths of the paths that end at `v`.
        let mut ending = vec![0; n * n];
        for from in 0..n {
            for (to, length) in distances.row(from).iter().enumerate() {
                ending[to * n + from] = *length;
            }
        }
        // Nodes after the last one with an incoming edge are not part of the original's graph.
        let reached = |v: &usize| ending[v * n..(v + 1) * n].iter().any(|l| *l > 0);
        let last = (0..n).rev().find(reached).map_or(0, |v| v + 1);
        let mut sweep = Sweep::new(self, features, n);
        for v in 0..last {
            sweep.update(v, &ending[v * n..(v + 1) * n]);
        }
        for v in (0..last).rev() {
            sweep.update(v, distances.row(v));
        }
        sweep.states
    }
}

/// States on the way, and each node's messages, which are computed once per state.
struct Sweep<'a> {
    gnn: &'a GatedGnn,
    states: Vec<f32>,
    direct: Vec<f32>,
    virtual_edges: Vec<f32>,
    /// Whether a node's messages belong to its present state.
    fresh: Vec<bool>,
    inner: Vec<f32>,
    sum: Vec<f32>,
    gates: Gates,
}

impl<'a> Sweep<'a> {
    fn new(gnn: &'a GatedGnn, states: Vec<f32>, nodes: usize) -> Self {
        let len = states.len();
        Self {
            gnn,
            direct: vec![0.0; len],
            virtual_edges: vec![0.0; if gnn.virtual_edges.is_some() { len } else { 0 }],
            states,
            fresh: vec![false; nodes],
            inner: Vec::new(),
            sum: vec![0.0; gnn.width],
            gates: Gates::new(gnn.width),
        }
    }

    /// Updates node `v` from the nodes that lie at `lengths` from it (0: no connection).
    fn update(&mut self, v: usize, lengths: &[u8]) {
        let c = self.gnn.width;
        self.sum.fill(0.0);
        for (u, &length) in lengths.iter().enumerate() {
            let is_heard = length == 1 || length > 1 && self.gnn.virtual_edges.is_some();
            if !is_heard {
                continue;
            }
            self.refresh(u);
            let at = u * c..(u + 1) * c;
            if length == 1 {
                for (sum, m) in self.sum.iter_mut().zip(&self.direct[at.clone()]) {
                    *sum += m;
                }
            }
            if self.gnn.virtual_edges.is_some() {
                let nearness = 1.0 / f32::from(length);
                for (sum, m) in self.sum.iter_mut().zip(&self.virtual_edges[at]) {
                    *sum += m * nearness;
                }
            }
        }
        let state = &mut self.states[v * c..(v + 1) * c];
        self.gnn.gru.update(&self.sum, state, &mut self.gates);
        self.fresh[v] = false;
    }

    fn refresh(&mut self, u: usize) {
        if std::mem::replace(&mut self.fresh[u], true) {
            return;
        }
        let at = u * self.gnn.width..(u + 1) * self.gnn.width;
        let state = &self.states[at.clone()];
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

/// Room for the stacked products, `[3 C]` each.
struct Gates {
    input: Vec<f32>,
    state: Vec<f32>,
}

impl Gates {
    fn new(width: usize) -> Self {
        Self {
            input: vec![0.0; 3 * width],
            state: vec![0.0; 3 * width],
        }
    }
}

impl Gru {
    fn update(&self, input: &[f32], state: &mut [f32], gates: &mut Gates) {
        self.input.apply(input, &mut gates.input);
        self.state.apply(state, &mut gates.state);
        let c = state.len();
        let (x, h) = (&gates.input, &gates.state);
        for (i, s) in state.iter_mut().enumerate() {
            let reset = sigmoid(x[i] + h[i]);
            let update = sigmoid(x[c + i] + h[c + i]);
            let new = (x[2 * c + i] + reset * h[2 * c + i]).tanh();
            *s = (1.0 - update) * new + update * *s;
        }
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
