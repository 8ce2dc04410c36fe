//! The operations that an architecture is made of: attributes, and the shape that comes out.

use super::{Attention, Offsets, Partition, Projection};

/// A two-dimensional convolution. Pairs are `[height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conv2d {
    pub in_channels: usize,
    pub out_channels: usize,
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
    pub groups: usize,
    pub bias: bool,
}

impl Conv2d {
    /// A square convolution with stride 1, no padding, one group and no bias.
    #[must_use]
    pub const fn new(in_channels: usize, out_channels: usize, kernel: usize) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel: [kernel; 2],
            stride: [1; 2],
            padding: [0; 2],
            dilation: [1; 2],
            groups: 1,
            bias: false,
        }
    }

    #[must_use]
    pub const fn stride(mut self, stride: usize) -> Self {
        self.stride = [stride; 2];
        self
    }

    #[must_use]
    pub const fn padding(mut self, padding: usize) -> Self {
        self.padding = [padding; 2];
        self
    }

    #[must_use]
    pub const fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    #[must_use]
    pub const fn with_bias(mut self) -> Self {
        self.bias = true;
        self
    }

    /// Shape of the weight: `[out, in / groups, kh, kw]`.
    #[must_use]
    pub fn weight_shape(&self) -> Vec<usize> {
        vec![
            self.out_channels,
            self.in_channels / self.groups,
            self.kernel[0],
            self.kernel[1],
        ]
    }

    /// Whether every input channel is convolved on its own.
    #[must_use]
    pub const fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.in_channels
    }
}

/// A fully connected layer over the channels of every position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Linear {
    pub in_features: usize,
    pub out_features: usize,
    pub bias: bool,
}

/// Window of a pooling operation. Pairs are `[height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pool {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    /// Whether a last window that reaches beyond the image counts, too (`ceil_mode`).
    pub ceil: bool,
    /// Whether padding takes part in an average, as zeros (`count_include_pad`). A maximum never
    /// sees it.
    pub counts_padding: bool,
}

impl Pool {
    /// A square window over whole strides only, whose padding counts.
    #[must_use]
    pub const fn new(kernel: usize, stride: usize, padding: usize) -> Self {
        Self {
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [padding; 2],
            ceil: false,
            counts_padding: true,
        }
    }

    #[must_use]
    pub const fn ceil(mut self) -> Self {
        self.ceil = true;
        self
    }

    #[must_use]
    pub const fn without_padding(mut self) -> Self {
        self.counts_padding = false;
        self
    }
}

/// Element-wise non-linearities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    Relu,
    /// ReLU cut off at 6.
    Relu6,
    /// The exact form with the error function, not the tanh approximation.
    Gelu,
    /// `x sigmoid(x)`, also called swish.
    Silu,
    Sigmoid,
    /// `relu6(x + 3) / 6`.
    Hardsigmoid,
    /// `x hardsigmoid(x)`.
    Hardswish,
    Tanh,
}

impl Activation {
    pub const ALL: [Self; 8] = [
        Self::Relu,
        Self::Relu6,
        Self::Gelu,
        Self::Silu,
        Self::Sigmoid,
        Self::Hardsigmoid,
        Self::Hardswish,
        Self::Tanh,
    ];

    /// Its word in tables and messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::Relu6 => "relu6",
            Self::Gelu => "gelu",
            Self::Silu => "silu",
            Self::Sigmoid => "sigmoid",
            Self::Hardsigmoid => "hardsigmoid",
            Self::Hardswish => "hardswish",
            Self::Tanh => "tanh",
        }
    }
}

/// One operation of an architecture.
///
/// Adding one touches: this file (attributes), `infer.rs` (shape), `cost.rs`, `onnx/export.rs`, the
/// executor's `nn/network/compile.rs` and the autograd names in `ghn/trace.rs`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op {
    /// The images; always node 0.
    Input,
    Conv2d(Conv2d),
    Linear(Linear),
    /// Batch normalisation over the channels of an image.
    BatchNorm {
        channels: usize,
        eps: f64,
        /// Weight of the new value in the running statistics.
        momentum: f64,
        /// Whether there are running statistics; without them every batch has its own, in
        /// inference, too.
        tracked: bool,
    },
    /// Layer normalisation over the channels at each position.
    LayerNorm {
        channels: usize,
        eps: f64,
    },
    Activation(Activation),
    MaxPool(Pool),
    AvgPool(Pool),
    /// Average over windows chosen such that the output is `[height, width]`.
    AdaptiveAvgPool([usize; 2]),
    /// Average over all positions of an image: a vector.
    Mean {
        /// Whether the original lays the pixels in a row first, which PyTorch records.
        flattened: bool,
    },
    /// Image to grid, `[C, H, W]` to `[H, W, C]`; nothing moves in a channels-last executor.
    ToGrid,
    /// Grid to image.
    ToImage,
    /// All positions and channels in one vector, in PyTorch's order (channels slowest for images).
    Flatten,
    /// Sum of two equal shapes.
    Add,
    /// The first input times the second, which has the same channels in a single position, as an
    /// image or as a vector (squeeze and excitation).
    Gate,
    /// The channels of all inputs side by side, at the same positions.
    Concat,
    /// Zeros in the shape of its input, which counts for nothing else.
    Zeros,
    /// Every `step`-th row and column from `start` on.
    Pixels {
        start: usize,
        step: usize,
    },
    /// One of `of` equal parts of the channels, counted from 0.
    Chunk {
        index: usize,
        of: usize,
    },
    /// Channels dealt out like cards: channel `g * n + i` of `groups` groups of `n` comes to place
    /// `i * groups + g` (ShuffleNet).
    Shuffle {
        groups: usize,
    },
    /// A learnt factor per channel (ConvNeXt).
    LayerScale {
        channels: usize,
    },
    /// Drops a sample's whole branch with probability `p` while training, and divides the kept ones
    /// by `1 - p`.
    StochasticDepth {
        p: f64,
    },
    Dropout {
        p: f64,
    },
    /// Image to tokens, row by row; nothing moves in a channels-last executor.
    ToTokens,
    /// Puts a learnt token before the others (ViT).
    ClassToken {
        channels: usize,
    },
    /// Adds a learnt vector to every token.
    PositionEmbedding {
        tokens: usize,
        channels: usize,
    },
    /// A learnt vector for every pixel of an image (DeepNets-1M).
    PositionMap {
        channels: usize,
        side: [usize; 2],
    },
    /// Tokens to an image of this height and width, row by row.
    FromTokens([usize; 2]),
    /// The first token alone, as a vector.
    FirstToken,
    /// A linear layer of an attention that differs from an ordinary one.
    Projection(Projection, Linear),
    /// Queries, keys and values, one after the other in the channels, to the attention's result.
    Attention(Attention),
    /// Grid to windows.
    Partition(Partition),
    /// The windows' tokens back to their places in the grid; padding is dropped.
    Reassemble(Partition),
    /// `[H, W, C]` to `[H / 2, W / 2, 4 C]`: the four pixels of each 2x2 square side by side in the
    /// order (0, 0), (1, 0), (0, 1), (1, 1); zeros beyond an odd edge (Swin).
    MergePatches,
    /// A grid of the coordinates of all offsets within a window, the same for every image.
    OffsetCoordinates(Offsets),
}

impl Op {
    /// The op's word in tables and messages.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Conv2d(_) => "conv",
            Self::Linear(_) => "linear",
            Self::BatchNorm { .. } => "batch norm",
            Self::LayerNorm { .. } => "layer norm",
            Self::Activation(a) => a.word(),
            Self::MaxPool(_) => "max pool",
            Self::AvgPool(_) | Self::AdaptiveAvgPool(_) => "avg pool",
            Self::Mean { .. } => "mean",
            Self::ToGrid | Self::ToImage => "permute",
            Self::Flatten => "flatten",
            Self::Add => "add",
            Self::Gate => "gate",
            Self::Concat => "concat",
            Self::Zeros => "zeros",
            Self::Pixels { .. } => "pixels",
            Self::Chunk { .. } => "chunk",
            Self::Shuffle { .. } => "shuffle",
            Self::LayerScale { .. } => "layer scale",
            Self::StochasticDepth { .. } => "stochastic depth",
            Self::Dropout { .. } => "dropout",
            Self::ToTokens => "tokens",
            Self::ClassToken { .. } => "class token",
            Self::PositionEmbedding { .. } | Self::PositionMap { .. } => "position embedding",
            Self::FromTokens(_) => "image",
            Self::FirstToken => "first token",
            Self::Projection(..) => "linear",
            Self::Attention(_) => "attention",
            Self::Partition(_) => "windows",
            Self::Reassemble(_) => "reassemble",
            Self::MergePatches => "merge patches",
            Self::OffsetCoordinates(_) => "offset coordinates",
        }
    }

    /// Whether its module has a tensor called `weight` with two or more dimensions.
    #[must_use]
    pub const fn owns_weight(&self) -> bool {
        match self {
            Self::Conv2d(_) | Self::Linear(_) => true,
            Self::Projection(projection, _) => !matches!(projection, Projection::MultiheadIn),
            _ => false,
        }
    }

    /// The word with the attributes that tell two layers apart: `conv 7x7/2`, `conv 3x3 g32`.
    #[must_use]
    pub fn describe(&self) -> String {
        let by = |k: [usize; 2]| format!("{}x{}", k[0], k[1]);
        let over = |s: [usize; 2]| {
            if s == [1, 1] {
                String::new()
            } else {
                format!("/{}", s[0])
            }
        };
        match self {
            Self::Conv2d(c) => {
                let mut text = if c.is_depthwise() {
                    "depthwise ".to_owned()
                } else {
                    "conv ".to_owned()
                };
                text += &by(c.kernel);
                text += &over(c.stride);
                if c.groups > 1 && !c.is_depthwise() {
                    text += &format!(" g{}", c.groups);
                }
                if c.dilation != [1, 1] {
                    text += &format!(" d{}", c.dilation[0]);
                }
                text
            }
            Self::MaxPool(p) | Self::AvgPool(p) => {
                format!("{} {}{}", self.word(), by(p.kernel), over(p.stride))
            }
            Self::AdaptiveAvgPool(out) => format!("{} to {}", self.word(), by(*out)),
            Self::Chunk { index, of } => format!("{} {} of {of}", self.word(), index + 1),
            Self::Pixels { start, step: 1 } => format!("{} from {start}", self.word()),
            Self::Pixels { start, step } => format!("{} from {start}/{step}", self.word()),
            Self::Attention(a) => format!("{} {} heads", self.word(), a.heads),
            Self::Partition(p) => {
                let shifted = if p.is_shifted() { " shifted" } else { "" };
                format!("{} {}{shifted}", self.word(), by([p.window; 2]))
            }
            _ => self.word().to_owned(),
        }
    }
}
