//! A network's parameters as the GHN graph sees them: with the module that owns each.

use crate::arch::{Arch, AttentionKind, Op, Projection, Shape};

/// One parameter of a network (buffers are none).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// torchvision's name, such as `layer1.0.conv1.weight`.
    pub name: String,
    /// PyTorch's shape.
    pub shape: Vec<usize>,
    /// PyTorch's class of the module that owns it, such as `Conv2d`.
    pub class: String,
    /// Groups and `[height, width]` of the dilation, for convolutions; otherwise 1 and `[1, 1]`.
    pub groups: usize,
    pub dilation: [usize; 2],
}

impl Parameter {
    /// The parameters of `arch` in state-dict order.
    #[must_use]
    pub fn list(arch: &Arch) -> Vec<Self> {
        let on_image = layers_on_images(arch);
        let mut all = Vec::new();
        for (index, module) in arch.modules().iter().enumerate() {
            let (groups, dilation) = match module.op {
                Op::Conv2d(c) => (c.groups, c.dilation),
                _ => (1, [1, 1]),
            };
            for tensor in &arch.tensors()[module.tensors.clone()] {
                if tensor.role.is_parameter() {
                    all.push(Self {
                        name: tensor.name.clone(),
                        shape: tensor.shape.clone(),
                        class: class_of(&module.op, on_image[index]).to_owned(),
                        groups,
                        dilation,
                    });
                }
            }
        }
        all
    }

    /// Number of values.
    #[must_use]
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// Path of the module that owns it; empty for the network itself.
    #[must_use]
    pub fn module(&self) -> &str {
        self.name.rsplit_once('.').map_or("", |(path, _)| path)
    }

    /// Whether its module is a norm of any kind.
    #[must_use]
    pub fn in_norm(&self) -> bool {
        self.class.to_lowercase().contains("norm")
    }

    /// Whether it is a convolution's.
    #[must_use]
    pub fn in_conv(&self) -> bool {
        self.class == "Conv2d"
    }
}

/// For each module, whether it is called on an image (rather than a grid or tokens).
fn layers_on_images(arch: &Arch) -> Vec<bool> {
    let mut on_image = vec![false; arch.modules().len()];
    for node in arch.nodes() {
        let (Some(module), Some(input)) = (node.module, node.inputs.first()) else {
            continue;
        };
        on_image[module] = matches!(arch.node(*input).shape, Shape::Image { .. });
    }
    on_image
}

/// PyTorch's class of the module; torchvision has a layer norm of its own for images.
const fn class_of(op: &Op, on_image: bool) -> &'static str {
    match op {
        Op::Conv2d(_) => "Conv2d",
        Op::Linear(_) => "Linear",
        Op::BatchNorm { .. } => "BatchNorm2d",
        Op::LayerNorm { .. } if on_image => "LayerNorm2d",
        Op::LayerNorm { .. } => "LayerNorm",
        Op::LayerScale { .. } => "CNBlock",
        Op::ClassToken { .. } => "VisionTransformer",
        Op::PositionEmbedding { .. } => "Encoder",
        Op::PositionMap { .. } => "PosEnc",
        Op::Projection(Projection::MultiheadIn, _) => "MultiheadAttention",
        Op::Projection(Projection::MultiheadOut, _) => "NonDynamicallyQuantizableLinear",
        Op::Projection(Projection::Keyless, _) => "Linear",
        Op::Attention(a) => match a.kind {
            AttentionKind::Multihead | AttentionKind::Fused => "Module",
            AttentionKind::Windowed(_) => "ShiftedWindowAttention",
            AttentionKind::Cosine(_) => "ShiftedWindowAttentionV2",
            AttentionKind::MultiAxis(_) => "RelativePositionalMultiHeadAttention",
        },
        _ => "Module",
    }
}
