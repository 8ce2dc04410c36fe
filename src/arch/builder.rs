//! Builds an [`Arch`] the way a PyTorch module is written: first register the layers, then call
//! them. The order of registration is the order of the state dict, the order of calls is the order
//! of execution.

use super::{
    Activation, Arch, ArchError, Attention, AttentionKind, Conv2d, Linear, Module, Node, NodeId,
    Offsets, Op, Projection, Scheme, Shape, TensorRole, TensorSpec,
};

/// A registered layer, to be called any number of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleId(usize);

/// An [`Arch`] under construction.
#[derive(Debug)]
pub struct Builder {
    arch: Arch,
}

/// How a layer's weight and bias are drawn.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    pub weight: Scheme,
    pub bias: Scheme,
}

impl Draw {
    /// What `nn.Conv2d` and `nn.Linear` do by themselves with a weight of this shape and its bias.
    #[must_use]
    pub fn torch_default(weight_shape: &[usize]) -> Self {
        let weight = Scheme::torch_default(weight_shape);
        Self {
            weight,
            bias: weight,
        }
    }

    /// A bias of zeros.
    #[must_use]
    pub const fn without_bias(weight: Scheme) -> Self {
        Self {
            weight,
            bias: Scheme::ZEROS,
        }
    }
}

impl Builder {
    /// Starts an architecture that reads images of shape `input` (node 0).
    #[must_use]
    pub fn new(name: &str, input: Shape, classes: usize) -> Self {
        let input = Node {
            op: Op::Input,
            path: String::new(),
            module: None,
            inputs: Vec::new(),
            shape: input,
        };
        Self {
            arch: Arch {
                name: name.to_owned(),
                classes,
                modules: Vec::new(),
                tensors: Vec::new(),
                nodes: vec![input],
                auxiliary: Vec::new(),
            },
        }
    }

    /// The images.
    #[must_use]
    pub const fn input(&self) -> NodeId {
        NodeId(0)
    }

    /// Shape of a node that was already called.
    #[must_use]
    pub fn shape(&self, node: NodeId) -> Shape {
        self.arch.nodes[node.0].shape
    }

    /// Op of a node that was already called.
    #[must_use]
    pub fn op(&self, node: NodeId) -> Op {
        self.arch.nodes[node.0].op
    }

    /// What a node that was already called reads.
    #[must_use]
    pub fn inputs(&self, node: NodeId) -> &[NodeId] {
        &self.arch.nodes[node.0].inputs
    }

    /// Registers a convolution.
    pub fn conv(&mut self, path: &str, conv: Conv2d, draw: Draw) -> ModuleId {
        let weight = conv.weight_shape();
        let bias = conv.bias.then_some(conv.out_channels);
        self.weighted(path, Op::Conv2d(conv), weight, bias, draw)
    }

    /// Registers a fully connected layer.
    pub fn linear(&mut self, path: &str, linear: Linear, draw: Draw) -> ModuleId {
        let weight = vec![linear.out_features, linear.in_features];
        let bias = linear.bias.then_some(linear.out_features);
        self.weighted(path, Op::Linear(linear), weight, bias, draw)
    }

    /// Registers a linear layer of an attention.
    pub fn projection(
        &mut self,
        path: &str,
        projection: Projection,
        linear: Linear,
        draw: Draw,
    ) -> ModuleId {
        let names = match projection {
            Projection::MultiheadIn => ["in_proj_weight", "in_proj_bias"],
            Projection::MultiheadOut | Projection::Keyless => ["weight", "bias"],
        };
        let weight = vec![linear.out_features, linear.in_features];
        let bias = vec![linear.out_features];
        self.register(
            path,
            Op::Projection(projection, linear),
            &[
                (names[0], weight, TensorRole::Weight, draw.weight),
                (names[1], bias, TensorRole::Bias, draw.bias),
            ],
        )
    }

    /// Registers the core of an attention with what it learns itself: biases for all offsets, or a
    /// factor for every head.
    pub fn attention(&mut self, path: &str, attention: Attention) -> ModuleId {
        use TensorRole::{LogitScale, OffsetCoordinates, OffsetIndex, PositionBias};
        let heads = attention.heads;
        // MaxViT stores the offsets of all pairs as a table, Swin in a row.
        let index = |offsets: Offsets| {
            let tokens = offsets.window.pow(2);
            let pairs = match attention.kind {
                AttentionKind::MultiAxis(_) => vec![tokens, tokens],
                _ => vec![tokens * tokens],
            };
            let scheme = Scheme::OffsetIndex(offsets);
            ("relative_position_index", pairs, OffsetIndex, scheme)
        };
        let tensors = match (attention.kind, attention.offsets()) {
            (AttentionKind::Windowed(_) | AttentionKind::MultiAxis(_), Some(offsets)) => vec![
                (
                    "relative_position_bias_table",
                    vec![offsets.len(), heads],
                    PositionBias,
                    Scheme::truncated(0.02),
                ),
                index(offsets),
            ],
            (AttentionKind::Cosine(_), Some(offsets)) => vec![
                (
                    "logit_scale",
                    vec![heads, 1, 1],
                    LogitScale,
                    Scheme::Constant(10_f64.ln()),
                ),
                (
                    "relative_coords_table",
                    vec![1, offsets.side(), offsets.side(), 2],
                    OffsetCoordinates,
                    Scheme::OffsetCoordinates(offsets),
                ),
                index(offsets),
            ],
            _ => Vec::new(),
        };
        self.register(path, Op::Attention(attention), &tensors)
    }

    /// Registers the token that stands for the whole image; the tensor is `PATH.class_token`.
    pub fn class_token(&mut self, path: &str, channels: usize) -> ModuleId {
        self.register(
            path,
            Op::ClassToken { channels },
            &[(
                "class_token",
                vec![1, 1, channels],
                TensorRole::ClassToken,
                Scheme::ZEROS,
            )],
        )
    }

    /// Registers a learnt vector for every place; the tensor is `PATH.pos_embedding`.
    pub fn position_embedding(&mut self, path: &str, tokens: usize, channels: usize) -> ModuleId {
        self.register(
            path,
            Op::PositionEmbedding { tokens, channels },
            &[(
                "pos_embedding",
                vec![1, tokens, channels],
                TensorRole::PositionEmbedding,
                Scheme::Normal { std: 0.02 },
            )],
        )
    }

    /// Registers a learnt vector for every pixel of an image; the tensor is `PATH.weight`,
    /// `[1, C, H, W]`.
    pub fn position_map(&mut self, path: &str, channels: usize, side: [usize; 2]) -> ModuleId {
        self.register(
            path,
            Op::PositionMap { channels, side },
            &[(
                "weight",
                vec![1, channels, side[0], side[1]],
                TensorRole::PositionEmbedding,
                Scheme::Normal { std: 1.0 },
            )],
        )
    }

    /// Registers a batch norm with torch's defaults (eps 1e-5, momentum 0.1).
    pub fn batch_norm(&mut self, path: &str, channels: usize) -> ModuleId {
        self.batch_norm_with(path, channels, 1e-5, 0.1)
    }

    /// Registers a batch norm that keeps no running statistics (DeepNets-1M).
    pub fn untracked_batch_norm(&mut self, path: &str, channels: usize) -> ModuleId {
        use TensorRole::{NormBias, NormWeight};
        let op = Op::BatchNorm {
            channels,
            eps: 1e-5,
            momentum: 0.1,
            tracked: false,
        };
        let tensors = [
            ("weight", vec![channels], NormWeight, Scheme::ONES),
            ("bias", vec![channels], NormBias, Scheme::ZEROS),
        ];
        self.register(path, op, &tensors)
    }

    /// Registers a batch norm; `momentum` is the weight of the new value in the running statistics.
    pub fn batch_norm_with(
        &mut self,
        path: &str,
        channels: usize,
        eps: f64,
        momentum: f64,
    ) -> ModuleId {
        use TensorRole::{BatchCount, NormBias, NormWeight, RunningMean, RunningVar};
        let op = Op::BatchNorm {
            channels,
            eps,
            momentum,
            tracked: true,
        };
        let per_channel = vec![channels];
        self.register(
            path,
            op,
            &[
                ("weight", per_channel.clone(), NormWeight, Scheme::ONES),
                ("bias", per_channel.clone(), NormBias, Scheme::ZEROS),
                (
                    "running_mean",
                    per_channel.clone(),
                    RunningMean,
                    Scheme::ZEROS,
                ),
                ("running_var", per_channel, RunningVar, Scheme::ONES),
                ("num_batches_tracked", Vec::new(), BatchCount, Scheme::ZEROS),
            ],
        )
    }

    /// Registers a layer norm over the channels.
    pub fn layer_norm(&mut self, path: &str, channels: usize, eps: f64) -> ModuleId {
        self.register(
            path,
            Op::LayerNorm { channels, eps },
            &[
                (
                    "weight",
                    vec![channels],
                    TensorRole::NormWeight,
                    Scheme::ONES,
                ),
                ("bias", vec![channels], TensorRole::NormBias, Scheme::ZEROS),
            ],
        )
    }

    /// Registers a learnt factor per channel; the tensor is `PATH.layer_scale`, `[C, 1, 1]`.
    pub fn layer_scale(&mut self, path: &str, channels: usize, start: f64) -> ModuleId {
        self.register(
            path,
            Op::LayerScale { channels },
            &[(
                "layer_scale",
                vec![channels, 1, 1],
                TensorRole::LayerScale,
                Scheme::Constant(start),
            )],
        )
    }

    /// Calls a registered layer.
    ///
    /// # Errors
    /// [`ArchError::BadShape`] if the layer was not built for the input.
    pub fn call(&mut self, module: ModuleId, input: NodeId) -> Result<NodeId, ArchError> {
        self.call_with(module, &[input])
    }

    /// Calls a registered layer that takes several inputs.
    ///
    /// # Errors
    /// [`ArchError::BadShape`] if the layer was not built for the inputs.
    pub fn call_with(&mut self, module: ModuleId, inputs: &[NodeId]) -> Result<NodeId, ArchError> {
        let Module { path, op, .. } = &self.arch.modules[module.0];
        let (path, op) = (path.clone(), *op);
        self.push(path, op, Some(module.0), inputs.to_vec())
    }

    /// Calls a function, an op without tensors.
    ///
    /// # Errors
    /// [`ArchError::BadShape`] if the op cannot take these inputs.
    pub fn apply(&mut self, path: &str, op: Op, inputs: &[NodeId]) -> Result<NodeId, ArchError> {
        self.push(path.to_owned(), op, None, inputs.to_vec())
    }

    /// Calls ReLU.
    ///
    /// # Errors
    /// None in practice: every shape will do.
    pub fn relu(&mut self, path: &str, input: NodeId) -> Result<NodeId, ArchError> {
        self.apply(path, Op::Activation(Activation::Relu), &[input])
    }

    /// Declares an output beside the logits, such as that of an auxiliary classifier; to be called in
    /// the order in which PyTorch's module returns them.
    pub fn auxiliary(&mut self, node: NodeId) {
        self.arch.auxiliary.push(node);
    }

    /// The finished architecture; its last node gives the logits.
    #[must_use]
    pub fn finish(self) -> Arch {
        self.arch
    }

    fn weighted(
        &mut self,
        path: &str,
        op: Op,
        weight: Vec<usize>,
        bias: Option<usize>,
        draw: Draw,
    ) -> ModuleId {
        let mut tensors = vec![("weight", weight, TensorRole::Weight, draw.weight)];
        if let Some(length) = bias {
            tensors.push(("bias", vec![length], TensorRole::Bias, draw.bias));
        }
        self.register(path, op, &tensors)
    }

    fn register(
        &mut self,
        path: &str,
        op: Op,
        tensors: &[(&str, Vec<usize>, TensorRole, Scheme)],
    ) -> ModuleId {
        let first = self.arch.tensors.len();
        for (name, shape, role, scheme) in tensors {
            self.arch.tensors.push(TensorSpec {
                name: if path.is_empty() {
                    (*name).to_owned()
                } else {
                    format!("{path}.{name}")
                },
                shape: shape.clone(),
                role: *role,
                scheme: *scheme,
            });
        }
        self.arch.modules.push(Module {
            path: path.to_owned(),
            op,
            tensors: first..self.arch.tensors.len(),
        });
        ModuleId(self.arch.modules.len() - 1)
    }

    fn push(
        &mut self,
        path: String,
        op: Op,
        module: Option<usize>,
        inputs: Vec<NodeId>,
    ) -> Result<NodeId, ArchError> {
        let shapes: Vec<Shape> = inputs.iter().map(|i| self.shape(*i)).collect();
        let shape = op.infer(&shapes).map_err(|reason| ArchError::BadShape {
            arch: self.arch.name.clone(),
            path: path.clone(),
            op: op.word(),
            input: shapes[0],
            reason,
        })?;
        self.arch.nodes.push(Node {
            op,
            path,
            module,
            inputs,
            shape,
        });
        Ok(NodeId(self.arch.nodes.len() - 1))
    }
}
