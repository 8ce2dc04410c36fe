//! Makes nodes of the architecture of what waited.

use super::Part;
use super::Recipe;
use super::constant::Constant;
use super::curve::Curve;
use super::import::Importer;
use super::layers::joined;
use super::layout::{Axis, Layout, Piece};
use super::value::{Data, Form, Range};
use crate::arch::{Conv2d, Deal, Draw, NodeId, Op, Partition, Shape};

impl Importer<'_> {
    /// The node that a value is, whatever it waited for.
    pub(super) fn decide(&mut self, data: &Data) -> Result<(NodeId, Layout), String> {
        let layout = data.layout.clone();
        let at = data.at;
        let node = match &data.form {
            Form::Node(node) => *node,
            Form::Curve { of, curve } => self.activation(at, *of, *curve)?,
            Form::Layer(layer) => self.layer(at, layer)?,
            Form::Affine { of, scale, offset } => {
                self.affine_layer(at, *of, scale.clone(), offset.clone())?
            }
            Form::Normalised { of, eps, scale } => {
                self.layer_norm(at, *of, *eps, scale.clone(), None)?
            }
            Form::Picked {
                of,
                piece,
                index,
                factor,
            } => {
                let part = self.part(at, *of, *piece, *index)?;
                if *factor == 1.0 {
                    part
                } else {
                    self.activation(at, part, Curve::identity().map(|x| factor * x))?
                }
            }
            Form::Region { of, by, rows, cols } => self.region(at, *of, *by, [*rows, *cols])?,
            Form::Padded { .. } => {
                return Err(self.left(at, "a margin that no convolution or pool follows"));
            }
            Form::Mean { .. }
            | Form::Centred { .. }
            | Form::Squared { .. }
            | Form::Variance { .. }
            | Form::Deviation { .. } => {
                return Err(self.left(at, "a mean over channels that is not part of a layer norm"));
            }
            Form::Scores(_) => return Err(self.left(at, "a part of an attention")),
        };
        Ok((node, layout))
    }

    /// What a value is that no node can be made of, with the node that made it.
    fn left(&self, at: usize, what: &str) -> String {
        let maker = &self.graph.nodes[at];
        format!(
            "its input, made by {} \"{}\", is {what}",
            maker.operator(),
            maker.title()
        )
    }

    fn activation(&mut self, at: usize, of: NodeId, curve: Curve) -> Result<NodeId, String> {
        if let Some(activation) = curve.activation() {
            return self.push(at, Op::Activation(activation), &[of]);
        }
        match curve.line() {
            Some([1.0, 0.0]) => Ok(of),
            Some([scale, offset]) => {
                let channels = self.b.shape(of).channels();
                let filled = |value| Constant::filled(vec![channels], value, false);
                let offset = (offset != 0.0).then(|| filled(offset));
                self.affine_layer(at, of, Some(filled(scale)), offset)
            }
            None => Err(self.left(at, "a function that is none of the supported activations")),
        }
    }

    /// A factor and an offset for every channel: a layer scale, or a convolution of every channel with one
    /// pixel.
    fn affine_layer(
        &mut self,
        at: usize,
        of: NodeId,
        scale: Option<Constant>,
        offset: Option<Constant>,
    ) -> Result<NodeId, String> {
        let channels = self.b.shape(of).channels();
        let named: Vec<&Constant> = scale.iter().chain(&offset).collect();
        let path = self.layer_path(&named, at);
        let scale = scale.unwrap_or_else(|| Constant::filled(vec![channels], 1.0, false));
        let Some(offset) = offset else {
            let module = self.b.layer_scale(&path, channels, 1.0);
            let table = scale.reshaped(&[channels, 1, 1], &self.graph.stored)?;
            self.tensor(Recipe::of(joined(&path, "layer_scale"), table));
            return self.call(module, of);
        };
        let (image, back) = match self.b.shape(of) {
            Shape::Image { .. } => (of, false),
            Shape::Grid { .. } => (self.push(at, Op::ToImage, &[of])?, true),
            shape => {
                return Err(self.left(
                    at,
                    &format!("an offset for every channel of {shape} that belongs to no layer"),
                ));
            }
        };
        let conv = Conv2d::new(channels, channels, 1)
            .groups(channels)
            .with_bias();
        let draw = Draw::torch_default(&conv.weight_shape());
        let module = self.b.conv(&path, conv, draw);
        self.tensor(Recipe {
            name: joined(&path, "weight"),
            shape: conv.weight_shape(),
            parts: vec![Part {
                constant: scale.reshaped(&conv.weight_shape(), &self.graph.stored)?,
                factor: 1.0,
                at: vec![0; 4],
            }],
        });
        self.tensor(Recipe::of(joined(&path, "bias"), offset));
        let made = self.call(module, image)?;
        if back {
            return self.push(at, Op::ToGrid, &[made]);
        }
        Ok(made)
    }

    /// One of several equal parts of the channels, or the first token.
    pub(super) fn part(
        &mut self,
        at: usize,
        of: NodeId,
        piece: Piece,
        index: usize,
    ) -> Result<NodeId, String> {
        let shape = self.b.shape(of);
        match piece.axis {
            Axis::Channel if piece.unit * piece.len == shape.channels() => {
                let op = Op::Chunk {
                    index,
                    of: piece.len,
                };
                self.push(at, op, &[of])
            }
            Axis::Token if index == 0 && shape.sequences() == Some([1, piece.len]) => {
                self.push(at, Op::FirstToken, &[of])
            }
            _ => Err(self.left(at, "a part that cannot be taken out by itself")),
        }
    }

    /// Every second pixel and the like, or windows that are put back with a shift.
    fn region(
        &mut self,
        at: usize,
        of: NodeId,
        by: [usize; 2],
        ranges: [Range; 2],
    ) -> Result<NodeId, String> {
        let side = self.b.shape(of).side().unwrap_or_default();
        let is_whole = ranges == side.map(Range::all);
        if by != [0; 2] {
            let shift = [0, 1].map(|axis| (side[axis] - by[axis]) % side[axis].max(1));
            if let (true, Op::Reassemble(p)) = (is_whole, self.b.op(of)) {
                let shifted = Partition {
                    deal: Deal::Blocks { shift },
                    ..p
                };
                let input = self.b.inputs(of)[0];
                if p.deal == (Deal::Blocks { shift: [0; 2] }) {
                    return self.push(at, Op::Reassemble(shifted), &[input]);
                }
            }
            return Err(self.left(at, "an image turned cyclically, outside of shifted windows"));
        }
        let [rows, cols] = ranges;
        let to_edge = rows.end == side[0] && cols.end == side[1];
        if is_whole {
            return Ok(of);
        }
        if !to_edge || (rows.start, rows.step) != (cols.start, cols.step) {
            return Err(self.left(
                at,
                "a part of an image other than every so-manieth pixel of both axes to the edge",
            ));
        }
        let image = match self.b.shape(of) {
            Shape::Image { .. } => of,
            _ => self.push(at, Op::ToImage, &[of])?,
        };
        let pixels = Op::Pixels {
            start: rows.start,
            step: rows.step,
        };
        let made = self.push(at, pixels, &[image])?;
        if image == of {
            return Ok(made);
        }
        self.push(at, Op::ToGrid, &[made])
    }
}
