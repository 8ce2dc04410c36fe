//! The networks of a step: drawn from DeepNets-1M, each with the widths of this visit.

use rand::Rng as _;
use rayon::prelude::*;

use super::{GhnRecipe, Stage};
use crate::arch::Arch;
use crate::arch::deepnets::{self, Plan, Sizes, Split, Visit, VisitRule};
use crate::arch::zoo::Options;
use crate::ghn::{Graph, Parameter};
use crate::random;

/// Networks of the training split that there are to draw from, as many as the published population has.
const POPULATION: u64 = 1_000_000;
/// Draws of a meta-batch that is to be small enough, of a network that is to be; then the last one is taken.
const ATTEMPTS: u32 = 50;

/// A network to learn from.
#[derive(Clone, Debug)]
pub struct Net {
    /// With the widths of this visit.
    pub plan: Plan,
    pub arch: Arch,
    pub graph: Graph,
    pub parameters: Vec<Parameter>,
}

/// Draws networks; what a step sees depends on seed and step alone.
#[derive(Clone, Copy, Debug)]
pub struct Sampler {
    pub seed: u64,
    pub rule: VisitRule,
    pub classes: usize,
    /// Meta-batches with more nodes are drawn again.
    pub most_nodes: usize,
}

/// The networks that a training of `all` steps by a recipe learns from in one of them.
#[must_use]
pub fn networks(recipe: &GhnRecipe, seed: u64, step: u64, all: u64) -> Vec<Net> {
    let stage = recipe.stage(step, all);
    Sampler::of(recipe, seed).meta_batch(step, recipe.meta_batch, &stage)
}

impl Sampler {
    pub const fn of(recipe: &GhnRecipe, seed: u64) -> Self {
        Self {
            seed,
            rule: recipe.visits,
            classes: recipe.ghn.num_classes,
            most_nodes: recipe.most_nodes,
        }
    }

    /// The networks of a step.
    pub fn meta_batch(&self, step: u64, count: usize, stage: &Stage) -> Vec<Net> {
        let mut nets = Vec::new();
        for attempt in 0..ATTEMPTS {
            nets = (0..count)
                .into_par_iter()
                .map(|i| self.net(&format!("ghn/networks/{step}/{attempt}/{i}"), stage))
                .collect();
            let nodes: usize = nets.iter().map(|net| net.graph.len()).sum();
            if nodes <= self.most_nodes {
                break;
            }
        }
        nets
    }

    fn net(&self, purpose: &str, stage: &Stage) -> Net {
        let mut stream = random::stream(self.seed, purpose);
        let options = Options::for_images(self.classes, stage.image);
        let mut attempt = 0;
        loop {
            attempt += 1;
            let name = deepnets::name_of(Split::Train, stream.random_range(0..POPULATION));
            // Every number is a network of this split, and none is disconnected.
            let Ok(plan) = deepnets::plan(&name, &options) else {
                continue;
            };
            let Some(sizes) = Sizes::of(&plan) else {
                continue;
            };
            let is_small = stage.most_parameters == 0 || sizes.cifar <= stage.most_parameters;
            if !is_small && attempt < ATTEMPTS {
                continue;
            }
            let visit = Visit::draw(&plan, sizes, self.rule, options.stem, &mut stream);
            let plan = plan.on(visit);
            if let Ok(arch) = plan.build(&name, &options) {
                let (graph, parameters) = Graph::with_parameters(&arch);
                return Net {
                    plan,
                    arch,
                    graph,
                    parameters,
                };
            }
        }
    }
}
