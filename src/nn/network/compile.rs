//! From an architecture's nodes to the executor's steps.

use super::fuse::{self, Group, Part};
use super::packing;
use super::plan::{Step, ValueId};
use super::tensors::TensorIndex;
use crate::arch::{self, Activation, Arch, Linear, Node, NodeId, Op, Projection, Shape, node_cost};
use crate::nn::error::NnError;
use crate::nn::kernel::conv::Conv;
use crate::nn::kernel::pool::{Averages, MOST_TAPS, Padding};
use crate::nn::kernel::window::Window;
use crate::nn::layer::Layer;
use crate::nn::layer::activation::Activate;
use crate::nn::layer::add::Add;
use crate::nn::layer::attention::Attention;
use crate::nn::layer::batch_norm::{BatchNorm, Normalised};
use crate::nn::layer::branch::Branch;
use crate::nn::layer::channels::{Concat, Shuffle, Slice};
use crate::nn::layer::conv::{Conv2d, Method};
use crate::nn::layer::dropout::Dropout;
use crate::nn::layer::flatten::FlattenImage;
use crate::nn::layer::gate::Gate;
use crate::nn::layer::joined_norm::JoinedNorm;
use crate::nn::layer::keyless::Keyless;
use crate::nn::layer::layer_norm::LayerNorm;
use crate::nn::layer::linear::linear;
use crate::nn::layer::offsets::OffsetCoordinates;
use crate::nn::layer::pool::{AvgPool, MaxPool};
use crate::nn::layer::rearrange::Rearrange;
use crate::nn::layer::tokens::{ClassToken, PositionEmbedding};
use crate::nn::layer::zeros::Zeros;

/// Steps and the sizes of the activations between them.
pub struct Compiled {
    pub steps: Vec<Step>,
    /// Values of every activation, per sample.
    pub lengths: Vec<usize>,
    pub output: ValueId,
}

/// Turns nodes into steps.
pub fn compile(arch: &Arch) -> Result<Compiled, NnError> {
    let mut compiler = Compiler {
        arch,
        values: Vec::with_capacity(arch.nodes().len()),
        steps: Vec::new(),
        lengths: vec![arch.input().len()],
        once: vec![false],
    };
    let leads_to_logits = arch.leads_to_logits();
    for (i, part) in fuse::parts(arch).into_iter().enumerate() {
        let node = &arch.nodes()[i];
        let value = match part {
            _ if !leads_to_logits[i] => ValueId::MAX,
            // Nobody but its group reads it.
            Part::Inside => ValueId::MAX,
            Part::End(group) => compiler.group(&group, i),
            Part::Alone => compiler.alone(node, i)?,
        };
        compiler.values.push(value);
    }
    Ok(Compiled {
        output: *compiler.values.last().unwrap_or(&0),
        steps: compiler.steps,
        lengths: compiler.lengths,
    })
}

struct Compiler<'a> {
    arch: &'a Arch,
    /// The activation that each node so far stands for.
    values: Vec<ValueId>,
    steps: Vec<Step>,
    lengths: Vec<usize>,
    /// Whether no image reaches an activation.
    once: Vec<bool>,
}

impl Compiler<'_> {
    /// A step for one node, or several that run as one; the last one's output is the step's.
    fn push(
        &mut self,
        layer: Box<dyn Layer>,
        inputs: &[NodeId],
        members: &[&Node],
        parameters: bool,
    ) -> ValueId {
        let node = members[members.len() - 1];
        let head = members.iter().find(|n| n.module.is_some());
        let output = self.lengths.len();
        let inputs: Vec<ValueId> = inputs.iter().map(|i| self.values[i.0]).collect();
        let once = inputs.iter().all(|v| self.once[*v]);
        self.lengths.push(node.shape.len());
        self.once.push(once);
        self.steps.push(Step {
            layer,
            name: name(node),
            kind: kind(head.unwrap_or(&members[0])),
            macs: members.iter().map(|n| node_cost(self.arch, n).macs).sum(),
            inputs,
            output,
            has_parameters: parameters,
            once,
        });
        output
    }

    /// A step for one node; nodes that move nothing stand for their input.
    fn alone(&mut self, node: &Node, index: usize) -> Result<ValueId, NnError> {
        let Some(layer) = self.layer(node, index)? else {
            return Ok(node.inputs.first().map_or(0, |i| self.values[i.0]));
        };
        Ok(self.push(layer, &node.inputs, &[node], node.module.is_some()))
    }

    fn group(&mut self, group: &Group, end: usize) -> ValueId {
        let node = &self.arch.nodes()[end];
        let nodes = group.members.iter().map(|m| self.arch.node(*m));
        let nodes: Vec<&Node> = nodes.chain([node]).collect();
        let head = nodes[0];
        let layer: Box<dyn Layer> = match head.op {
            Op::BatchNorm { .. } => Box::new(self.batch_norm(head, group.activation)),
            Op::Concat => Box::new(JoinedNorm {
                columns: self.concat(head).columns,
                norm: self.batch_norm(nodes[1], group.activation),
            }),
            _ => Box::new(self.branch(group, end)),
        };
        let mut inputs = head.inputs.clone();
        inputs.extend(group.residual);
        let parameters = nodes.iter().any(|n| n.module.is_some());
        self.push(layer, &inputs, &nodes, parameters)
    }

    /// The layer of a node that runs on its own; none for the images and for nodes that move nothing.
    fn layer(&self, node: &Node, index: usize) -> Result<Option<Box<dyn Layer>>, NnError> {
        let input = node.inputs.first().map(|i| self.arch.node(*i).shape);
        let input = input.unwrap_or(node.shape);
        let channels = node.shape.channels();
        let layer: Box<dyn Layer> = match node.op {
            Op::Input | Op::ToGrid | Op::ToImage | Op::ToTokens | Op::FromTokens(_) => {
                return Ok(None);
            }
            Op::StochasticDepth { p } | Op::Dropout { p } if p == 0.0 => return Ok(None),
            Op::Concat if node.inputs.len() == 1 => return Ok(None),
            Op::Flatten => match input {
                Shape::Image { channels, .. } if input.positions() > 1 => Box::new(FlattenImage {
                    pixels: input.positions(),
                    channels,
                }),
                _ => return Ok(None),
            },
            Op::Conv2d(conv) => Box::new(self.conv(node, index, &conv, input)),
            Op::Projection(Projection::Keyless, l) => Box::new(self.keyless(node, l, input)),
            Op::Linear(l) | Op::Projection(_, l) => {
                Box::new(linear(&l, input.positions(), self.tensor(node)))
            }
            Op::BatchNorm { .. } => Box::new(self.batch_norm(node, None)),
            Op::LayerNorm { eps, .. } => Box::new(LayerNorm {
                tensors: self.tensor(node),
                channels,
                eps: eps as f32,
                stats: Vec::new(),
            }),
            Op::Activation(activation) => Box::new(Activate(activation)),
            Op::MaxPool(pool) => Box::new(self.max_pool(node, &pool, input)?),
            Op::AvgPool(pool) => Box::new(AvgPool {
                averages: Averages::fixed(
                    &pool_window(&pool, input, node.shape),
                    if pool.counts_padding {
                        Padding::Counts
                    } else {
                        Padding::Ignored
                    },
                ),
                channels,
            }),
            Op::Mean { .. } => Box::new(AvgPool {
                averages: Averages::adaptive(side(input), [1, 1]),
                channels,
            }),
            Op::AdaptiveAvgPool(output) => Box::new(AvgPool {
                averages: Averages::adaptive(side(input), output),
                channels,
            }),
            Op::Add => Box::new(Add),
            Op::Gate => Box::new(Gate {
                channels,
                gates: Vec::new(),
            }),
            Op::Concat => Box::new(self.concat(node)),
            Op::Chunk { index, .. } => Box::new(Slice {
                columns: index * channels..(index + 1) * channels,
                channels: input.channels(),
            }),
            Op::Shuffle { groups } => Box::new(Shuffle {
                groups,
                members: channels / groups,
            }),
            Op::LayerScale { .. } | Op::StochasticDepth { .. } => {
                let group = Group {
                    members: Vec::new(),
                    residual: None,
                    activation: None,
                };
                Box::new(self.branch(&group, index))
            }
            Op::Dropout { p } => Box::new(Dropout {
                p,
                path: stream_name(node, index),
                kept: Vec::new(),
            }),
            Op::ClassToken { .. } => Box::new(ClassToken {
                token: self.tensor(node),
                tokens: input.positions(),
            }),
            Op::Zeros => Box::new(Zeros),
            Op::Pixels { start, step } => {
                Box::new(Rearrange::pixels(side(input), start, step, channels))
            }
            Op::PositionEmbedding { .. } | Op::PositionMap { .. } => Box::new(PositionEmbedding {
                places: self.tensor(node),
            }),
            Op::FirstToken => Box::new(Rearrange::first_token(input.positions(), channels)),
            Op::Attention(a) => {
                let tensor = node.module.map(|_| self.tensor(node));
                Box::new(Attention::new(&a, node.shape, tensor))
            }
            Op::Partition(p) => Box::new(Rearrange::partition(&p, channels)),
            Op::Reassemble(p) => Box::new(Rearrange::reassemble(&p, channels)),
            Op::MergePatches => Box::new(Rearrange::merge_patches(side(input), input.channels())),
            Op::OffsetCoordinates(offsets) => Box::new(OffsetCoordinates(offsets)),
        };
        Ok(Some(layer))
    }

    /// The node's first tensor.
    fn tensor(&self, node: &Node) -> TensorIndex {
        let module = node.module.expect("a layer with tensors has a module");
        self.arch.modules()[module].tensors.start
    }

    fn conv(&self, node: &Node, index: usize, conv: &arch::Conv2d, input: Shape) -> Conv2d {
        let window = Window {
            input: side(input),
            output: side(node.shape),
            kernel: conv.kernel,
            stride: conv.stride,
            padding: conv.padding,
            dilation: conv.dilation,
        };
        let method = if packing::is_depthwise(conv) {
            Method::Depthwise {
                window,
                channels: conv.in_channels,
            }
        } else {
            Method::Patches(Conv {
                window,
                in_channels: conv.in_channels,
                out_channels: conv.out_channels,
                groups: conv.groups,
            })
        };
        let weight = self.tensor(node);
        Conv2d {
            method,
            weight,
            bias: conv.bias.then_some(weight + 1),
            measured: self.is_normed(index),
        }
    }

    fn concat(&self, node: &Node) -> Concat {
        let parts = node.inputs.iter().map(|i| self.arch.node(*i));
        Concat::of(parts.map(|n| n.shape.channels()))
    }

    /// Whether a batch norm reads the node's output, by itself or side by side with others.
    fn is_normed(&self, index: usize) -> bool {
        let mut readers = self.arch.nodes().iter().enumerate().skip(index + 1);
        readers.any(|(reader, n)| match n.op {
            _ if !n.inputs.contains(&NodeId(index)) => false,
            Op::BatchNorm { .. } => true,
            Op::Concat => self.is_normed(reader),
            _ => false,
        })
    }

    fn keyless(&self, node: &Node, mut layer: Linear, input: Shape) -> Keyless {
        layer.bias = false;
        let weight = self.tensor(node);
        Keyless {
            linear: linear(&layer, input.positions(), weight),
            bias: weight + 1,
        }
    }

    fn batch_norm(&self, node: &Node, activation: Option<Activation>) -> BatchNorm {
        let Op::BatchNorm {
            channels,
            eps,
            momentum,
            tracked,
        } = node.op
        else {
            unreachable!("only called for batch norms");
        };
        BatchNorm {
            path: node.path.clone(),
            tensors: self.tensor(node),
            channels,
            eps,
            momentum,
            tracked,
            activation,
            last: Normalised::default(),
        }
    }

    /// The end of a residual branch: the group's members and the node at its end.
    fn branch(&self, group: &Group, end: usize) -> Branch {
        let last = &self.arch.nodes()[end];
        let mut branch = Branch {
            scale: None,
            channels: last.shape.channels(),
            drop: 0.0,
            path: stream_name(last, end),
            keep: Vec::new(),
        };
        let members = group.members.iter().map(|m| self.arch.node(*m));
        for node in members.chain([last]) {
            match node.op {
                Op::LayerScale { .. } => branch.scale = Some(self.tensor(node)),
                Op::StochasticDepth { p } => branch.drop = p,
                _ => {}
            }
        }
        branch
    }

    fn max_pool(&self, node: &Node, pool: &arch::Pool, input: Shape) -> Result<MaxPool, NnError> {
        let window = pool_window(pool, input, node.shape);
        if window.taps() > MOST_TAPS {
            return Err(NnError::Unsupported {
                arch: self.arch.name().to_owned(),
                path: node.path.clone(),
                reason: format!(
                    "a pooling window has {} pixels, {MOST_TAPS} at most",
                    window.taps()
                ),
            });
        }
        Ok(MaxPool {
            window,
            channels: node.shape.channels(),
            taps: Vec::new(),
        })
    }
}

fn side(shape: Shape) -> [usize; 2] {
    shape.side().unwrap_or([1, 1])
}

fn pool_window(pool: &arch::Pool, input: Shape, output: Shape) -> Window {
    Window {
        input: side(input),
        output: side(output),
        kernel: pool.kernel,
        stride: pool.stride,
        padding: pool.padding,
        dilation: [1, 1],
    }
}

/// A node in words: its path, or its op where it has none.
fn name(node: &Node) -> String {
    if node.path.is_empty() {
        return node.op.word().to_owned();
    }
    node.path.clone()
}

/// A node's work in words: its op, a convolution with its kernel.
fn kind(node: &Node) -> String {
    let Op::Conv2d(conv) = &node.op else {
        return node.op.word().to_owned();
    };
    let word = match conv.groups {
        1 => "conv",
        _ if packing::is_depthwise(conv) => "depthwise",
        _ => "grouped conv",
    };
    let [rows, cols] = conv.kernel;
    format!("{word} {rows}x{cols}")
}

/// The name of a node's random stream: the path alone may be shared.
fn stream_name(node: &Node, index: usize) -> String {
    format!("{}#{index}", node.path)
}
