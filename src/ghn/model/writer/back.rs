//! From the derivatives by a network's parameters to those by node states and decoders.

use super::super::super::Parameter;
use super::super::Model;
use super::super::decode::VectorBatch;
use super::super::dense::add;
use super::super::plan::{BlockShape, VectorForm};
use super::super::tile::ByBlock;
use super::{Group, Writer, WriterTape, tokens_outside};
use crate::nn::StateDict;

impl Writer<'_> {
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
