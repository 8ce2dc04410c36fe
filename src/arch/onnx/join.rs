//! Operators that put values together: parts side by side, a token before the others, places.

use super::Recipe;
use super::arrange::Kind;
use super::constant::Constant;
use super::dims::axis;
use super::import::Importer;
use super::layers::joined;
use super::layout::{Axis, Piece, groups_of, wide};
use super::proto::NodeProto;
use super::value::{Data, Form, Made, Range, Value};
use crate::arch::{Op, Shape};

/// Where the pixels of a 2x2 square begin that patch merging puts side by side, in its order.
const SQUARE: [[usize; 2]; 4] = [[0, 0], [1, 0], [0, 1], [1, 1]];

impl<'g> Importer<'g> {
    pub(super) fn concat(
        &mut self,
        at: usize,
        node: &'g NodeProto,
        constants: &[Option<Constant>],
    ) -> Made {
        if let ([Some(token), None], [_, name]) = (constants, &node.input[..]) {
            return self.class_token(at, node, token, name);
        }
        if constants.iter().any(Option::is_some) {
            return Err("constants can be joined with data only as a class token".into());
        }
        let parts: Result<Vec<Data>, String> = node.input.iter().map(|n| self.loose(n)).collect();
        let parts = parts?;
        let rank = parts[0].layout.0.len();
        let axis = axis(node.int("axis").unwrap_or(1), rank)?;
        if let [only] = &parts[..] {
            return Ok(vec![Value::Data(only.clone())]);
        }
        if let Some(value) = self.join_regions(at, &parts, axis)? {
            return Ok(vec![value]);
        }
        let mut settled = Vec::with_capacity(parts.len());
        for name in &node.input {
            settled.push(self.settle(name)?);
        }
        let joins_channels = settled.iter().all(|(node, layout)| {
            let channels = self.b.shape(*node).channels();
            layout.0.len() == rank
                && (layout.channel_dim(channels) == Some(axis)
                    || channels == 1 && layout.0[axis].is_empty())
        });
        if !joins_channels {
            return Err("values can be joined along their channels only".into());
        }
        let kinds = [
            Kind::Image,
            Kind::Grid,
            Kind::Tokens,
            Kind::Windows,
            Kind::Vector,
        ];
        let kind = kinds
            .into_iter()
            .find(|k| settled.iter().all(|(n, l)| self.can_arrange(*n, l, *k)));
        let kind = [kind.ok_or("its inputs have their dimensions in different orders")?];
        let (mut nodes, mut channels) = (Vec::new(), 0);
        let mut layout = settled[0].1.clone();
        for (node, of) in settled {
            let (node, arranged) = self.arrange(node, &of, &kind, at)?;
            channels += self.b.shape(node).channels();
            layout = arranged;
            nodes.push(node);
        }
        let made = self.push(at, Op::Concat, &nodes)?;
        layout.0[axis] = vec![Piece::whole(Axis::Channel, channels)];
        Ok(Self::node_value(made, layout, at))
    }

    /// Regions that together are the whole again: turned, or the pixels of each square side by side.
    fn join_regions(
        &mut self,
        at: usize,
        parts: &[Data],
        axis: usize,
    ) -> Result<Option<Value>, String> {
        let region = |data: &Data| match data.form {
            Form::Region { of, by, rows, cols } => Some((of, by, rows, cols)),
            _ => None,
        };
        let regions: Option<Vec<_>> = parts.iter().map(region).collect();
        let Some(regions) = regions else {
            return Ok(None);
        };
        let (of, by, ..) = regions[0];
        if regions.iter().any(|r| r.0 != of || r.1 != by) {
            return Ok(None);
        }
        let (height, width) = self.sides(of);
        if let [(_, _, r1, c1), (_, _, r2, c2)] = regions[..] {
            let turn = |a: Range, b: Range, length: usize| {
                let joins = a.step == 1
                    && b.step == 1
                    && a.end == length
                    && b.start == 0
                    && b.end == a.start;
                joins.then_some(a.start)
            };
            let whole = [Range::all(height), Range::all(width)];
            let piece = parts[0].layout.0[axis]
                .first()
                .or(parts[1].layout.0[axis].first());
            let turned = match piece.map(|p| p.axis) {
                Some(Axis::Row) if c1 == c2 => {
                    turn(r1, r2, height).map(|by| ([by, 0], whole[0], c1))
                }
                Some(Axis::Column) if r1 == r2 => {
                    turn(c1, c2, width).map(|by| ([0, by], r1, whole[1]))
                }
                _ => None,
            };
            if let Some((more, rows, cols)) = turned {
                let by = [(by[0] + more[0]) % height, (by[1] + more[1]) % width];
                let mut layout = parts[0].layout.clone();
                let (axis_kind, length) = if more[0] > 0 {
                    (Axis::Row, height)
                } else {
                    (Axis::Column, width)
                };
                layout.0[axis] = vec![Piece::whole(axis_kind, length)];
                let form = Form::Region { of, by, rows, cols };
                return Ok(Some(Self::form_value(form, layout, at)));
            }
        }
        let starts: Vec<[usize; 2]> = regions
            .iter()
            .map(|(.., r, c)| [r.start, c.start])
            .collect();
        let squares = starts == SQUARE
            && by == [0; 2]
            && regions
                .iter()
                .all(|(.., r, c)| r.step == 2 && c.step == 2 && r.end == height && c.end == width)
            && height.is_multiple_of(2)
            && width.is_multiple_of(2);
        if !squares {
            return Ok(None);
        }
        let of = match self.b.shape(of) {
            Shape::Image { .. } => self.push(at, Op::ToGrid, &[of])?,
            _ => of,
        };
        let made = self.push(at, Op::MergePatches, &[of])?;
        let mut layout = parts[0].layout.clone();
        layout.0[axis] = vec![self.channels(made)];
        if layout.groups() != wide(groups_of(self.b.shape(made))) {
            return Err("patches can be merged along the last dimension only".into());
        }
        Ok(Some(Self::form_value(Form::Node(made), layout, at)))
    }

    fn class_token(
        &mut self,
        at: usize,
        node: &'g NodeProto,
        token: &Constant,
        name: &'g str,
    ) -> Made {
        let (input, layout) = self.settle_as(name, &[Kind::Tokens])?;
        let channels = self.b.shape(input).channels();
        let dims = layout.dims();
        let axis = axis(node.int("axis").unwrap_or(1), dims.len())?;
        let Shape::Tokens { tokens, .. } = self.b.shape(input) else {
            return Err("a constant can be joined with tokens only".into());
        };
        let fits = token.len() == channels
            && layout.0[axis] == [Piece::whole(Axis::Token, tokens)]
            && token.shape().len() == dims.len()
            && layout
                .channel_dim(channels)
                .is_some_and(|d| token.shape()[d] == channels);
        if !fits {
            return Err("constants can be joined with data only as a class token".into());
        }
        // PyTorch's own name has nothing before it.
        let mut token = token.clone();
        if !token
            .name
            .as_deref()
            .is_some_and(|n| n.ends_with("class_token"))
        {
            token.name = Some("class_token".into());
        }
        let path = self.layer_path(&[&token], at);
        let module = self.b.class_token(&path, channels);
        let row = token.reshaped(&[1, 1, channels], &self.graph.stored)?;
        self.tensor(Recipe::of(joined(&path, "class_token"), row));
        let made = self.call(module, input)?;
        let layout = layout
            .renewed(self.b.shape(made))
            .ok_or("its dimensions do not fit")?;
        Ok(Self::node_value(made, layout, at))
    }

    /// A constant for every place: of tokens, or of an image.
    pub(super) fn positions(&mut self, at: usize, name: &'g str, constant: &Constant) -> Made {
        let (input, layout) = self.settle_as(name, &[Kind::Tokens, Kind::Image])?;
        let shape = self.b.shape(input);
        let dims: Vec<usize> = layout.dims();
        let fits = super::dims::broadcast(constant.shape(), &dims)? == dims
            && constant.len() == shape.len();
        if !fits {
            return Err(format!(
                "a constant of shape {:?} cannot be added to a value of {dims:?}",
                constant.shape()
            ));
        }
        let mut own = vec![1];
        own.extend(shape.dims());
        let table = constant.reshaped(&own, &self.graph.stored)?;
        let path = self.layer_path(&[constant], at);
        let (module, tensor) = match shape {
            Shape::Tokens { tokens, channels } => (
                self.b.position_embedding(&path, tokens, channels),
                "pos_embedding",
            ),
            _ => {
                let side = shape.side().unwrap_or([1, 1]);
                (self.b.position_map(&path, shape.channels(), side), "weight")
            }
        };
        self.tensor(Recipe::of(joined(&path, tensor), table));
        let made = self.call(module, input)?;
        Ok(Self::node_value(made, layout, at))
    }
}
