//! The architecture itself: modules and tensors in registration order, nodes in execution order.

use std::ops::Range;

use super::{Op, Scheme, Shape};

/// Index into [`Arch::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub usize);

/// Index into [`Arch::tensors`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId(pub usize);

/// What a tensor of the state dict is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TensorRole {
    /// Weight of a convolution or linear layer.
    Weight,
    /// Bias of a convolution or linear layer.
    Bias,
    /// Scale of a norm.
    NormWeight,
    /// Offset of a norm.
    NormBias,
    /// Per-channel factor of a residual branch, `[C, 1, 1]`.
    LayerScale,
    /// The token that stands for the whole image, `[1, 1, C]`.
    ClassToken,
    /// What is added to every token for its place, `[1, tokens, C]`.
    PositionEmbedding,
    /// Bias of the scores of an attention, `[offsets, heads]`.
    PositionBias,
    /// Logarithm of a head's factor of the scores, `[heads, 1, 1]`.
    LogitScale,
    /// Buffers of a batch norm.
    RunningMean,
    RunningVar,
    /// Number of batches seen: a 64-bit integer without dimensions.
    BatchCount,
    /// The offset of every pair of tokens: 64-bit integers that follow from the window's size.
    OffsetIndex,
    /// Coordinates of the offsets, `[1, side, side, 2]`; they follow from the window's size.
    OffsetCoordinates,
}

impl TensorRole {
    /// Whether gradient descent changes it; the others are buffers.
    #[must_use]
    pub const fn is_parameter(self) -> bool {
        !matches!(
            self,
            Self::RunningMean
                | Self::RunningVar
                | Self::BatchCount
                | Self::OffsetIndex
                | Self::OffsetCoordinates
        )
    }

    /// Whether its values are 64-bit integers.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        matches!(self, Self::BatchCount | Self::OffsetIndex)
    }
}

/// A tensor of the state dict: everything but its values.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorSpec {
    /// torchvision's name, such as `layer1.0.conv1.weight`.
    pub name: String,
    /// PyTorch's shape: `[out, in / groups, kh, kw]` for convolutions, `[]` for a scalar.
    pub shape: Vec<usize>,
    pub role: TensorRole,
    /// How the framework draws its first values.
    pub scheme: Scheme,
}

impl TensorSpec {
    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether a dimension is zero.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A layer that owns tensors, in the order in which PyTorch would register it.
#[derive(Clone, Debug, PartialEq)]
pub struct Module {
    /// Dotted path, such as `layer1.0.conv1`.
    pub path: String,
    pub op: Op,
    /// Its tensors, as indices into [`Arch::tensors`].
    pub tensors: Range<usize>,
}

/// One operation, in execution order.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub op: Op,
    /// Path of the module that runs it; for functions, of the module that calls them.
    pub path: String,
    /// Index into [`Arch::modules`] if the op has tensors.
    pub module: Option<usize>,
    pub inputs: Vec<NodeId>,
    /// Shape of the output, per sample.
    pub shape: Shape,
}

/// A network's computation graph with shapes, without parameter values.
#[derive(Clone, Debug, PartialEq)]
pub struct Arch {
    pub(super) name: String,
    pub(super) classes: usize,
    pub(super) modules: Vec<Module>,
    pub(super) tensors: Vec<TensorSpec>,
    pub(super) nodes: Vec<Node>,
    pub(super) auxiliary: Vec<NodeId>,
}

impl Arch {
    /// The zoo's name, or the file's.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of classes that the last layer tells apart.
    #[must_use]
    pub const fn classes(&self) -> usize {
        self.classes
    }

    /// Shape of one input image.
    #[must_use]
    pub fn input(&self) -> Shape {
        self.nodes[0].shape
    }

    /// Layers with tensors, in registration order.
    #[must_use]
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// Parameters and buffers, in the order of PyTorch's state dict.
    #[must_use]
    pub fn tensors(&self) -> &[TensorSpec] {
        &self.tensors
    }

    /// Only the parameters, in the same order.
    pub fn parameters(&self) -> impl Iterator<Item = &TensorSpec> {
        self.tensors.iter().filter(|t| t.role.is_parameter())
    }

    /// Operations in execution order: the first is the input, the last gives the logits.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Outputs beside the logits, which a training-mode PyTorch module returns, too: those of
    /// auxiliary classifiers. The executor does not compute them.
    #[must_use]
    pub fn auxiliary(&self) -> &[NodeId] {
        &self.auxiliary
    }

    /// For each node, whether the logits depend on it: auxiliary classifiers are left out.
    #[must_use]
    pub fn leads_to_logits(&self) -> Vec<bool> {
        let mut found = vec![false; self.nodes.len()];
        if let Some(last) = found.last_mut() {
            *last = true;
        }
        for (i, node) in self.nodes.iter().enumerate().rev() {
            if found[i] {
                node.inputs.iter().for_each(|input| found[input.0] = true);
            }
        }
        found
    }

    /// The node with this id.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// Tensors of a node, empty for functions.
    #[must_use]
    pub fn tensors_of(&self, node: &Node) -> &[TensorSpec] {
        node.module
            .map_or(&[], |m| &self.tensors[self.modules[m].tensors.clone()])
    }

    /// Number of parameter values (buffers not counted).
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.parameters().map(TensorSpec::len).sum()
    }

    /// Multiply-accumulates of one forward pass of one image.
    #[must_use]
    pub fn macs(&self) -> u64 {
        self.nodes
            .iter()
            .map(|n| super::node_cost(self, n).macs)
            .sum()
    }

    /// The same network with this weight of the new value in the running statistics of all its batch
    /// norms; with 1 they are those of the last batch.
    #[must_use]
    pub fn with_norm_momentum(mut self, weight: f64) -> Self {
        let modules = self.modules.iter_mut().map(|m| &mut m.op);
        for op in modules.chain(self.nodes.iter_mut().map(|n| &mut n.op)) {
            if let Op::BatchNorm { momentum, .. } = op {
                *momentum = weight;
            }
        }
        self
    }

    /// Modules whose `weight` has two or more dimensions, in registration order: the layers that
    /// post-processing counts from 1. The last one is the classifier.
    pub fn matrix_modules(&self) -> impl Iterator<Item = &Module> {
        self.modules.iter().filter(|m| m.op.owns_weight())
    }
}
