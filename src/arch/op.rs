//! The operations that an architecture is made of: attributes, and the shape that comes out.

use super::{Attention, AttentionKind, Offsets, Partition, Projection, Shape};

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
}

impl Pool {
    /// A square window.
    #[must_use]
    pub const fn new(kernel: usize, stride: usize, padding: usize) -> Self {
        Self {
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [padding; 2],
        }
    }
}

/// Element-wise non-linearities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    Relu,
    /// The exact form with the error function, not the tanh approximation.
    Gelu,
}

/// One operation of an architecture.
///
/// Adding one touches: this file (attributes, shape), `cost.rs`, the executor's `nn/exec` and the
/// autograd names in `ghn/trace.rs`.
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
    },
    /// Layer normalisation over the channels at each position.
    LayerNorm {
        channels: usize,
        eps: f64,
    },
    Activation(Activation),
    MaxPool(Pool),
    /// Average pooling; padding counts as zeros in the average, as in `nn.AvgPool2d`.
    AvgPool(Pool),
    /// Average over windows chosen such that the output is `[height, width]`.
    AdaptiveAvgPool([usize; 2]),
    /// Image to grid, `[C, H, W]` to `[H, W, C]`; nothing moves in a channels-last executor.
    ToGrid,
    /// Grid to image.
    ToImage,
    /// All positions and channels in one vector, in PyTorch's order (channels slowest for images).
    Flatten,
    /// Sum of two equal shapes.
    Add,
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
            Self::Activation(Activation::Relu) => "relu",
            Self::Activation(Activation::Gelu) => "gelu",
            Self::MaxPool(_) => "max pool",
            Self::AvgPool(_) | Self::AdaptiveAvgPool(_) => "avg pool",
            Self::ToGrid | Self::ToImage => "permute",
            Self::Flatten => "flatten",
            Self::Add => "add",
            Self::LayerScale { .. } => "layer scale",
            Self::StochasticDepth { .. } => "stochastic depth",
            Self::Dropout { .. } => "dropout",
            Self::ToTokens => "tokens",
            Self::ClassToken { .. } => "class token",
            Self::PositionEmbedding { .. } => "position embedding",
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
            Self::Attention(a) => format!("{} {} heads", self.word(), a.heads),
            Self::Partition(p) => {
                let shifted = if p.is_shifted() { " shifted" } else { "" };
                format!("{} {}{shifted}", self.word(), by([p.window; 2]))
            }
            _ => self.word().to_owned(),
        }
    }

    /// The output's shape, or the reason why these inputs do not fit.
    ///
    /// # Errors
    /// A sentence without the op's name, for [`ArchError::BadShape`](super::ArchError::BadShape).
    pub fn infer(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let arity = match self {
            Self::Input | Self::OffsetCoordinates(_) => 0,
            Self::Add => 2,
            Self::Attention(a) if matches!(a.kind, AttentionKind::Cosine(_)) => 2,
            _ => 1,
        };
        if inputs.len() != arity {
            return Err(format!("it takes {arity} inputs, not {}", inputs.len()));
        }
        match *self {
            Self::Input => Err("the input's shape is given, not inferred".into()),
            Self::Conv2d(c) => {
                expect_channels(c.in_channels, inputs[0])?;
                let [h, w] = image_side(inputs[0])?;
                Ok(Shape::image(
                    c.out_channels,
                    window(h, c.kernel[0], c.stride[0], c.padding[0], c.dilation[0])?,
                    window(w, c.kernel[1], c.stride[1], c.padding[1], c.dilation[1])?,
                ))
            }
            Self::Linear(l) | Self::Projection(_, l) => {
                expect_channels(l.in_features, inputs[0])?;
                match inputs[0] {
                    Shape::Image { .. } => Err("the channels must come last".into()),
                    other => Ok(other.with_channels(l.out_features)),
                }
            }
            Self::BatchNorm { channels, .. } => {
                image_side(inputs[0])?;
                expect_channels(channels, inputs[0])
            }
            Self::LayerNorm { channels, .. } | Self::LayerScale { channels } => {
                expect_channels(channels, inputs[0])
            }
            Self::Activation(_) | Self::StochasticDepth { .. } | Self::Dropout { .. } => {
                Ok(inputs[0])
            }
            Self::MaxPool(p) | Self::AvgPool(p) => {
                let [h, w] = image_side(inputs[0])?;
                Ok(Shape::image(
                    inputs[0].channels(),
                    window(h, p.kernel[0], p.stride[0], p.padding[0], 1)?,
                    window(w, p.kernel[1], p.stride[1], p.padding[1], 1)?,
                ))
            }
            Self::AdaptiveAvgPool([h, w]) => {
                image_side(inputs[0])?;
                Ok(Shape::image(inputs[0].channels(), h, w))
            }
            Self::ToGrid => {
                let [height, width] = image_side(inputs[0])?;
                Ok(Shape::Grid {
                    height,
                    width,
                    channels: inputs[0].channels(),
                })
            }
            Self::ToImage => match inputs[0] {
                Shape::Grid {
                    height,
                    width,
                    channels,
                } => Ok(Shape::image(channels, height, width)),
                _ => Err("it must be a grid".into()),
            },
            Self::Flatten => Ok(Shape::Vector {
                channels: inputs[0].len(),
            }),
            Self::Add => {
                if inputs[0] == inputs[1] {
                    Ok(inputs[0])
                } else {
                    Err(format!("the other term has shape {}", inputs[1]))
                }
            }
            Self::ToTokens => {
                image_side(inputs[0])?;
                Ok(Shape::Tokens {
                    tokens: inputs[0].positions(),
                    channels: inputs[0].channels(),
                })
            }
            Self::ClassToken { channels } => {
                expect_channels(channels, inputs[0])?;
                let tokens = tokens(inputs[0])? + 1;
                Ok(Shape::Tokens { tokens, channels })
            }
            Self::PositionEmbedding {
                tokens: places,
                channels,
            } => {
                expect_channels(channels, inputs[0])?;
                match tokens(inputs[0])? {
                    tokens if tokens == places => Ok(inputs[0]),
                    _ => Err(format!("it was built for {places} tokens")),
                }
            }
            Self::FirstToken => {
                tokens(inputs[0])?;
                Ok(Shape::Vector {
                    channels: inputs[0].channels(),
                })
            }
            Self::Attention(a) => infer_attention(&a, inputs),
            Self::Partition(p) => {
                let channels = expect_grid(p.grid, inputs[0])?;
                Ok(Shape::Windows {
                    windows: p.windows(),
                    tokens: p.tokens(),
                    channels,
                })
            }
            Self::Reassemble(p) => {
                expect_windows(&p, inputs[0])?;
                let [height, width] = p.grid;
                Ok(Shape::Grid {
                    height,
                    width,
                    channels: inputs[0].channels(),
                })
            }
            Self::MergePatches => match inputs[0] {
                Shape::Grid {
                    height,
                    width,
                    channels,
                } => Ok(Shape::Grid {
                    height: height.div_ceil(2),
                    width: width.div_ceil(2),
                    channels: 4 * channels,
                }),
                _ => Err("it must be a grid".into()),
            },
            Self::OffsetCoordinates(offsets) => Ok(Shape::Grid {
                height: offsets.side(),
                width: offsets.side(),
                channels: 2,
            }),
        }
    }
}

fn infer_attention(attention: &Attention, inputs: &[Shape]) -> Result<Shape, String> {
    expect_channels(3 * attention.channels, inputs[0])?;
    match attention.partition() {
        Some(p) => expect_windows(&p, inputs[0])?,
        None => drop(tokens(inputs[0])?),
    }
    if let (Some(biases), Some(offsets)) = (inputs.get(1), attention.offsets()) {
        let channels = expect_grid([offsets.side(); 2], *biases)?;
        if channels != attention.heads {
            return Err(format!("it has {} heads, not {channels}", attention.heads));
        }
    }
    Ok(inputs[0].with_channels(attention.channels))
}

fn tokens(shape: Shape) -> Result<usize, String> {
    match shape {
        Shape::Tokens { tokens, .. } => Ok(tokens),
        _ => Err("it must be tokens".into()),
    }
}

/// The channels of a grid of this size.
fn expect_grid(side: [usize; 2], shape: Shape) -> Result<usize, String> {
    match shape {
        Shape::Grid {
            height,
            width,
            channels,
        } if [height, width] == side => Ok(channels),
        _ => Err(format!("it must be a grid of {}x{}", side[0], side[1])),
    }
}

fn expect_windows(partition: &Partition, shape: Shape) -> Result<(), String> {
    let (windows, tokens) = (partition.windows(), partition.tokens());
    match shape {
        Shape::Windows { .. } if shape.sequences() == Some([windows, tokens]) => Ok(()),
        _ => Err(format!("it must be {windows} windows of {tokens} tokens")),
    }
}

fn image_side(shape: Shape) -> Result<[usize; 2], String> {
    match shape {
        Shape::Image { height, width, .. } => Ok([height, width]),
        _ => Err("it must be an image".into()),
    }
}

fn expect_channels(expected: usize, shape: Shape) -> Result<Shape, String> {
    if shape.channels() == expected {
        Ok(shape)
    } else {
        Err(format!("it was built for {expected} channels"))
    }
}

/// Output length of a sliding window.
fn window(
    length: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    dilation: usize,
) -> Result<usize, String> {
    let reach = dilation * (kernel - 1) + 1;
    let padded = length + 2 * padding;
    if padded < reach {
        return Err(format!(
            "{length} pixels are fewer than its window of {reach}"
        ));
    }
    Ok((padded - reach) / stride + 1)
}
