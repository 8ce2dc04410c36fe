//! Sums and products of two values that both depend on the images.

use super::arrange::Kind;
use super::constant::Constant;
use super::curve::Curve;
use super::elementwise::of_two;
use super::import::Importer;
use super::layout::Layout;
use super::proto::NodeProto;
use super::value::{Data, Form, Made, Value};
use crate::arch::{NodeId, Op, Shape};

/// The same dimensions for both terms of a sum, whichever kind of activation has them.
const ANY: &[Kind] = &[
    Kind::Image,
    Kind::Grid,
    Kind::Tokens,
    Kind::Windows,
    Kind::Vector,
];

impl<'g> Importer<'g> {
    pub(super) fn with_data(
        &mut self,
        at: usize,
        node: &'g NodeProto,
        a: &'g str,
        b: &'g str,
    ) -> Made {
        let op = node.op_type.as_str();
        let (x, y) = (self.data(a)?, self.data(b)?);
        if let Some(form) = norm_part(op, &x, &y) {
            return Ok(vec![Self::form_value(form, x.layout, at)]);
        }
        // Sub(x, mean of x): x itself may have waited.
        if let (Form::Mean { of }, "Sub") = (&y.form, op) {
            let (node, layout) = self.settle(a)?;
            if node == *of {
                return Ok(vec![Self::form_value(
                    Form::Centred { of: node },
                    layout,
                    at,
                )]);
            }
        }
        if let Some(f) = of_two(op)
            && let (Some((n, f1)), Some((m, f2))) = (simple(&x), simple(&y))
            && n == m
            && x.layout == y.layout
            && (matches!(x.form, Form::Curve { .. }) || matches!(y.form, Form::Curve { .. }))
        {
            let form = Form::Curve {
                of: n,
                curve: f1.with(f2, f),
            };
            return Ok(vec![Self::form_value(form, x.layout, at)]);
        }
        match op {
            "Add" | "Sum" => self.add(at, a, b),
            "Mul" => self.gate(at, a, b),
            _ => Err("it is supported with a constant only".into()),
        }
    }

    fn add(&mut self, at: usize, a: &'g str, b: &'g str) -> Made {
        let (x, x_layout) = self.settle(a)?;
        let (y, y_layout) = self.settle(b)?;
        self.sum(at, (x, x_layout), (y, y_layout))
    }

    fn sum(
        &mut self,
        at: usize,
        (x, x_layout): (NodeId, Layout),
        (y, y_layout): (NodeId, Layout),
    ) -> Made {
        if x_layout.dims() != y_layout.dims() && x_layout.groups().len() != y_layout.groups().len()
        {
            return Err(format!(
                "values of {:?} and {:?} cannot be added here",
                x_layout.dims(),
                y_layout.dims()
            ));
        }
        if self.b.shape(x) == self.b.shape(y) && x_layout.groups() == y_layout.groups() {
            let node = self.push(at, Op::Add, &[x, y])?;
            return Ok(Self::node_value(node, x_layout, at));
        }
        let kind = ANY
            .iter()
            .find(|k| self.can_arrange(x, &x_layout, **k) && self.can_arrange(y, &y_layout, **k));
        let kind = [*kind.ok_or("its two terms have their dimensions in different orders")?];
        let (x, layout) = self.arrange(x, &x_layout, &kind, at)?;
        let (y, _) = self.arrange(y, &y_layout, &kind, at)?;
        let node = self.push(at, Op::Add, &[x, y])?;
        Ok(Self::node_value(node, layout, at))
    }

    /// The sum of any number of values.
    pub(super) fn sum_of_all(
        &mut self,
        at: usize,
        node: &'g NodeProto,
        constants: &[Option<Constant>],
    ) -> Made {
        if constants.iter().any(Option::is_some) {
            return Err("a sum of data and constants is supported as Add only".into());
        }
        let mut names = node.input.iter();
        let first = names.next().ok_or("it has no inputs")?;
        let (mut sum, mut layout) = self.settle(first)?;
        for name in names {
            let next = self.settle(name)?;
            let made = self.sum(at, (sum, layout), next)?;
            let Some(Value::Data(Data {
                form: Form::Node(node),
                layout: of_sum,
                ..
            })) = made.into_iter().next()
            else {
                return Err("it cannot be summed".into());
            };
            (sum, layout) = (node, of_sum);
        }
        Ok(Self::node_value(sum, layout, at))
    }

    /// An image times one factor a channel.
    fn gate(&mut self, at: usize, a: &'g str, b: &'g str) -> Made {
        let (x, x_layout) = self.settle(a)?;
        let (y, y_layout) = self.settle(b)?;
        let small = |node, importer: &Self| importer.b.shape(node).positions() == 1;
        let ((x, x_layout), (gate, gate_layout)) = if small(x, self) && !small(y, self) {
            ((y, y_layout), (x, x_layout))
        } else {
            ((x, x_layout), (y, y_layout))
        };
        let channels = self.b.shape(x).channels();
        let fits = self.b.shape(gate).len() == channels
            && small(gate, self)
            && x_layout.0.len() == gate_layout.0.len()
            && x_layout.channel_dim(channels) == gate_layout.channel_dim(channels);
        if !fits {
            return Err(format!(
                "a product of values of {:?} and {:?} is supported only if one of them has a single factor a channel",
                x_layout.dims(),
                gate_layout.dims()
            ));
        }
        let (x, layout) = self.arrange(x, &x_layout, &[Kind::Image, Kind::Grid], at)?;
        let (x, layout, turned) = match self.b.shape(x) {
            Shape::Grid { .. } => (self.push(at, Op::ToImage, &[x])?, layout, true),
            _ => (x, layout, false),
        };
        let gate = match self.b.shape(gate) {
            Shape::Grid { .. } => self.push(at, Op::ToImage, &[gate])?,
            _ => gate,
        };
        let mut node = self.push(at, Op::Gate, &[x, gate])?;
        if turned {
            node = self.push(at, Op::ToGrid, &[node])?;
        }
        Ok(Self::node_value(node, layout, at))
    }
}

/// A value that is a function of the numbers of a node.
fn simple(data: &Data) -> Option<(NodeId, Curve)> {
    match data.form {
        Form::Node(of) => Some((of, Curve::identity())),
        Form::Curve { of, curve } => Some((of, curve)),
        _ => None,
    }
}

/// A step of a layer norm that is written out.
fn norm_part(op: &str, x: &Data, y: &Data) -> Option<Form> {
    match (op, &x.form, &y.form) {
        ("Mul", Form::Centred { of }, Form::Centred { of: other }) if of == other => {
            Some(Form::Squared { of: *of })
        }
        ("Div", Form::Centred { of }, Form::Deviation { of: other, eps }) if of == other => {
            Some(Form::Normalised {
                of: *of,
                eps: *eps,
                scale: None,
            })
        }
        _ => None,
    }
}
