//! Shapes of activations, without the batch dimension.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The shape of one sample's activation, in PyTorch's order of dimensions.
///
/// The variants keep apart layouts that have the same number of dimensions but put the channels in
/// different places, so that a layer never has to guess which axis it works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// `[channels, height, width]`, as convolutions read it.
    Image {
        channels: usize,
        height: usize,
        width: usize,
    },
    /// `[height, width, channels]`, as ConvNeXt's and Swin's linear layers read it.
    Grid {
        height: usize,
        width: usize,
        channels: usize,
    },
    /// `[tokens, channels]`.
    Tokens { tokens: usize, channels: usize },
    /// `[windows, tokens, channels]`: a grid cut into windows, each with as many tokens.
    Windows {
        windows: usize,
        tokens: usize,
        channels: usize,
    },
    /// `[channels]`.
    Vector { channels: usize },
}

impl Shape {
    /// An image of `channels` by `height` by `width`.
    #[must_use]
    pub const fn image(channels: usize, height: usize, width: usize) -> Self {
        Self::Image {
            channels,
            height,
            width,
        }
    }

    /// The dimensions in PyTorch's order.
    #[must_use]
    pub fn dims(&self) -> Vec<usize> {
        match *self {
            Self::Image {
                channels,
                height,
                width,
            } => vec![channels, height, width],
            Self::Grid {
                height,
                width,
                channels,
            } => vec![height, width, channels],
            Self::Tokens { tokens, channels } => vec![tokens, channels],
            Self::Windows {
                windows,
                tokens,
                channels,
            } => vec![windows, tokens, channels],
            Self::Vector { channels } => vec![channels],
        }
    }

    /// Number of features at each position.
    #[must_use]
    pub const fn channels(&self) -> usize {
        match *self {
            Self::Image { channels, .. }
            | Self::Grid { channels, .. }
            | Self::Tokens { channels, .. }
            | Self::Windows { channels, .. }
            | Self::Vector { channels } => channels,
        }
    }

    /// Number of positions: pixels, tokens, or one.
    #[must_use]
    pub const fn positions(&self) -> usize {
        match *self {
            Self::Image { height, width, .. } | Self::Grid { height, width, .. } => height * width,
            Self::Tokens { tokens, .. } => tokens,
            Self::Windows {
                windows, tokens, ..
            } => windows * tokens,
            Self::Vector { .. } => 1,
        }
    }

    /// Number of values of one sample.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.channels() * self.positions()
    }

    /// Whether a sample of this shape holds no value at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Height and width, where the shape has them.
    #[must_use]
    pub const fn side(&self) -> Option<[usize; 2]> {
        match *self {
            Self::Image { height, width, .. } | Self::Grid { height, width, .. } => {
                Some([height, width])
            }
            Self::Tokens { .. } | Self::Windows { .. } | Self::Vector { .. } => None,
        }
    }

    /// Sequences that attention runs over, and tokens of each, where the shape has them.
    #[must_use]
    pub const fn sequences(&self) -> Option<[usize; 2]> {
        match *self {
            Self::Tokens { tokens, .. } => Some([1, tokens]),
            Self::Windows {
                windows, tokens, ..
            } => Some([windows, tokens]),
            Self::Image { .. } | Self::Grid { .. } | Self::Vector { .. } => None,
        }
    }

    /// The same positions with another number of channels.
    #[must_use]
    pub const fn with_channels(self, channels: usize) -> Self {
        match self {
            Self::Image { height, width, .. } => Self::Image {
                channels,
                height,
                width,
            },
            Self::Grid { height, width, .. } => Self::Grid {
                height,
                width,
                channels,
            },
            Self::Tokens { tokens, .. } => Self::Tokens { tokens, channels },
            Self::Windows {
                windows, tokens, ..
            } => Self::Windows {
                windows,
                tokens,
                channels,
            },
            Self::Vector { .. } => Self::Vector { channels },
        }
    }
}

/// Dimensions separated by a multiplication sign's stand-in: `64x56x56`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, dim) in self.dims().into_iter().enumerate() {
            if i > 0 {
                f.write_str("x")?;
            }
            write!(f, "{dim}")?;
        }
        Ok(())
    }
}
