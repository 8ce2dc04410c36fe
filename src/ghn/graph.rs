//! The graph that a GHN reads: primitive ops in topological order, with the lengths of the shortest
//! paths between them.
//!
//! The construction follows the reference implementation of Knyazev et al. (2021, 2023) step by
//! step, one file per group of steps; it starts from the autograd record of a [`Trace`].
//!
//! Of two families it makes something else on purpose, since no GHN has learnt from what the
//! reference makes of them:
//! - Swin v2: the reference's graph has a cycle, hence no order, and starts with the classifier. Ours
//!   has the nodes of Swin's: factors of the scores and the small network of the biases are left out,
//!   and keep their initialisation, as Swin's biases do. Reductions come before the norms that follow
//!   them (`repair::patch_merging`).
//! - MaxViT: its last layer has no bias, and the reference hangs that layer's weight on the input, so
//!   that the layer before it passes for the classifier. Ours puts the weight where it is used
//!   (`repair::last_weight`) and takes it for the classifier's.

mod distances;
mod document;
mod filter;
mod order;
mod places;
mod primitive;
mod repair;
mod sketch;
mod topology;
mod walk;

pub use distances::{CUTOFF, Distances};
pub use document::Document;
pub use primitive::Primitive;
pub use topology::Topology;

use super::{Parameter, Trace};
use crate::arch::Arch;
use sketch::Sketch;

/// A primitive op.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub primitive: Primitive,
    /// The parameter's name, or the backward function's.
    pub name: String,
    /// The parameter's shape, `[1, 1, kh, kw]` for a pool; none for other functions. Position
    /// encodings `[1, L, D]` appear as `[1, D, s, s]`, and a convolutional classifier with two
    /// dimensions.
    pub shape: Option<Vec<usize>>,
    /// Index into the network's parameters ([`Parameter::list`]).
    pub parameter: Option<usize>,
    pub role: Role,
    /// The cell of a DeepNets-1M network that the node belongs to; 0 in other networks.
    pub cell: usize,
}

impl Node {
    /// The shape by which a GHN's tables describe the node: that of its parameter as the network has it.
    #[must_use]
    pub fn described<'a>(&'a self, parameters: &'a [Parameter]) -> Option<&'a [usize]> {
        match self.parameter {
            Some(p) => Some(&parameters[p].shape),
            None => self.shape.as_deref(),
        }
    }
}

/// Whether a node belongs to the classification layer, which has a decoder of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    ClassWeight,
    ClassBias,
    Other,
}

/// The graph of one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    pub nodes: Vec<Node>,
    pub distances: Distances,
    /// Number of cells; 1 for networks that are not made of cells.
    pub cells: usize,
}

impl Graph {
    /// The graph of `arch`.
    #[must_use]
    pub fn of(arch: &Arch) -> Self {
        Self::with_parameters(arch).0
    }

    /// The graph of `arch`, and the parameters that its nodes point to.
    #[must_use]
    pub fn with_parameters(arch: &Arch) -> (Self, Vec<Parameter>) {
        let parameters = Parameter::list(arch);
        let graph = Self::from_trace(&Trace::of(arch, &parameters), &parameters);
        (graph, parameters)
    }

    /// The graph of the network that left this autograd record.
    #[must_use]
    pub fn from_trace(trace: &Trace, parameters: &[Parameter]) -> Self {
        let mut sketch = walk::walk(trace, parameters);
        sketch = filter::first(sketch, parameters);
        repair::linear_weights(&mut sketch, parameters);
        repair::last_weight(&mut sketch);
        repair::softmax(&mut sketch);
        repair::patch_merging(&mut sketch, parameters);
        sketch = filter::second(sketch);
        order::add_input(&mut sketch);
        sketch = order::topological(sketch);
        sketch = order::restore_position_sums(sketch, parameters);
        order::classifier_last(&mut sketch, parameters);
        Self::finish(&sketch, parameters)
    }

    fn finish(sketch: &Sketch, parameters: &[Parameter]) -> Self {
        let cells = cell_count(parameters);
        let mut nodes: Vec<Node> = Vec::with_capacity(sketch.len());
        for i in 0..sketch.len() {
            let previous = nodes.last().map_or(0, |n| n.cell);
            let parameter = sketch.parameter(i, parameters);
            let name = sketch.name(i);
            let primitive = parameter
                .and_then(Primitive::of_parameter)
                .or_else(|| Primitive::of_function(name));
            // The filter has left nothing that is not a primitive.
            let Some(primitive) = primitive else { continue };
            let role = role(i, sketch.len(), name);
            let shape = match (parameter, sketch.records[i].kernel) {
                (Some(p), _) => Some(encoded_shape(&p.shape, role)),
                (None, Some([h, w])) => Some(vec![1, 1, h, w]),
                (None, None) => None,
            };
            nodes.push(Node {
                primitive,
                name: name.to_owned(),
                shape,
                parameter: sketch.records[i].parameter,
                role,
                cell: cell_of(name, cells, previous),
            });
        }
        Self {
            distances: Distances::of(sketch),
            nodes,
            cells,
        }
    }

    /// Number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no node at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

/// The last two nodes are the classification layer, whatever they are; without a bias, the last one is.
fn role(index: usize, nodes: usize, name: &str) -> Role {
    if nodes - index <= 2 && name.contains(".weight") {
        Role::ClassWeight
    } else if index + 1 == nodes && name.contains(".bias") {
        Role::ClassBias
    } else {
        Role::Other
    }
}

/// The shape as the graph records it.
fn encoded_shape(shape: &[usize], role: Role) -> Vec<usize> {
    match *shape {
        [1, length, width] if length.min(width) > 1 => {
            let side = length.isqrt();
            vec![1, width, side, side]
        }
        [out, input, 1, 1] if role == Role::ClassWeight => vec![out, input],
        _ => shape.to_vec(),
    }
}

/// DeepNets-1M networks name their cells `cells.0`, `cells.1`, ...
fn cell_count(parameters: &[Parameter]) -> usize {
    let numbers = parameters.iter().filter_map(|p| cell_number(&p.name));
    numbers.max().map_or(1, |last| last.saturating_add(1))
}

fn cell_number(name: &str) -> Option<usize> {
    let (_, rest) = name.split_once("cells.")?;
    rest.split_once('.')?.0.parse().ok()
}

fn cell_of(name: &str, cells: usize, previous: usize) -> usize {
    if cells == 1 {
        0
    } else if let Some(number) = cell_number(name) {
        number
    } else if name.starts_with("classifier") || name.starts_with("auxiliary") {
        cells - 1
    } else if name.starts_with("stem") || name.starts_with("pos_enc") {
        0
    } else {
        previous
    }
}
