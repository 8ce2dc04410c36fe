//! Writing predicted tensors: states are gathered and decoded, blocks tiled and scaled, vectors repeated; and
//! the way back.

use std::collections::{BTreeMap, TryReserveError};

use rand_distr::{Distribution, Normal};
use rayon::prelude::*;

use super::super::Parameter;
use super::super::graph::Graph;
use super::decode::{Tape, VectorBatch, Vectors};
use super::dense::add;
use super::plan::{BlockShape, Form, VectorForm};
use super::scale::Scaling;
use super::tile::{Block, ByBlock, repeated};
use super::{ClassLayers, Config, Model, PredictOptions};
use crate::nn::{StateDict, Tensor};
use crate::{memory, random};

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
        let decoded = self.weights.iter().map(|group| {
            let states = self.gather(states, group.targets.iter().map(|t| t.node));
            if group.classifies {
                decoder.class_block(&states, group.shape)
            } else {
                decoder.blocks(&states, group.shape)
            }
        });
        let (decoded, tapes): (Vec<Vec<f32>>, Vec<Tape>) = decoded.unzip();
        let mut jobs = Vec::new();
        for (group, values) in self.weights.iter().zip(&decoded) {
            for (node, target) in group.targets.iter().enumerate() {
                let block = Block {
                    outputs: group.shape.outputs,
                    inputs: group.shape.inputs,
                    nodes: group.targets.len(),
                    node,
                    values,
                };
                let parameter = &self.parameters[target.parameter];
                let room = memory::with_capacity(parameter.size())?;
                jobs.push((target.parameter, block, room));
            }
        }
        let written = jobs.into_par_iter().map(|(parameter, block, room)| {
            let weight = self.write_weight(parameter, block, room);
            (parameter, weight)
        });
        Ok((written.collect(), tapes))
    }

    /// `values` is empty, with room for the whole weight.
    fn write_weight(&self, parameter: usize, block: Block<'_>, mut values: Vec<f32>) -> Tensor {
        let owner = &self.parameters[parameter];
        let scale = self.scaling.weight(&owner.shape);
        match *owner.shape {
            [1, _, width] => {
                self.random_tokens(owner, &mut values);
                block.tokens(width, scale, &mut values);
            }
            [out, input, ..] => block.tile([out, input], scale, &mut values),
            _ => {}
        }
        Tensor::new(owner.shape.clone(), values)
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
        let fill = |parameter: usize, values: &[f32]| {
            let shape = &self.parameters[parameter].shape;
            (shape.clone(), repeated(values, shape.iter().product()))
        };
        let (parameter, (shape, mut values)) = match form {
            VectorForm::Norm { offset } => {
                let (shape, mut values) = fill(own, vectors.weight);
                self.scaling.norm_weight(&mut values);
                written.push((own, Tensor::new(shape, values)));
                let Some(offset) = offset else { return };
                (offset, fill(offset, vectors.bias))
            }
            VectorForm::ClassBias => {
                let classes = model.vectors.class_bias(vectors);
                (own, fill(own, &classes))
            }
            VectorForm::Bias => (own, fill(own, vectors.bias)),
        };
        self.scaling.bias(&mut values);
        written.push((parameter, Tensor::new(shape, values)));
    }
    /// From the derivatives by the parameters, by name, to those by the states, `[N, C]`, which are added to
    /// `by_states`; those by the decoders' weights are added to `gradient`. A parameter without derivatives
    /// changes nothing.
    pub fn back(
        &self,
        model: &Model,
        tape: &WriterTape,
        by_parameters: &StateDict,
        by_states: &mut [f32],
        gradient: &mut Model,
    ) {
        let c = self.config.hid;
        let mut scatter = |nodes: &mut dyn Iterator<Item = usize>, by: &[f32]| {
            for (node, by) in nodes.zip(by.chunks_exact(c)) {
                add(&mut by_states[node * c..(node + 1) * c], by);
            }
        };
        for (group, tape) in self.weights.iter().zip(&tape.weights) {
            let by_blocks = self.back_to_blocks(group, by_parameters);
            let (decoder, by_decoder) = (&model.weights, &mut gradient.weights);
            let by = if group.classifies {
                decoder.back_from_class_block(tape, group.shape, &by_blocks, by_decoder)
            } else {
                decoder.back_from_blocks(tape, group.shape, by_blocks, by_decoder)
            };
            scatter(&mut group.targets.iter().map(|t| t.node), &by);
        }
        if let Some(batch) = &tape.vectors {
            let by_vectors = self.back_to_vectors(model, batch, by_parameters, gradient);
            let by = model
                .vectors
                .back(batch, &by_vectors, &mut gradient.vectors);
            scatter(&mut self.vectors.iter().map(|(t, _)| t.node), &by);
        }
    }

    /// The derivatives by a group's blocks, `[O, I, P, nodes]`.
    fn back_to_blocks(&self, group: &Group, by_parameters: &StateDict) -> Vec<f32> {
        let BlockShape {
            outputs,
            inputs,
            kernel,
        } = group.shape;
        let nodes = group.targets.len();
        let mut values = vec![0.0; outputs * inputs * kernel[0] * kernel[1] * nodes];
        for (node, target) in group.targets.iter().enumerate() {
            let owner = &self.parameters[target.parameter];
            let Some(by) = floats(by_parameters, owner) else {
                continue;
            };
            let mut by_block = ByBlock {
                outputs,
                inputs,
                nodes,
                node,
                values: &mut values,
            };
            let scale = self.scaling.weight(&owner.shape);
            match *owner.shape {
                [1, _, width] => {
                    let outside = tokens_outside(&owner.shape) * width;
                    by_block.untokens(width, scale, &by[outside..]);
                }
                [out, input, ..] => by_block.untile([out, input], scale, by),
                _ => {}
            }
        }
        values
    }

    /// The derivatives by all vectors, `[n, 2, L]`.
    fn back_to_vectors(
        &self,
        model: &Model,
        batch: &VectorBatch,
        by_parameters: &StateDict,
        gradient: &mut Model,
    ) -> Vec<f32> {
        let mut by_vectors = batch.zeros();
        for (index, (target, form)) in self.vectors.iter().enumerate() {
            let vectors = batch.of(index);
            let [by_weight, by_bias] = batch.split(&mut by_vectors, index);
            let own = floats(by_parameters, &self.parameters[target.parameter]);
            match form {
                VectorForm::Norm { offset } => {
                    if let Some(by) = own {
                        fold(by, by_weight);
                        self.scaling
                            .back_from_norm_weight(by_weight, vectors.weight);
                    }
                    let offset = offset.and_then(|o| floats(by_parameters, &self.parameters[o]));
                    if let Some(by) = offset {
                        fold(by, by_bias);
                        self.scaling.back_from_bias(by_bias, vectors.bias);
                    }
                }
                VectorForm::Bias => {
                    if let Some(by) = own {
                        fold(by, by_bias);
                        self.scaling.back_from_bias(by_bias, vectors.bias);
                    }
                }
                VectorForm::ClassBias => {
                    let Some(by) = own else { continue };
                    let decoder = &model.vectors;
                    let classes = decoder.class_bias(vectors);
                    let mut by_classes = vec![0.0; classes.len()];
                    fold(by, &mut by_classes);
                    self.scaling.back_from_bias(&mut by_classes, &classes);
                    let gradient = &mut gradient.vectors;
                    decoder.back_from_class_bias(vectors, &by_classes, by_bias, gradient);
                }
            }
        }
        by_vectors
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

/// The way back of [`repeated`]: adds up the derivatives by all copies of each value.
fn fold(by_copies: &[f32], by_values: &mut [f32]) {
    for by_copy in by_copies.chunks(by_values.len()) {
        add(by_values, by_copy);
    }
}

/// The derivatives by a parameter, if there are any.
fn floats<'a>(by_parameters: &'a StateDict, owner: &Parameter) -> Option<&'a [f32]> {
    by_parameters.get(&owner.name)?.floats()
}
