//! Writing predicted tensors: states are gathered and decoded, blocks tiled and scaled, vectors repeated.

mod back;

use std::collections::{BTreeMap, TryReserveError};
use std::ops::Range;

use rand_distr::{Distribution, Normal};
use rayon::prelude::*;

use super::super::Parameter;
use super::super::graph::Graph;
use super::decode::{Blocks, Tape, VectorBatch, Vectors};
use super::plan::{BlockShape, Form, VectorForm};
use super::scale::Scaling;
use super::sheet::Sheet;
use super::tile::{self, repeated};
use super::{ClassLayers, Config, Model, PredictOptions};
use crate::memory::Road;
use crate::nn::{Tensor, transpose};
use crate::random;

/// Deviation of the class token's position encoding, which no GHN predicts.
const CLASS_TOKEN_STD: f32 = 0.02;

/// A tensor to write: whose node's state, into which parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub node: usize,
    pub parameter: usize,
}

/// Weights whose blocks are decoded in one go, or one that classifies.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub shape: BlockShape,
    pub classifies: bool,
    pub targets: Vec<Target>,
}

/// What is written of a network.
#[derive(Clone, Debug)]
pub(super) struct Writer<'a> {
    pub config: Config,
    pub parameters: &'a [Parameter],
    seed: u64,
    pub scaling: Scaling,
    pub weights: Vec<Group>,
    pub vectors: Vec<(Target, VectorForm)>,
}

/// What the way back from everything that was written needs.
#[derive(Clone, Debug)]
pub(super) struct WriterTape {
    /// A tape for each group.
    weights: Vec<Tape>,
    vectors: Option<VectorBatch>,
}

/// What a task needs, for some outputs: the blocks' values, the same node by node, and the lines that they become.
#[derive(Default)]
struct Room {
    values: Vec<f32>,
    /// `[nodes, outputs, I, P]`.
    turned: Vec<f32>,
    lines: Vec<f32>,
}

type Written = Vec<(usize, Tensor)>;

impl<'a> Writer<'a> {
    pub fn new(
        config: &Config,
        graph: &Graph,
        parameters: &'a [Parameter],
        options: &PredictOptions<'_>,
    ) -> Self {
        let class_layers = options.class_layers == ClassLayers::Always;
        let mut plan = config.plan(graph, parameters, class_layers);
        plan.retain(|made| options.wants_any(made, parameters));
        let mut blocks: BTreeMap<BlockShape, Vec<Target>> = BTreeMap::new();
        let (mut classes, mut vectors) = (Vec::new(), Vec::new());
        for made in plan {
            let target = Target {
                node: made.node,
                parameter: made.parameter,
            };
            match made.form {
                Form::Weight(shape) => blocks.entry(shape).or_default().push(target),
                Form::ClassWeight(shape) => classes.push(Group {
                    shape,
                    classifies: true,
                    targets: vec![target],
                }),
                Form::Vector(form) => vectors.push((target, form)),
            }
        }
        let blocks = blocks.into_iter().map(|(shape, targets)| Group {
            shape,
            classifies: false,
            targets,
        });
        Self {
            config: *config,
            parameters,
            seed: options.seed,
            scaling: if config.weight_norm {
                Scaling::FanIn
            } else {
                Scaling::None
            },
            weights: blocks.chain(classes).collect(),
            vectors,
        }
    }

    /// The nodes whose states are decoded: of the weights, group by group, then of the vectors.
    pub fn nodes(&self) -> Vec<u32> {
        let weights = self.weights.iter().flat_map(|group| &group.targets);
        let vectors = self.vectors.iter().map(|(target, _)| target);
        weights.chain(vectors).map(|t| t.node as u32).collect()
    }

    /// The parameters that are written.
    pub fn written(&self) -> impl Iterator<Item = usize> {
        let weights = self.weights.iter().flat_map(|group| &group.targets);
        let weights = weights.map(|target| target.parameter);
        let vectors = self.vectors.iter();
        weights
            .chain(vectors.flat_map(|(t, form)| std::iter::once(t.parameter).chain(form.offset())))
    }

    /// The predicted tensor of each parameter, if there is one, from states `[N, C]`.
    pub fn run(
        &self,
        model: &Model,
        states: &[f32],
    ) -> Result<(Vec<Option<Tensor>>, WriterTape), TryReserveError> {
        let mut tensors: Vec<Option<Tensor>> = Vec::new();
        tensors.resize_with(self.parameters.len(), || None);
        let (mut written, weights) = self.write_weights(model, states)?;
        let vectors = self.write_vectors(model, states, &mut written);
        for (parameter, tensor) in written {
            tensors[parameter] = Some(tensor);
        }
        Ok((tensors, WriterTape { weights, vectors }))
    }

    /// States of some nodes, one after another.
    fn gather(&self, states: &[f32], nodes: impl Iterator<Item = usize>) -> Vec<f32> {
        let c = self.config.hid;
        nodes
            .flat_map(|n| &states[n * c..(n + 1) * c])
            .copied()
            .collect()
    }

    /// Decodes what is needed, layers of one block shape together, and then writes every weight once.
    fn write_weights(
        &self,
        model: &Model,
        states: &[f32],
    ) -> Result<(Written, Vec<Tape>), TryReserveError> {
        let decoder = &model.weights;
        let decoded = self.weights.par_iter().map(|group| {
            let states = self.gather(states, group.targets.iter().map(|t| t.node));
            decoder.decode(&states, group.shape, group.classifies)
        });
        let (blocks, tapes): (Vec<Blocks<'_>>, Vec<Tape>) = decoded.unzip();
        let sheets = self.weights.iter().map(|group| self.sheets(group));
        let sheets: Vec<Vec<Sheet>> = sheets.collect::<Result<_, _>>()?;
        let mut tasks = Vec::new();
        for (index, (group, blocks)) in self.weights.iter().zip(&blocks).enumerate() {
            let (outputs, step) = (group.shape.outputs, blocks.at_a_time());
            let first = (0..outputs).step_by(step);
            tasks.extend(first.map(|first| (first..outputs.min(first + step), index)));
        }
        // The same outputs of different groups share rows of the decoder's weights, which are large.
        tasks.sort_by_key(|(outputs, _)| outputs.start);
        let road = Road::of(self.bytes());
        let tasks = tasks.into_par_iter().with_max_len(1);
        tasks.for_each_init(Room::default, |room, (outputs, i)| {
            self.write_outputs(
                &self.weights[i],
                &blocks[i],
                outputs,
                &sheets[i],
                road,
                room,
            );
        });
        let targets = self.weights.iter().flat_map(|group| &group.targets);
        let written = targets.zip(sheets.into_iter().flatten());
        let written = written.map(|(target, sheet)| {
            let shape = self.parameters[target.parameter].shape.clone();
            // SAFETY: the tasks wrote every output of every group.
            let values = unsafe { sheet.finish() };
            (target.parameter, Tensor::new(shape, values))
        });
        Ok((written.collect(), tapes))
    }

    /// Room for a group's weights.
    fn sheets(&self, group: &Group) -> Result<Vec<Sheet>, TryReserveError> {
        let targets = group.targets.iter();
        let sheets = targets.map(|target| {
            let owner = &self.parameters[target.parameter];
            let lines = owner.shape.first().copied().unwrap_or(1);
            let length = owner.size() / lines;
            Sheet::new(lines, length, group.shape.outputs)
        });
        sheets.collect()
    }

    /// Bytes of all weights.
    fn bytes(&self) -> usize {
        let targets = self.weights.iter().flat_map(|group| &group.targets);
        let sizes = targets.map(|target| self.parameters[target.parameter].size());
        sizes.sum::<usize>() * size_of::<f32>()
    }

    /// Writes some outputs of a group's weights.
    fn write_outputs(
        &self,
        group: &Group,
        blocks: &Blocks<'_>,
        outputs: Range<usize>,
        sheets: &[Sheet],
        road: Road,
        Room {
            values,
            turned,
            lines,
        }: &mut Room,
    ) {
        let values = blocks.of(outputs.clone(), values);
        let nodes = group.targets.len();
        let per_node = values.len() / nodes;
        turned.resize(values.len(), 0.0);
        transpose::into_rows(values, nodes, [nodes, per_node], turned, per_node);
        let each = group.targets.iter().zip(sheets);
        for ((target, sheet), values) in each.zip(turned.chunks_exact(per_node)) {
            let owner = &self.parameters[target.parameter];
            let scale = self.scaling.weight(&owner.shape);
            lines.clear();
            if let [1, _, width] = *owner.shape {
                let [height, across] = group.shape.kernel;
                self.random_tokens(owner, lines);
                tile::tokens(values, height * across, scale, width, lines);
            } else {
                let wanted = sheet.distinct().saturating_sub(outputs.start);
                let each = values.chunks_exact(per_node / outputs.len());
                for output in each.take(wanted) {
                    tile::line(output, scale, sheet.length(), lines);
                }
            }
            // SAFETY: every output of a group is written by one task only.
            unsafe { sheet.write(outputs.start, lines, road) };
        }
        road.arrive();
    }

    /// Appends the tokens that no GHN predicts: random ones.
    pub fn random_tokens(&self, owner: &Parameter, values: &mut Vec<f32>) {
        let width = owner.shape.last().copied().unwrap_or(0);
        let outside = tokens_outside(&owner.shape) * width;
        if outside == 0 {
            return;
        }
        let mut rng = random::stream(self.seed, &format!("ghn/{}", owner.name));
        // The deviation is positive and finite, so there is a distribution.
        let normal = Normal::new(0.0, CLASS_TOKEN_STD).ok();
        let random = (0..outside).map(|_| normal.map_or(0.0, |n| n.sample(&mut rng)));
        values.extend(random);
    }

    fn write_vectors(
        &self,
        model: &Model,
        states: &[f32],
        written: &mut Written,
    ) -> Option<VectorBatch> {
        let states = self.gather(states, self.vectors.iter().map(|(target, _)| target.node));
        if states.is_empty() {
            return None;
        }
        let batch = model.vectors.vectors(states);
        for (index, (target, form)) in self.vectors.iter().enumerate() {
            self.write_vector(model, target.parameter, *form, batch.of(index), written);
        }
        Some(batch)
    }

    fn write_vector(
        &self,
        model: &Model,
        own: usize,
        form: VectorForm,
        vectors: Vectors<'_>,
        written: &mut Written,
    ) {
        let mut write = |parameter: usize, values: &[f32]| {
            let shape = &self.parameters[parameter].shape;
            let values = repeated(values, shape.iter().product());
            written.push((parameter, Tensor::new(shape.clone(), values)));
        };
        match form {
            VectorForm::Norm { offset } => {
                write(own, &self.scaling.norm_weight(vectors.weight));
                if let Some(offset) = offset {
                    write(offset, &self.scaling.bias(vectors.bias));
                }
            }
            VectorForm::ClassBias => {
                let classes = model.vectors.class_bias(vectors);
                write(own, &self.scaling.bias(&classes));
            }
            VectorForm::Bias => write(own, &self.scaling.bias(vectors.bias)),
        }
    }
}

/// Position encodings `[1, tokens, width]` are predicted for a square of tokens; so many come before it (the
/// class token).
pub(super) fn tokens_outside(shape: &[usize]) -> usize {
    match *shape {
        [1, tokens, _] => tokens - tokens.isqrt().pow(2),
        _ => 0,
    }
}
