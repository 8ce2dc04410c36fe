//! Which neighbouring nodes run as one step: a batch norm with the concatenation before it and the sum and
//! activation behind it, and the end of a residual branch.

use crate::arch::{Activation, Arch, NodeId, Op};
use crate::nn::kernel::activation::bounds;

/// What a node does in the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A step of its own.
    Alone,
    /// Runs as part of the group that ends at a later node.
    Inside,
    /// Ends a group, whose step takes its place.
    End(Group),
}

/// Nodes that run as one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The members in order, without the last.
    pub members: Vec<NodeId>,
    /// The other input of the sum in the group.
    pub residual: Option<NodeId>,
    /// The activation that the group ends with.
    pub activation: Option<Activation>,
}

/// The part of every node.
pub fn parts(arch: &Arch) -> Vec<Part> {
    let mut fusion = Fusion {
        arch,
        readers: readers(arch),
        parts: vec![Part::Alone; arch.nodes().len()],
    };
    for i in 0..arch.nodes().len() {
        if fusion.parts[i] == Part::Alone {
            fusion.grow(NodeId(i));
        }
    }
    fusion.parts
}

struct Fusion<'a> {
    arch: &'a Arch,
    readers: Vec<Vec<NodeId>>,
    parts: Vec<Part>,
}

impl Fusion<'_> {
    fn op(&self, node: NodeId) -> Op {
        self.arch.node(node).op
    }

    /// The only reader of a node, if no group has it yet.
    fn next(&self, node: NodeId) -> Option<NodeId> {
        let [reader] = self.readers[node.0][..] else {
            return None;
        };
        (self.parts[reader.0] == Part::Alone).then_some(reader)
    }

    /// The batch norm that alone reads a concatenation.
    fn norm_of_concat(&self, node: NodeId) -> Option<NodeId> {
        let joins = matches!(self.op(node), Op::Concat) && self.arch.node(node).inputs.len() > 1;
        let reader = self.next(node).filter(|_| joins)?;
        matches!(self.op(reader), Op::BatchNorm { .. }).then_some(reader)
    }

    fn grow(&mut self, head: NodeId) {
        let mut members = vec![head];
        let mut last = head;
        let mut residual = None;
        let mut activation = None;
        let joined = self.norm_of_concat(head);
        let is_norm = joined.is_some() || matches!(self.op(head), Op::BatchNorm { .. });
        match (self.op(head), joined) {
            (Op::BatchNorm { .. } | Op::LayerScale { .. } | Op::StochasticDepth { .. }, _) => {}
            (_, Some(norm)) => {
                members.push(norm);
                last = norm;
            }
            _ => return,
        }
        while let Some(next) = self.next(last) {
            match self.op(next) {
                Op::StochasticDepth { .. } if matches!(self.op(last), Op::LayerScale { .. }) => {}
                Op::Add if residual.is_none() && joined.is_none() => {
                    let inputs = &self.arch.node(next).inputs;
                    residual = inputs.iter().copied().find(|i| *i != last);
                }
                // The way back through a curve needs its input, which a residual would be part of.
                Op::Activation(a) if is_norm && (residual.is_none() || bounds(a).is_some()) => {
                    activation = Some(a);
                }
                _ => break,
            }
            members.push(next);
            last = next;
            if activation.is_some() {
                break;
            }
        }
        members.pop();
        if members.is_empty() {
            return;
        }
        for member in &members {
            self.parts[member.0] = Part::Inside;
        }
        self.parts[last.0] = Part::End(Group {
            members,
            residual,
            activation,
        });
    }
}

/// The nodes that read each node's output, once per reading.
fn readers(arch: &Arch) -> Vec<Vec<NodeId>> {
    let mut readers = vec![Vec::new(); arch.nodes().len()];
    for (i, node) in arch.nodes().iter().enumerate() {
        for input in &node.inputs {
            readers[input.0].push(NodeId(i));
        }
    }
    readers
}
