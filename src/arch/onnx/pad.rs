//! Margins: kept for the layer behind them, or made of zeros along the channels.

use super::arrange::Kind;
use super::constant::Constant;
use super::import::Importer;
use super::layout::{Axis, Piece, wide};
use super::proto::NodeProto;
use super::value::{Form, Made, Value};
use crate::arch::{NodeId, Op};

impl<'g> Importer<'g> {
    pub(super) fn pad(
        &mut self,
        at: usize,
        node: &'g NodeProto,
        constants: &[Option<Constant>],
    ) -> Made {
        let name = &node.input[0];
        let data = self.data(name)?;
        let mode = node.text("mode").unwrap_or("constant");
        let rank = data.layout.0.len();
        let given = self.folder.whole_from(node, "pads", 1, constants)?;
        let given = given.ok_or("its pads depend on the images")?;
        let axes = match constants.get(3).and_then(Option::as_ref) {
            Some(axes) => super::dims::axes(&self.folder.whole(axes)?, rank)?,
            None => (0..rank).collect(),
        };
        if given.len() != 2 * axes.len() {
            return Err(format!("its pads {given:?} are not two a dimension"));
        }
        let mut pads = vec![[0_usize; 2]; rank];
        for (i, &axis) in axes.iter().enumerate() {
            for (side, n) in [given[i], given[i + axes.len()]].into_iter().enumerate() {
                let n = u16::try_from(n)
                    .map_err(|_| format!("its pads {given:?} cannot be taken over"))?;
                pads[axis][side] = n.into();
            }
        }
        if pads.iter().all(|p| *p == [0; 2]) {
            return Ok(vec![Value::Data(data)]);
        }
        if mode != "constant" {
            return Err(format!("its mode \"{mode}\" is not supported"));
        }
        let value = match constants.get(2).and_then(Option::as_ref) {
            Some(value) => value
                .single(&self.graph.stored)
                .ok_or("its value cannot be read")?,
            None => node.float("value").unwrap_or(0.0),
        };
        let (of, layout) = self.settle_as(name, &[Kind::Image])?;
        if rank != 4 || pads[0] != [0; 2] {
            return Err("only images can be padded".into());
        }
        if pads[1] != [0; 2] {
            if pads[2] != [0; 2] || pads[3] != [0; 2] || value != 0.0 {
                return Err("channels are padded with zeros, and nothing else with them".into());
            }
            let made = self.pad_channels(at, of, pads[1])?;
            let layout = layout
                .renewed(self.b.shape(made))
                .ok_or("its dimensions do not fit")?;
            return Ok(Self::node_value(made, layout, at));
        }
        let form = Form::Padded {
            of,
            pads: [pads[2][0], pads[3][0], pads[2][1], pads[3][1]],
            value,
        };
        let mut layout = layout;
        for (dim, axis, side) in [(2, Axis::Row, 0), (3, Axis::Column, 1)] {
            let length =
                self.b.shape(of).side().unwrap_or_default()[side] + pads[dim][0] + pads[dim][1];
            layout.0[dim] = wide(vec![vec![Piece::whole(axis, length)]])
                .pop()
                .unwrap_or_default();
        }
        Ok(vec![Self::form_value(form, layout, at)])
    }

    /// Zeros before and behind the channels, made from parts of the image of the same width.
    fn pad_channels(
        &mut self,
        at: usize,
        of: NodeId,
        [before, behind]: [usize; 2],
    ) -> Result<NodeId, String> {
        let channels = self.b.shape(of).channels();
        let mut parts = Vec::new();
        for count in [before, channels, behind] {
            if count == 0 {
                continue;
            }
            if parts.len() == usize::from(before > 0) && count == channels && !parts.contains(&of) {
                parts.push(of);
                continue;
            }
            if !channels.is_multiple_of(count) {
                return Err(format!(
                    "{count} further channels are no part of {channels}"
                ));
            }
            let chunk = Op::Chunk {
                index: 0,
                of: channels / count,
            };
            let part = if count == channels {
                of
            } else {
                self.push(at, chunk, &[of])?
            };
            parts.push(self.push(at, Op::Zeros, &[part])?);
        }
        self.push(at, Op::Concat, &parts)
    }
}
