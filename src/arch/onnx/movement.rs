//! Operators that move, cut and join values.

use super::Recipe;
use super::arrange::Kind;
use super::constant::Constant;
use super::fold::{Cut, axis, order, shape_of};
use super::import::Importer;
use super::layers::joined;
use super::layout::{Axis, Layout, Piece, groups_of, wide};
use super::proto::NodeProto;
use super::value::{Data, Form, Range, Value};
use crate::arch::{NodeId, Op, Shape};

type Made = Result<Vec<Value>, String>;

/// Where the pixels of a 2x2 square begin that patch merging puts side by side, in its order.
const SQUARE: [[usize; 2]; 4] = [[0, 0], [1, 0], [0, 1], [1, 1]];

impl<'g> Importer<'g> {
    /// Whether there is anything to do with data for an operator of this name.
    pub(super) fn takes_data(op: &str) -> bool {
        matches!(
            op,
            "Conv"
                | "Gemm"
                | "MatMul"
                | "BatchNormalization"
                | "LayerNormalization"
                | "MaxPool"
                | "AveragePool"
                | "GlobalAveragePool"
                | "GlobalMaxPool"
                | "ReduceMean"
                | "Softmax"
                | "LogSoftmax"
                | "Add"
                | "Sub"
                | "Mul"
                | "Div"
                | "Pow"
                | "Min"
                | "Max"
                | "Sum"
                | "Relu"
                | "Sigmoid"
                | "Tanh"
                | "Erf"
                | "Exp"
                | "Neg"
                | "Abs"
                | "Reciprocal"
                | "Sqrt"
                | "Softplus"
                | "HardSwish"
                | "HardSigmoid"
                | "LeakyRelu"
                | "Elu"
                | "Gelu"
                | "Clip"
                | "Dropout"
                | "Identity"
                | "Cast"
                | "CastLike"
                | "Shape"
                | "Reshape"
                | "Flatten"
                | "Squeeze"
                | "Unsqueeze"
                | "Transpose"
                | "Slice"
                | "Split"
                | "Gather"
                | "Concat"
                | "Pad"
                | "Expand"
        )
    }

    /// A node with at least one input that depends on the images; `constants` has the others.
    pub(super) fn data_node(
        &mut self,
        at: usize,
        node: &'g NodeProto,
        constants: &[Option<Constant>],
    ) -> Made {
        let first = node.input.first().ok_or("it has no inputs")?;
        match node.op_type.as_str() {
            "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Min" | "Max" if node.input.len() == 2 => {
                self.binary(at, node, constants)
            }
            "Sum" => self.sum_of_all(at, node, constants),
            "Concat" => self.concat(at, node, constants),
            "MatMul" => self.matmul(at, node, constants),
            _ if !self.is_data(first) => {
                Err("its first input does not depend on the images".into())
            }
            "Conv" => self.conv(at, node, constants),
            "Gemm" => self.gemm(at, node, constants),
            "BatchNormalization" => self.batch_norm(at, node, constants),
            "LayerNormalization" => self.layer_normalization(at, node, constants),
            "MaxPool" | "AveragePool" => self.pool(at, node),
            "GlobalAveragePool" | "GlobalMaxPool" => self.global_pool(at, node),
            "ReduceMean" => self.reduce_mean(at, node, constants),
            "Softmax" | "LogSoftmax" => self.softmax(at, node),
            "Dropout" => self.dropout(at, node, constants),
            "Identity" | "Cast" | "CastLike" => self.same(node),
            "Shape" => {
                let dims = self.data(first)?.layout.dims();
                Ok(vec![Value::Constant(shape_of(node, &dims))])
            }
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => self.reshape(node, constants),
            "Transpose" => {
                let data = self.loose(first)?;
                let layout = data.layout.transposed(&order(node, data.layout.0.len())?);
                Ok(vec![Self::form_value(data.form, layout, data.at)])
            }
            "Expand" => {
                let data = self.data(first)?;
                let wanted = constants.get(1).and_then(Option::as_ref);
                let wanted = self
                    .folder
                    .dims(wanted.ok_or("its shape depends on the images")?)?;
                let dims = data.layout.dims();
                if super::fold::broadcast(&dims, &wanted)? == dims {
                    return Ok(vec![Value::Data(data)]);
                }
                Err("data that is repeated cannot be taken over".into())
            }
            "Slice" => self.slice(at, node, constants),
            "Split" => self.split(at, node, constants),
            "Gather" => self.gather(at, node, constants),
            "Pad" => self.pad(at, node, constants),
            _ => self.unary(at, node, constants),
        }
    }

    /// A value whose dimensions may be called otherwise; with a margin, they have no name.
    fn loose(&mut self, name: &'g str) -> Result<Data, String> {
        let data = self.data(name)?;
        match data.form {
            Form::Padded { .. } => {
                Err("a margin is supported only right before a convolution or pool".into())
            }
            _ => Ok(data),
        }
    }

    fn same(&mut self, node: &'g NodeProto) -> Made {
        let whole = node
            .int("to")
            .is_some_and(|to| super::constant::is_integer(to as i32));
        if whole {
            return Err("data that is rounded to whole numbers cannot be taken over".into());
        }
        let data = self.data(&node.input[0])?;
        Ok(vec![Value::Data(data)])
    }

    /// Kept, so that training drops, too.
    fn dropout(&mut self, at: usize, node: &'g NodeProto, constants: &[Option<Constant>]) -> Made {
        let given = constants.get(1).cloned().flatten();
        let given = given.and_then(|r| r.single(&self.graph.stored));
        let p = node.float("ratio").or(given).unwrap_or(0.5);
        if !(0.0..1.0).contains(&p) {
            return Err(format!("its ratio {p} is no probability below one"));
        }
        let (input, layout) = self.settle(&node.input[0])?;
        let p = f64::from((p * 1e6).round() as u32) / 1e6;
        let made = self.push(at, Op::Dropout { p }, &[input])?;
        Ok(Self::node_value(made, layout, at))
    }

    fn reshape(&mut self, node: &'g NodeProto, constants: &[Option<Constant>]) -> Made {
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

    fn slice(&mut self, at: usize, node: &'g NodeProto, constants: &[Option<Constant>]) -> Made {
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

    fn sides(&self, of: NodeId) -> (usize, usize) {
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

    fn split(&mut self, at: usize, node: &'g NodeProto, constants: &[Option<Constant>]) -> Made {
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

    fn gather(&mut self, at: usize, node: &'g NodeProto, constants: &[Option<Constant>]) -> Made {
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

    fn concat(&mut self, at: usize, node: &'g NodeProto, constants: &[Option<Constant>]) -> Made {
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
        let fits = super::fold::broadcast(constant.shape(), &dims)? == dims
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

    fn pad(&mut self, at: usize, node: &'g NodeProto, constants: &[Option<Constant>]) -> Made {
        let name = &node.input[0];
        let data = self.data(name)?;
        let mode = node.text("mode").unwrap_or("constant");
        let rank = data.layout.0.len();
        let given = self.folder.whole_from(node, "pads", 1, constants)?;
        let given = given.ok_or("its pads depend on the images")?;
        let axes = match constants.get(3).and_then(Option::as_ref) {
            Some(axes) => super::fold::axes(&self.folder.whole(axes)?, rank)?,
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

    /// Attention's softmax, or one behind the logits, which is left out.
    fn softmax(&mut self, at: usize, node: &'g NodeProto) -> Made {
        let data = self.data(&node.input[0])?;
        if let Form::Scores(scores) = &data.form {
            let rank = data.layout.0.len();
            // Before opset 13, the softmax ran over all dimensions from this one on.
            let usual = if self.graph.opset < 13 { 1 } else { -1 };
            let axis = axis(node.int("axis").unwrap_or(usual), rank)?;
            if axis + 1 != rank || scores.softmax || node.op_type != "Softmax" {
                return Err("attention's softmax must run over the last dimension".into());
            }
            let mut scores = scores.clone();
            scores.softmax = true;
            return Ok(vec![Self::form_value(
                Form::Scores(scores),
                data.layout,
                at,
            )]);
        }
        let output = node.output.first().map_or("", String::as_str);
        if self.is_tail(output) {
            return Ok(vec![Value::Data(data)]);
        }
        Err("a softmax is supported in attention and behind the logits".into())
    }
}
