//! Attention as exporters write it: two matrix products with a softmax between them.

use super::Recipe;
use super::constant::Constant;
use super::elementwise::Side;
use super::import::Importer;
use super::layers::joined;
use super::layout::{Axis, Layout, Piece, wide};
use super::value::{Data, Form, Head, Made, Scores};
use crate::arch::{Attention, AttentionKind, NodeId, Op, Partition, Projection, Shape};

/// How far a file's factor of the scores may be from `1 / sqrt(d)`, as a share: it is made of 32-bit roots.
const TOLERANCE: f64 = 1e-4;

/// What masks add to scores that must not count; anything this low comes to the same.
const MASKED: f64 = -50.0;

impl<'g> Importer<'g> {
    /// Queries times keys, or weights times values.
    pub(super) fn attention_product(&mut self, at: usize, a: &'g str, b: &'g str) -> Made {
        let right = self.data(b)?;
        if let Form::Scores(scores) = self.data(a)?.form {
            let layout = self.data(a)?.layout;
            let (value, factor) = self.head(b, right, Order::Rows)?;
            if factor != 1.0 {
                return Err("its values have a factor".into());
            }
            return self.attend(at, &scores, value, &layout);
        }
        let left = self.data(a)?;
        let rank = left.layout.0.len();
        let (query, q_factor) = self.head(a, left, Order::Rows)?;
        let (key, k_factor) = self.head(b, right, Order::Columns)?;
        let same = |h: Head| (h.heads, h.width, self.b.shape(h.of).sequences());
        if same(query) != same(key) {
            return Err("queries and keys are cut differently".into());
        }
        let Some([windows, tokens]) = self.b.shape(query.of).sequences() else {
            return Err("its queries are no tokens".into());
        };
        let mut dims = wide(vec![vec![Piece::whole(Axis::Window, windows)]]);
        dims.push(
            wide(vec![vec![Piece::whole(Axis::Channel, query.heads)]])
                .pop()
                .unwrap_or_default(),
        );
        // Rows stand for the keys.
        dims.push(vec![Piece::whole(Axis::Token, tokens)]);
        dims.push(vec![Piece::whole(Axis::Row, tokens)]);
        while dims.len() < rank {
            dims.insert(0, Vec::new());
        }
        let scores = Scores {
            query,
            key,
            factor: q_factor * k_factor,
            added: Vec::new(),
            softmax: false,
        };
        Ok(vec![Self::form_value(
            Form::Scores(Box::new(scores)),
            Layout(dims),
            at,
        )])
    }

    /// A value as queries, keys or values, and its factor.
    fn head(&mut self, name: &'g str, data: Data, order: Order) -> Result<(Head, f64), String> {
        let (of, part, factor, layout) = match data.form {
            Form::Picked {
                of,
                piece,
                index,
                factor,
            } if piece.axis == Axis::Channel
                && piece.unit * piece.len == self.b.shape(of).channels() =>
            {
                (of, Some([index, piece.len]), factor, data.layout)
            }
            Form::Curve { of, curve } if matches!(curve.line(), Some([_, 0.0])) => {
                let factor = curve.line().map_or(1.0, |l| l[0]);
                (of, None, factor, data.layout)
            }
            _ => {
                let (of, layout) = self.settle(name)?;
                (of, None, 1.0, layout)
            }
        };
        let shape = self.b.shape(of);
        let channels = shape.channels() / part.map_or(1, |p| p[1]);
        let [windows, tokens] = shape
            .sequences()
            .ok_or("attention runs over tokens, and its input has none")?;
        let groups = layout.groups();
        let within = match order {
            Order::Rows => groups.last(),
            Order::Columns => groups.len().checked_sub(2).and_then(|i| groups.get(i)),
        };
        let width = match within.map(Vec::as_slice) {
            Some([piece]) if piece.axis == Axis::Channel && piece.unit == 1 => piece.len,
            _ => {
                return Err(
                    "the dimensions of its input are not those of attention's heads".into(),
                );
            }
        };
        if !channels.is_multiple_of(width) {
            return Err("its heads are no equal parts of the channels".into());
        }
        let heads = Piece {
            axis: Axis::Channel,
            unit: width,
            len: channels / width,
        };
        let (token, within) = (
            Piece::whole(Axis::Token, tokens),
            Piece::whole(Axis::Channel, width),
        );
        let mut expected = vec![vec![Piece::whole(Axis::Window, windows)], vec![heads]];
        expected.extend(match order {
            Order::Rows => [vec![token], vec![within]],
            Order::Columns => [vec![within], vec![token]],
        });
        if groups != wide(expected) {
            return Err("the dimensions of its input are not those of attention's heads".into());
        }
        let head = Head {
            of,
            part,
            heads: heads.len,
            width,
        };
        Ok((head, factor))
    }

    /// Scores with a number, a mask or a table of biases.
    pub(super) fn score_with(
        &mut self,
        at: usize,
        op: &str,
        data: &Data,
        constant: &Constant,
        side: Side,
    ) -> Made {
        let Form::Scores(scores) = &data.form else {
            return Err("it is no part of an attention".into());
        };
        let mut scores = scores.clone();
        let number = constant.single(&self.graph.stored);
        if scores.softmax {
            return Err("attention's weights are changed after the softmax".into());
        }
        match (op, number) {
            ("Mul", Some(number)) if scores.added.is_empty() => scores.factor *= number,
            ("Div", Some(number)) if scores.added.is_empty() && side == Side::Right => {
                scores.factor /= number;
            }
            ("Add", _) => {
                let dims = data.layout.dims();
                let table = constant.expanded(&dims);
                scores.added.push(table.ok_or_else(|| {
                    format!(
                        "scores of {dims:?} cannot be added to a constant of {:?}",
                        constant.shape()
                    )
                })?);
            }
            _ => {
                return Err(
                    "this is not done to the scores of any attention that is supported".into(),
                );
            }
        }
        Ok(vec![Self::form_value(
            Form::Scores(scores),
            data.layout.clone(),
            at,
        )])
    }

    /// The whole attention.
    fn attend(&mut self, at: usize, scores: &Scores, value: Head, layout: &Layout) -> Made {
        let Scores {
            query,
            key,
            factor,
            added,
            softmax,
        } = scores;
        if !softmax {
            return Err("there is no softmax between its two products".into());
        }
        let usual = 1.0 / (query.width as f64).sqrt();
        if (factor / usual - 1.0).abs() > TOLERANCE {
            return Err(format!(
                "its scores have the factor {factor:.6}; only 1 / sqrt({}) is supported",
                query.width
            ));
        }
        let same = |h: &Head| (h.heads, h.width, self.b.shape(h.of).sequences());
        if same(&value) != same(query) {
            return Err("queries and values are cut differently".into());
        }
        let third = |i: usize| Some([i, 3]);
        let fused = [query, key, &value]
            .iter()
            .enumerate()
            .all(|(i, h)| h.of == query.of && h.part == third(i));
        let input = if fused {
            query.of
        } else {
            let mut parts = Vec::new();
            for head in [query, key, &value] {
                parts.push(self.whole_head(at, head)?);
            }
            self.push(at, Op::Concat, &parts)?
        };
        let mut core = Attention {
            channels: query.heads * query.width,
            heads: query.heads,
            kind: AttentionKind::Fused,
        };
        let made = match self.partition_of(input) {
            Some(partition) => {
                core.kind = AttentionKind::Windowed(partition);
                let table = self.bias_table(core, &partition, added)?;
                self.windowed(at, core, input, table)?
            }
            None if !added.is_empty() => return Err("something is added to its scores".into()),
            None => {
                if let Op::Projection(Projection::MultiheadIn, _) = self.b.op(input) {
                    core.kind = AttentionKind::Multihead;
                }
                self.push(at, Op::Attention(core), &[input])?
            }
        };
        let mut dims = layout.0.clone();
        let heads = Piece {
            axis: Axis::Channel,
            unit: query.width,
            len: query.heads,
        };
        for group in &mut dims {
            if group.iter().any(|p| p.axis == Axis::Channel) {
                *group = vec![heads];
            }
        }
        if let Some(last) = dims.last_mut() {
            *last = wide(vec![vec![Piece::whole(Axis::Channel, query.width)]])
                .pop()
                .unwrap_or_default();
        }
        Ok(Self::node_value(made, Layout(dims), at))
    }

    /// Queries, keys or values by themselves.
    fn whole_head(&mut self, at: usize, head: &Head) -> Result<NodeId, String> {
        let Some([index, of]) = head.part else {
            return Ok(head.of);
        };
        self.push(at, Op::Chunk { index, of }, &[head.of])
    }

    /// The windows that tokens were dealt out to, layers back.
    fn partition_of(&self, mut node: NodeId) -> Option<Partition> {
        if !matches!(self.b.shape(node), Shape::Windows { .. }) {
            return None;
        }
        loop {
            if let Op::Partition(partition) = self.b.op(node) {
                return Some(partition);
            }
            node = *self.b.inputs(node).first()?;
        }
    }

    fn windowed(
        &mut self,
        at: usize,
        core: Attention,
        input: NodeId,
        table: Vec<f64>,
    ) -> Result<NodeId, String> {
        let offsets = core.offsets().ok_or("it has no windows")?;
        let path = self.layer_path(&[], at);
        let module = self.b.attention(&path, core);
        let table = Constant::computed(vec![offsets.len(), core.heads], table, false);
        self.tensor(Recipe::of(
            joined(&path, "relative_position_bias_table"),
            table,
        ));
        let pairs = offsets
            .of_pairs()
            .iter()
            .map(|i| *i as f64)
            .collect::<Vec<_>>();
        let pairs = Constant::computed(vec![pairs.len()], pairs, true);
        self.tensor(Recipe::of(joined(&path, "relative_position_index"), pairs));
        self.call(module, input)
    }

    /// What is added to the scores, as a bias for every offset and head, `[offsets, heads]`; where regions
    /// of shifted windows differ it must be a mask.
    fn bias_table(
        &self,
        core: Attention,
        partition: &Partition,
        added: &[Constant],
    ) -> Result<Vec<f64>, String> {
        let offsets = core.offsets().ok_or("it has no windows")?;
        let (windows, tokens, heads) = (partition.windows(), partition.tokens(), core.heads);
        let pairs = tokens * tokens;
        let tables: Result<Vec<_>, String> = added
            .iter()
            .map(|c| Table::of(c, self, windows, heads, pairs))
            .collect();
        let tables = tables?;
        let regions = partition.regions();
        let of_pairs = offsets.of_pairs();
        let mut table = vec![0.0; offsets.len() * heads];
        let mut known = vec![false; table.len()];
        for window in 0..windows {
            for head in 0..heads {
                for (pair, &offset) in of_pairs.iter().enumerate() {
                    let sum: f64 = tables.iter().map(|t| t.at(window, head, pair)).sum();
                    let region = |token: usize| regions[window * tokens + token];
                    if region(pair / tokens) != region(pair % tokens) {
                        if sum > MASKED {
                            return Err("tokens of different regions see each other".into());
                        }
                        continue;
                    }
                    let place = offset * heads + head;
                    if !std::mem::replace(&mut known[place], true) {
                        table[place] = sum;
                    } else if (table[place] - sum).abs() > 1e-5 {
                        return Err(
                            "its biases are no function of the offset within a window".into()
                        );
                    }
                }
            }
        }
        Ok(table)
    }
}

/// Whether tokens are the last dimension but one, or the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Rows,
    Columns,
}

/// A table that is added to scores, `[windows, heads, pairs]`, where it may be the same for all windows or
/// heads.
struct Table {
    numbers: Vec<f64>,
    /// How far apart windows, heads and pairs lie; zero where all are the same.
    steps: [usize; 3],
}

impl Table {
    fn of(
        constant: &Constant,
        importer: &Importer<'_>,
        windows: usize,
        heads: usize,
        pairs: usize,
    ) -> Result<Self, String> {
        // Dimensions that are only repeated are taken once.
        let mut once = constant.clone();
        for axis in 0..once.shape().len() {
            if once.view.steps[axis] == 0 && once.shape()[axis] > 1 {
                once = once.sliced(axis, 0, 1, 1);
            }
        }
        let numbers = once.numbers(importer.folder.stored)?;
        let count = numbers.len();
        let steps = if count == windows * heads * pairs {
            [heads * pairs, pairs, 1]
        } else if count == heads * pairs && count != windows * pairs {
            [0, pairs, 1]
        } else if count == windows * pairs && count != heads * pairs {
            [pairs, 0, 1]
        } else if count == heads * pairs {
            // As many windows as heads: the dimension that is not repeated tells.
            let dims: Vec<usize> = once.shape().iter().copied().filter(|d| *d > 1).collect();
            let first = constant.shape().iter().position(|d| *d > 1);
            let is_window = dims.len() == 3 && first.is_some_and(|f| once.shape()[f] > 1);
            if is_window {
                [pairs, 0, 1]
            } else {
                [0, pairs, 1]
            }
        } else if count == 1 {
            [0; 3]
        } else {
            return Err("what is added to its scores has an unknown shape".into());
        };
        Ok(Self { numbers, steps })
    }

    fn at(&self, window: usize, head: usize, pair: usize) -> f64 {
        let [w, h, p] = self.steps;
        self.numbers[window * w + head * h + pair * p]
    }
}
