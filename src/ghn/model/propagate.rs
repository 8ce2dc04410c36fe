//! From node features to node states: a gated GNN or a Graphormer along the graph, or an MLP without it.
//!
//! Letters: `N` nodes, `C` width of a state.

use super::super::GhnError;
use super::super::graph::Distances;
use super::config::{Config, HyperNet};
use super::dense::{Dense, LayerNorm, relu};
use super::gated::GatedGnn;
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
