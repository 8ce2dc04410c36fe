//! Which place of a value's dimensions belongs to which place of the architecture's activation.
//!
//! Exporters write attention, windows and channel shuffles as reshapes and transpositions. Nothing of that
//! is done here: a layout only remembers which pieces of which axes stand in which order, and once an op
//! wants the value, the pieces tell what was meant. There is no axis for the batch: a file is read as it
//! works on one image.

use crate::arch::Shape;

/// An axis of an activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    Channel,
    Row,
    Column,
    Token,
    Window,
}

/// A digit of an axis' index: `index / unit % len`. A whole axis has unit 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub axis: Axis,
    pub unit: usize,
    pub len: usize,
}

impl Piece {
    pub const fn whole(axis: Axis, len: usize) -> Self {
        Self { axis, unit: 1, len }
    }

    /// The high digit and the low one of `low` values; it must divide the length.
    pub const fn split(self, low: usize) -> [Self; 2] {
        [
            Self {
                unit: self.unit * low,
                len: self.len / low,
                ..self
            },
            Self { len: low, ..self },
        ]
    }
}

/// The pieces of each dimension of a value, slowest first. A dimension of one has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout(pub Vec<Vec<Piece>>);

impl Layout {
    /// An activation as PyTorch lays it out, its batch dimension in front.
    pub fn of(shape: Shape) -> Self {
        let mut dims = vec![Vec::new()];
        let groups = groups_of(shape);
        match shape {
            // Windows lie along the batch.
            Shape::Windows { .. } => dims = groups,
            _ => dims.extend(groups),
        }
        Self(dims)
    }

    /// The lengths of the dimensions.
    pub fn dims(&self) -> Vec<usize> {
        let len = |pieces: &Vec<Piece>| pieces.iter().map(|p| p.len).product();
        self.0.iter().map(len).collect()
    }

    /// The dimensions that are longer than one.
    pub fn groups(&self) -> Vec<Vec<Piece>> {
        self.0.iter().filter(|g| !g.is_empty()).cloned().collect()
    }

    pub fn transposed(&self, order: &[usize]) -> Self {
        Self(order.iter().map(|a| self.0[*a].clone()).collect())
    }

    /// The same pieces in other dimensions, some of them cut in two; `None` if they do not fit.
    pub fn reshaped(&self, dims: &[usize]) -> Option<Self> {
        let mut pieces: Vec<Piece> = self.0.iter().flatten().rev().copied().collect();
        let mut groups = Vec::with_capacity(dims.len());
        for &dim in dims {
            let mut group = Vec::new();
            let mut open = dim;
            while open > 1 {
                let piece = pieces.pop()?;
                if open.is_multiple_of(piece.len) {
                    group.push(piece);
                    open /= piece.len;
                } else if piece.len.is_multiple_of(open) {
                    let [high, low] = piece.split(piece.len / open);
                    group.push(high);
                    pieces.push(low);
                    open = 1;
                } else {
                    return None;
                }
            }
            groups.push(joined(group));
        }
        pieces.is_empty().then_some(Self(groups))
    }

    /// The same dimensions of another activation: each that is longer than one gets the pieces that
    /// `shape` has in this place, if it has as many.
    pub fn renewed(&self, shape: Shape) -> Option<Self> {
        let groups = wide(groups_of(shape));
        let mut next = groups.iter().cloned();
        let dims = self.0.iter().map(|g| {
            if g.is_empty() {
                Some(Vec::new())
            } else {
                next.next()
            }
        });
        let dims: Option<Vec<_>> = dims.collect();
        (next.next().is_none()).then_some(Self(dims?))
    }

    /// The dimension that holds all of the channels and nothing else.
    pub fn channel_dim(&self, channels: usize) -> Option<usize> {
        let whole = [Piece::whole(Axis::Channel, channels)];
        self.0.iter().position(|g| **g == whole)
    }

    /// The same layout for another number of channels, which stand whole in one dimension.
    pub fn with_channels(&self, from: usize, to: usize) -> Option<Self> {
        let mut dims = self.0.clone();
        let group = match self.channel_dim(from) {
            Some(dim) => &mut dims[dim],
            // A single channel is nowhere to be seen: it can only be the last dimension of one.
            None if from == 1 => dims.last_mut()?,
            None => return None,
        };
        *group = wide(vec![vec![Piece::whole(Axis::Channel, to)]])
            .pop()
            .unwrap_or_default();
        Some(Self(dims))
    }
}

/// The dimensions of an activation as PyTorch lays it out, without the batch.
pub(super) fn groups_of(shape: Shape) -> Vec<Vec<Piece>> {
    let whole = Piece::whole;
    let axes = match shape {
        Shape::Image {
            channels,
            height,
            width,
        } => vec![
            whole(Axis::Channel, channels),
            whole(Axis::Row, height),
            whole(Axis::Column, width),
        ],
        Shape::Grid {
            height,
            width,
            channels,
        } => vec![
            whole(Axis::Row, height),
            whole(Axis::Column, width),
            whole(Axis::Channel, channels),
        ],
        Shape::Tokens { tokens, channels } => {
            vec![whole(Axis::Token, tokens), whole(Axis::Channel, channels)]
        }
        Shape::Windows {
            windows,
            tokens,
            channels,
        } => vec![
            whole(Axis::Window, windows),
            whole(Axis::Token, tokens),
            whole(Axis::Channel, channels),
        ],
        Shape::Vector { channels } => vec![whole(Axis::Channel, channels)],
    };
    let group = |piece: Piece| if piece.len == 1 { vec![] } else { vec![piece] };
    axes.into_iter().map(group).collect()
}

/// Only the dimensions that are longer than one.
pub(super) fn wide(mut groups: Vec<Vec<Piece>>) -> Vec<Vec<Piece>> {
    for group in &mut groups {
        group.retain(|p| p.len > 1);
    }
    groups.retain(|g| !g.is_empty());
    groups
}

/// Digits that follow each other become one.
pub(super) fn joined(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut all: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match all.last_mut() {
            Some(last) if last.axis == piece.axis && last.unit == piece.unit * piece.len => {
                last.unit = piece.unit;
                last.len *= piece.len;
            }
            _ => all.push(piece),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reshape_and_its_inverse_leave_a_layout_as_it_was() {
        let image = Layout::of(Shape::image(6, 4, 5));
        let cut = image.reshaped(&[1, 2, 3, 20]).unwrap();
        assert_eq!(cut.dims(), [1, 2, 3, 20]);
        assert_eq!(cut.reshaped(&[1, 6, 4, 5]), Some(image.clone()));
        assert_eq!(image.reshaped(&[1, 7, 20]), None);
        assert_eq!(image.reshaped(&[1, 6, 4]), None);
        // Rows and columns have no common digit to cut at.
        assert_eq!(image.reshaped(&[1, 6, 10, 2]), None);
    }

    #[test]
    fn a_shuffle_is_seen_in_its_channels() {
        let image = Layout::of(Shape::image(6, 4, 4));
        let shuffled = image.reshaped(&[1, 2, 3, 4, 4]).unwrap();
        let shuffled = shuffled.transposed(&[0, 2, 1, 3, 4]);
        let shuffled = shuffled.reshaped(&[1, 6, 4, 4]).unwrap();
        let [high, low] = Piece::whole(Axis::Channel, 6).split(3);
        assert_eq!(shuffled.0[1], [low, high]);
        assert_eq!(shuffled.dims(), [1, 6, 4, 4]);
    }
}
