//! Operators that move and cut values.

use super::arrange::Kind;
use super::constant::Constant;
use super::dims::{Cut, axis};
use super::import::Importer;
use super::layout::{Axis, Layout, Piece, wide};
use super::proto::NodeProto;
use super::value::{Data, Form, Made, Range, Value};
use crate::arch::{NodeId, Shape};

impl<'g> Importer<'g> {
    /// A value whose dimensions may be called otherwise; with a margin, they have no name.
    pub(super) fn loose(&mut self, name: &'g str) -> Result<Data, String> {
        let data = self.data(name)?;
        match data.form {
            Form::Padded { .. } => {
                Err("a margin is supported only right before a convolution or pool".into())
            }
            _ => Ok(data),
        }
    }

    pub(super) fn reshape(&mut self, node: &'g NodeProto, constants: &[Option<Constant>]) -> Made {
        let data = self.loose(&node.input[0])?;
        let have = data.layout.dims();
        let dims = match self.folder.new_dims(node, &have, constants) {
            Ok(dims) => dims,
            Err(reason) => self.without_batch(&have, constants).ok_or(reason)?,
        };
        let layout = data.layout.reshaped(&dims).ok_or_else(|| {
            format!("a value of {have:?} cannot be taken over in the shape {dims:?}")
        })?;
        Ok(vec![Self::form_value(data.form, layout, data.at)])
    }

    /// A shape in which the file's own number of images stands in front.
    fn without_batch(&self, have: &[usize], constants: &[Option<Constant>]) -> Option<Vec<usize>> {
        let batch = self.graph.image.1[0].filter(|n| *n > 1)?;
        let shape = constants.get(1)?.as_ref()?;
        let mut wanted = self.folder.whole(shape).ok()?;
        if *wanted.first()? != batch as i64 {
            return None;
        }
        wanted[0] = 1;
        let count: usize = have.iter().product();
        let known: usize = wanted
            .iter()
            .filter(|d| **d > 0)
            .map(|d| *d as usize)
            .product();
        let dims = wanted.iter().map(|d| {
            if *d == -1 {
                count / known.max(1)
            } else {
                *d as usize
            }
        });
        let dims: Vec<usize> = dims.collect();
        (dims.iter().product::<usize>() == count).then_some(dims)
    }

    pub(super) fn slice(
        &mut self,
        at: usize,
        node: &'g NodeProto,
        constants: &[Option<Constant>],
    ) -> Made {
        let name = &node.input[0];
        let dims = self.loose(name)?.layout.dims();
        let mut data = self.loose(name)?;
        for cut in self.folder.slices(node, &dims, constants)? {
            if cut.count == dims[cut.axis] && cut.start == 0 && cut.step == 1 {
                continue;
            }
            if data.at != at {
                data = self.whole(name, cut.axis, at)?;
            }
            if !matches!(data.form, Form::Node(_) | Form::Region { .. }) {
                let (of, layout) = self.decide(&data)?;
                data = Data {
                    form: Form::Node(of),
                    layout,
                    at,
                };
            }
            data = self.cut(data, cut)?;
        }
        Ok(vec![Value::Data(Data { at, ..data })])
    }

    fn cut(&mut self, data: Data, cut: Cut) -> Result<Data, String> {
        let Data {
            form,
            mut layout,
            at,
        } = data;
        let length = layout.dims()[cut.axis];
        let refused = || {
            let Cut { axis, count, .. } = cut;
            format!("{count} of {length} along dimension {axis} cannot be taken out")
        };
        let (of, by, mut rows, mut cols) = match form {
            Form::Region { of, by, rows, cols } => (of, by, rows, cols),
            Form::Node(of) => {
                let [h, w] = self.b.shape(of).side().unwrap_or([1, 1]);
                (of, [0; 2], Range::all(h), Range::all(w))
            }
            _ => return Err(refused()),
        };
        let [piece] = layout.0[cut.axis][..] else {
            return Err(refused());
        };
        if cut.count == 0 || cut.step < 1 {
            return Err(refused());
        }
        let step = cut.step as usize;
        let range = match piece.axis {
            Axis::Row => &mut rows,
            Axis::Column => &mut cols,
            Axis::Channel | Axis::Token
                if (rows.count(), cols.count()) == self.sides(of) && by == [0; 2] =>
            {
                return self.pick(of, layout, at, cut, piece);
            }
            _ => return Err(refused()),
        };
        if piece.unit != 1 || piece.len != range.count() {
            return Err(refused());
        }
        let start = range.start + cut.start * range.step;
        *range = Range {
            start,
            end: (start + (cut.count - 1) * step * range.step + 1).min(range.end),
            step: step * range.step,
        };
        // To the edge is to the edge, whichever pixel of the last step that is.
        if cut.start + cut.count * step >= piece.len {
            range.end = match piece.axis {
                Axis::Row => self.sides(of).0,
                _ => self.sides(of).1,
            };
        }
        layout.0[cut.axis] = wide(vec![vec![Piece {
            len: cut.count,
            ..piece
        }]])
        .pop()
        .unwrap_or_default();
        Ok(Data {
            form: Form::Region { of, by, rows, cols },
            layout,
            at,
        })
    }

    pub(super) fn sides(&self, of: NodeId) -> (usize, usize) {
        let [h, w] = self.b.shape(of).side().unwrap_or([1, 1]);
        (h, w)
    }

    /// The value called `name`, to be cut along `axis` on behalf of the node `at`: channels that were dealt
    /// out are in order, and windows back in their grid. All parts are cut from the same.
    fn whole(&mut self, name: &'g str, axis: usize, at: usize) -> Result<Data, String> {
        let data = self.loose(name)?;
        if matches!(data.form, Form::Region { .. }) {
            return Ok(Data { at, ..data });
        }
        let (of, layout) = self.settle(name)?;
        let is_mixed = layout.0[axis].len() > 1;
        if is_mixed || matches!(self.b.shape(of), Shape::Windows { .. }) {
            let kinds = [
                Kind::Grid,
                Kind::Image,
                Kind::Tokens,
                Kind::Windows,
                Kind::Vector,
            ];
            if kinds.iter().any(|k| self.can_arrange(of, &layout, *k)) {
                let (of, layout) = self.arrange(of, &layout, &kinds, data.at)?;
                self.store(name, of, layout);
            }
        }
        let data = self.data(name)?;
        Ok(Data { at, ..data })
    }

    /// A part of the channels that is one of equal ones, or the first token.
    fn pick(
        &self,
        of: NodeId,
        mut layout: Layout,
        at: usize,
        cut: Cut,
        piece: Piece,
    ) -> Result<Data, String> {
        let fits = cut.step == 1
            && cut.start.is_multiple_of(cut.count)
            && piece.len.is_multiple_of(cut.count);
        if !fits {
            return Err(format!(
                "{} of {} from number {} on are not one of several equal parts",
                cut.count, piece.len, cut.start
            ));
        }
        let [high, low] = piece.split(cut.count);
        layout.0[cut.axis] = wide(vec![vec![low]]).pop().unwrap_or_default();
        let form = Form::Picked {
            of,
            piece: high,
            index: cut.start / cut.count,
            factor: 1.0,
        };
        Ok(Data { form, layout, at })
    }

    pub(super) fn split(
        &mut self,
        at: usize,
        node: &'g NodeProto,
        constants: &[Option<Constant>],
    ) -> Made {
        let name = &node.input[0];
        let dims = self.loose(name)?.layout.dims();
        let (axis, parts) = self.folder.parts(node, &dims, constants)?;
        self.settle(name)?;
        let whole = self.whole(name, axis, at)?;
        let mut start = 0;
        let mut values = Vec::with_capacity(parts.len());
        for count in parts {
            let cut = Cut {
                axis,
                start,
                step: 1,
                count,
            };
            start += count;
            values.push(Value::Data(self.cut(whole.clone(), cut)?));
        }
        Ok(values)
    }

    pub(super) fn gather(
        &mut self,
        at: usize,
        node: &'g NodeProto,
        constants: &[Option<Constant>],
    ) -> Made {
        let indices = constants.get(1).and_then(Option::as_ref);
        let indices = indices.ok_or("its indices depend on the images")?;
        let name = &node.input[0];
        let dims = self.loose(name)?.layout.dims();
        let axis = axis(node.int("axis").unwrap_or(0), dims.len())?;
        let Some(index) = indices.single(&self.graph.stored) else {
            return self.gather_all(at, name, axis, indices);
        };
        let index = index as i64;
        let length = dims[axis] as i64;
        let start = if index < 0 { index + length } else { index };
        if !(0..length).contains(&start) {
            return Err(format!("there is no element {index} of {length}"));
        }
        let mut data = self.loose(name)?;
        if length > 1 {
            let cut = Cut {
                axis,
                start: start as usize,
                step: 1,
                count: 1,
            };
            self.settle(name)?;
            let whole = self.whole(name, axis, at)?;
            data = self.cut(whole, cut)?;
        }
        // An index without dimensions takes the dimension away.
        if indices.shape().is_empty() {
            data.layout.0.remove(axis);
        }
        Ok(vec![Value::Data(Data { at, ..data })])
    }

    /// All elements of an axis in their order, which is a reshape (PyTorch's `as_strided`).
    fn gather_all(&mut self, at: usize, name: &'g str, axis: usize, indices: &Constant) -> Made {
        let data = self.loose(name)?;
        let mut dims = data.layout.dims();
        let counted = (0..dims[axis]).map(|i| i as i64);
        if indices.len() != dims[axis] || !self.folder.whole(indices)?.into_iter().eq(counted) {
            return Err("only a single index is supported, or all in their order".into());
        }
        dims.splice(axis..=axis, indices.shape().iter().copied());
        let layout = data
            .layout
            .reshaped(&dims)
            .ok_or("its dimensions do not fit")?;
        Ok(vec![Self::form_value(data.form, layout, at)])
    }
}
