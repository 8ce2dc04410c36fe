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

    /// Output length along `axis` for an input of `length`.
    fn windows(&self, axis: usize, length: usize) -> Result<usize, String> {
        let (kernel, stride, padding) = (self.kernel[axis], self.stride[axis], self.padding[axis]);
        if !self.ceil {
            return window(length, kernel, stride, padding, 1);
        }
        // The last window may lack up to a stride's pixels, but must start before the right padding.
        let padded = length + 2 * padding + stride - 1;
        if padded < kernel {
            return Err(too_small(length, kernel));
        }
        let windows = (padded - kernel) / stride + 1;
        let starts_outside = (windows - 1) * stride >= length + padding;
        Ok(windows - usize::from(starts_outside))
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

    /// The output's shape, or the reason why these inputs do not fit.
    ///
    /// # Errors
    /// A sentence without the op's name, for [`ArchError::BadShape`](super::ArchError::BadShape).
    pub fn infer(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let arity = match self {
            Self::Input | Self::OffsetCoordinates(_) => 0,
            Self::Add | Self::Gate => 2,
            Self::Concat => inputs.len().max(1),
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
            Self::Activation(_)
            | Self::StochasticDepth { .. }
            | Self::Dropout { .. }
            | Self::Zeros => Ok(inputs[0]),
            Self::Pixels { start, step } => {
                let [h, w] = image_side(inputs[0])?;
                if h <= start || w <= start || step == 0 {
                    return Err(format!("{h}x{w} pixels end before number {start}"));
                }
                let count = |length: usize| (length - start).div_ceil(step);
                Ok(Shape::image(inputs[0].channels(), count(h), count(w)))
            }
            Self::PositionMap {
                channels,
                side: [h, w],
            } => {
                if inputs[0] == Shape::image(channels, h, w) {
                    Ok(inputs[0])
                } else {
                    Err(format!(
                        "there are vectors for an image of {channels}x{h}x{w}"
                    ))
                }
            }
            Self::FromTokens([h, w]) => match inputs[0] {
                Shape::Tokens { tokens, channels } if tokens == h * w => {
                    Ok(Shape::image(channels, h, w))
                }
                _ => Err(format!(
                    "they are not the {} tokens of {h}x{w} pixels",
                    h * w
                )),
            },
            Self::MaxPool(p) | Self::AvgPool(p) => {
                let [h, w] = image_side(inputs[0])?;
                Ok(Shape::image(
                    inputs[0].channels(),
                    p.windows(0, h)?,
                    p.windows(1, w)?,
                ))
            }
            Self::AdaptiveAvgPool([h, w]) => {
                image_side(inputs[0])?;
                Ok(Shape::image(inputs[0].channels(), h, w))
            }
            Self::Mean { .. } => {
                image_side(inputs[0])?;
                Ok(Shape::Vector {
                    channels: inputs[0].channels(),
                })
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
            Self::Gate => {
                image_side(inputs[0])?;
                let channels = inputs[0].channels();
                if inputs[1] == Shape::image(channels, 1, 1)
                    || inputs[1] == (Shape::Vector { channels })
                {
                    Ok(inputs[0])
                } else {
                    Err(format!("the gate has shape {}", inputs[1]))
                }
            }
            Self::Concat => {
                let positions = |s: &Shape| s.with_channels(0);
                let first = positions(&inputs[0]);
                match inputs.iter().find(|s| positions(s) != first) {
                    Some(other) => Err(format!("another part has shape {other}")),
                    None => {
                        Ok(first.with_channels(inputs.iter().map(Shape::channels).sum::<usize>()))
                    }
                }
            }
            Self::Chunk { index, of } => {
                let channels = parts(inputs[0], of)?;
                if index < of {
                    Ok(inputs[0].with_channels(channels))
                } else {
                    Err(format!("there is no part {index} of {of}"))
                }
            }
            Self::Shuffle { groups } => parts(inputs[0], groups).map(|_| inputs[0]),
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

/// Channels of one of `count` equal parts.
fn parts(shape: Shape, count: usize) -> Result<usize, String> {
    let channels = shape.channels();
    if count > 0 && channels.is_multiple_of(count) {
        Ok(channels / count)
    } else {
        Err(format!("{channels} channels are no {count} equal parts"))
    }
}

fn too_small(length: usize, reach: usize) -> String {
    format!("{length} pixels are fewer than its window of {reach}")
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
        return Err(too_small(length, reach));
    }
    Ok((padded - reach) / stride + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pooled(pool: Pool, length: usize) -> Option<usize> {
        let shape = Op::MaxPool(pool).infer(&[Shape::image(1, length, length)]);
        shape.ok().and_then(|s| s.side()).map(|s| s[0])
    }

    #[test]
    fn pools_that_round_up_have_the_lengths_of_pytorch() {
        let pool = Pool::new(3, 2, 0);
        let floors: Vec<_> = (2..=8).map(|n| pooled(pool, n)).collect();
        assert_eq!(
            floors,
            [None, Some(1), Some(1), Some(2), Some(2), Some(3), Some(3)]
        );
        let ceils: Vec<_> = (1..=8).map(|n| pooled(pool.ceil(), n)).collect();
        let expected = [
            None,
            Some(1),
            Some(1),
            Some(2),
            Some(2),
            Some(3),
            Some(3),
            Some(4),
        ];
        assert_eq!(ceils, expected);
        // A window that would start in the right padding is left out.
        assert_eq!(pooled(Pool::new(2, 2, 1).ceil(), 3), Some(2));
        assert_eq!(pooled(Pool::new(1, 2, 0).ceil(), 4), Some(2));
    }

    #[test]
    fn ops_on_channels_have_the_right_shapes() {
        let image = |c| Shape::image(c, 4, 5);
        let cat = |shapes: &[Shape]| Op::Concat.infer(shapes);
        assert_eq!(cat(&[image(3)]), Ok(image(3)));
        assert_eq!(cat(&[image(3), image(1), image(2)]), Ok(image(6)));
        assert!(cat(&[image(3), Shape::image(3, 4, 4)]).is_err());
        let chunk = |index, of| Op::Chunk { index, of }.infer(&[image(6)]);
        assert_eq!(chunk(1, 2), Ok(image(3)));
        assert!(chunk(2, 2).is_err() && chunk(0, 4).is_err() && chunk(0, 0).is_err());
        assert!(Op::Shuffle { groups: 4 }.infer(&[image(6)]).is_err());
        let gate = |gate| Op::Gate.infer(&[image(6), gate]);
        assert_eq!(gate(Shape::image(6, 1, 1)), Ok(image(6)));
        assert!(gate(image(6)).is_err());
    }
}
