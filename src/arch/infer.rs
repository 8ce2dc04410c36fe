//! The shape of what an op makes, from the shapes of what it takes.

use super::{Attention, AttentionKind, Op, Partition, Pool, Shape};

impl Op {
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

impl Pool {
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
