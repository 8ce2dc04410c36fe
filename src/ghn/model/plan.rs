//! Which node of a graph gives which parameter, and in what form.

use std::collections::HashMap;

use super::super::Parameter;
use super::super::graph::{Graph, Node, Primitive, Role};
use super::config::{Config, Decoder};

/// What is decoded for a weight: the part of the largest block that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockShape {
    pub outputs: usize,
    pub inputs: usize,
    /// Height and width of the weight's kernel; a decoder may be smaller than that
    /// ([`Config::decoded_kernel`]).
    pub kernel: [usize; 2],
}

/// What a node's state becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A weight, or position encodings: a block, repeated along channels.
    Weight(BlockShape),
    /// The classifier's weight; its block has one output for each of the GHN's classes.
    ClassWeight(BlockShape),
    /// A vector, repeated.
    Vector(VectorForm),
}

/// What a vector is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VectorForm {
    /// The scale of a norm, and its offset if it has one, as an index into the parameters.
    Norm {
        offset: Option<usize>,
    },
    Bias,
    /// The classifier's bias.
    ClassBias,
}

impl VectorForm {
    /// The second parameter that the same node makes.
    #[must_use]
    pub const fn offset(self) -> Option<usize> {
        match self {
            Self::Norm { offset } => offset,
            Self::Bias | Self::ClassBias => None,
        }
    }
}

/// A parameter that a node makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// Index into the graph's nodes.
    pub node: usize,
    /// Index into the network's parameters.
    pub parameter: usize,
    pub form: Form,
}

impl Config {
    /// What such a GHN predicts of the network that has this graph and these parameters, in the order of
    /// the nodes; what is not in the list keeps its initialisation. `class_layers` says whether the
    /// classification layer is asked for.
    #[must_use]
    pub fn plan(&self, graph: &Graph, parameters: &[Parameter], class_layers: bool) -> Vec<Made> {
        let by_name: HashMap<&str, usize> = parameters
            .iter()
            .enumerate()
            .map(|(i, p)| (p.name.as_str(), i))
            .collect();
        let nodes = graph.nodes.iter().enumerate();
        nodes
            .filter(|(_, node)| node.role == Role::Other || class_layers)
            .filter_map(|(index, node)| {
                let parameter = node.parameter?;
                Some(Made {
                    node: index,
                    parameter,
                    form: self.form(node, &parameters[parameter], &by_name)?,
                })
            })
            .collect()
    }

    /// `None` for shapes that no GHN decodes.
    fn form(&self, node: &Node, owner: &Parameter, by_name: &HashMap<&str, usize>) -> Option<Form> {
        if owner.shape.contains(&0) {
            return None;
        }
        Some(match *owner.shape {
            [_] => Form::Vector(match (node.primitive, node.role) {
                (Primitive::BatchNorm | Primitive::LayerNorm, _) => {
                    let offset = format!("{}.bias", owner.module());
                    VectorForm::Norm {
                        offset: by_name.get(offset.as_str()).copied(),
                    }
                }
                (_, Role::ClassBias) => VectorForm::ClassBias,
                _ => VectorForm::Bias,
            }),
            [_, input] | [_, input, 1, 1] if node.role == Role::ClassWeight => {
                Form::ClassWeight(self.class_shape(input))
            }
            [out, input] => Form::Weight(self.block_shape(out, input, [1, 1])),
            [out, input, h, w] => Form::Weight(self.block_shape(out, input, [h, w])),
            [1, length, width] if length.min(width) > 1 => {
                let side = length.isqrt();
                Form::Weight(self.block_shape(1, width, [side, side]))
            }
            _ => return None,
        })
    }

    /// The block that a weight `[out, in, kh, kw]` is made from.
    pub(super) fn block_shape(&self, out: usize, input: usize, kernel: [usize; 2]) -> BlockShape {
        let [mut outputs, mut inputs] = [out.min(self.max_shape[0]), input.min(self.max_shape[1])];
        if let Decoder::LowRank { spread, .. } = self.decoder {
            // A factor has no more rows than its mixed rows have values.
            let [height, width] = self.decoded_kernel(kernel);
            outputs = outputs.min(spread / height).max(1);
            inputs = inputs.min(spread / width).max(1);
        }
        BlockShape {
            outputs,
            inputs,
            kernel,
        }
    }

    /// The block that the classifier's weight is made from: one output per class of the GHN.
    pub(super) fn class_shape(&self, input: usize) -> BlockShape {
        let inputs = match self.decoder {
            Decoder::Conv | Decoder::LowRank { .. } => self.max_shape[1],
            // This decoder's class layer has the largest block's *outputs* as inputs.
            Decoder::Mlp => self.max_shape[0],
        };
        BlockShape {
            outputs: self.num_classes,
            inputs: input.min(inputs),
            kernel: [1, 1],
        }
    }

    /// Height and width at which a kernel is decoded; larger ones are stretched.
    #[must_use]
    pub fn decoded_kernel(&self, kernel: [usize; 2]) -> [usize; 2] {
        let [_, _, h, w] = self.max_shape;
        [kernel[0].min(h), kernel[1].min(w)]
    }
}
