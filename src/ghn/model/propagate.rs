//! From node features to node states: a gated GNN or a Graphormer along the graph, or an MLP without it.
//!
//! Letters: `N` nodes, `C` width of a state.

use super::super::GhnError;
use super::super::graph::Distances;
use super::config::{Config, HyperNet};
use super::dense::{Dense, LayerNorm, relu, through_relu};
use super::gated::{self, GatedGnn};
use super::graphormer::{self, Graphormer};
use super::weight::Weight;
use super::weights::Weights;

/// The part of a GHN between features and decoders.
#[derive(Clone, Debug)]
pub(super) struct Propagation {
    hyper: Hyper,
    norm: Option<LayerNorm>,
}

#[derive(Clone, Debug)]
enum Hyper {
    Mlp(Box<[Dense; 2]>),
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
            HyperNet::Mlp => Hyper::Mlp(Box::new([
                weights.dense("gnn.fc.0", c, c)?,
                weights.dense("gnn.fc.2", c, c)?,
            ])),
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
            Hyper::Mlp(layers) => mlp(layers, &features).1,
            Hyper::GatedGnn(gnn) => gnn.run(features, distances),
            Hyper::Graphormer(graphormer) => graphormer.run(features, distances),
        };
        self.normalise(raw)
    }

    fn normalise(&self, raw: Vec<f32>) -> States {
        let mut normalised = raw.clone();
        if let Some(norm) = &self.norm {
            norm.apply(&mut normalised);
        }
        States { raw, normalised }
    }

    /// As [`Propagation::run`], with the notes that going backward needs.
    pub fn run_noting(&self, features: Vec<f32>, distances: &Distances) -> (States, Tape) {
        let (raw, tape) = match &self.hyper {
            Hyper::Mlp(layers) => {
                let (hidden, raw) = mlp(layers, &features);
                (raw, Tape::Mlp([features, hidden]))
            }
            Hyper::GatedGnn(gnn) => {
                let (raw, tape) = gnn.run_noting(features, distances);
                (raw, Tape::GatedGnn(tape))
            }
            Hyper::Graphormer(graphormer) => {
                let (raw, tape) = graphormer.run_noting(features, distances);
                (raw, Tape::Graphormer(tape))
            }
        };
        (self.normalise(raw), tape)
    }

    /// From the derivatives by the normalised states to those by the features, both `[N, C]`; those by the
    /// weights are added to `gradient`.
    pub fn back(
        &self,
        states: &States,
        tape: &Tape,
        distances: &Distances,
        mut by: Vec<f32>,
        gradient: &mut Self,
    ) -> Vec<f32> {
        if let (Some(norm), Some(gradient)) = (&self.norm, &mut gradient.norm) {
            norm.back(&states.raw, &mut by, gradient);
        }
        match (&self.hyper, tape, &mut gradient.hyper) {
            (Hyper::Mlp(layers), Tape::Mlp([features, hidden]), Hyper::Mlp(gradient)) => {
                let ([first, second], [by_first, by_second]) = (&**layers, &mut **gradient);
                through_relu(&mut by, &states.raw);
                let mut by = second.back(hidden, &by, by_second);
                through_relu(&mut by, hidden);
                first.back(features, &by, by_first)
            }
            (Hyper::GatedGnn(gnn), Tape::GatedGnn(tape), Hyper::GatedGnn(gradient)) => {
                gnn.backward(tape, distances, by, gradient)
            }
            (
                Hyper::Graphormer(graphormer),
                Tape::Graphormer(tape),
                Hyper::Graphormer(gradient),
            ) => graphormer.backward(tape, distances, by, gradient),
            _ => unreachable!("tape and gradient are of the same GHN"),
        }
    }

    /// Its Graphormer, if it has one.
    pub const fn graphormer(&self) -> Option<&Graphormer> {
        match &self.hyper {
            Hyper::Graphormer(graphormer) => Some(graphormer),
            Hyper::Mlp(_) | Hyper::GatedGnn(_) => None,
        }
    }

    /// The last normalisation, if there is one.
    pub const fn norm(&self) -> Option<&LayerNorm> {
        self.norm.as_ref()
    }

    /// Its tensors.
    pub fn list<'a>(&'a mut self, all: &mut Vec<&'a mut Weight>) {
        match &mut self.hyper {
            Hyper::Mlp(layers) => layers.iter_mut().for_each(|layer| layer.list(all)),
            Hyper::GatedGnn(gnn) => gnn.list(all),
            Hyper::Graphormer(graphormer) => graphormer.list(all),
        }
        if let Some(norm) = &mut self.norm {
            norm.list(all);
        }
    }
}

/// What both layers of the baseline give, each rectified.
fn mlp([first, second]: &[Dense; 2], features: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let mut hidden = first.apply(features);
    relu(&mut hidden);
    let mut raw = second.apply(&hidden);
    relu(&mut raw);
    (hidden, raw)
}

/// What the way back needs of a run.
#[derive(Clone, Debug)]
pub(super) enum Tape {
    /// What each layer saw.
    Mlp([Vec<f32>; 2]),
    GatedGnn(gated::Tape),
    Graphormer(graphormer::Tape),
}
