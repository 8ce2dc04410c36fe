//! Operators that work on each number by itself, and those of a value and a constant.

use super::constant::Constant;
use super::curve::{Curve, erf, gelu};
use super::import::Importer;
use super::layout::Layout;
use super::proto::NodeProto;
use super::value::{Data, Form, LayerKind, Made};
use crate::arch::NodeId;

/// The function of an operator on one number, if it is one.
pub(super) fn function(
    node: &NodeProto,
    limits: [Option<f64>; 2],
) -> Option<Box<dyn Fn(f64) -> f64>> {
    let number = |name: &str, otherwise: f64| node.float(name).unwrap_or(otherwise);
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    Some(match node.op_type.as_str() {
        "Relu" => Box::new(|x| x.max(0.0)),
        "Sigmoid" => Box::new(sigmoid),
        "Tanh" => Box::new(f64::tanh),
        "Erf" => Box::new(erf),
        "Exp" => Box::new(f64::exp),
        "Neg" => Box::new(|x| -x),
        "Abs" => Box::new(f64::abs),
        "Reciprocal" => Box::new(|x| 1.0 / x),
        "Softplus" => Box::new(|x| x.exp().ln_1p()),
        "HardSwish" => Box::new(|x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0)),
        "HardSigmoid" => {
            let (alpha, beta) = (number("alpha", 0.2), number("beta", 0.5));
            Box::new(move |x| (alpha * x + beta).clamp(0.0, 1.0))
        }
        "LeakyRelu" => {
            let alpha = number("alpha", 0.01);
            Box::new(move |x| if x < 0.0 { alpha * x } else { x })
        }
        "Elu" => {
            let alpha = number("alpha", 1.0);
            Box::new(move |x| if x < 0.0 { alpha * x.exp_m1() } else { x })
        }
        "Gelu" if node.text("approximate") == Some("tanh") => Box::new(|x| {
            let root = (2.0 / std::f64::consts::PI).sqrt();
            0.5 * x * (1.0 + (root * (x + 0.044_715 * x.powi(3))).tanh())
        }),
        "Gelu" => Box::new(gelu),
        "Clip" => {
            let low = limits[0].unwrap_or(f64::NEG_INFINITY);
            let high = limits[1].unwrap_or(f64::INFINITY);
            Box::new(move |x| x.max(low).min(high))
        }
        _ => return None,
    })
}

impl<'g> Importer<'g> {
    /// An operator on each number by itself.
    pub(super) fn unary(
        &mut self,
        at: usize,
        node: &'g NodeProto,
        constants: &[Option<Constant>],
    ) -> Made {
        let name = &node.input[0];
        let data = self.data(name)?;
        if let (Form::Variance { of, eps }, "Sqrt") = (&data.form, node.op_type.as_str()) {
            let form = Form::Deviation { of: *of, eps: *eps };
            return Ok(vec![Self::form_value(form, data.layout, at)]);
        }
        let mut limits = [node.float("min"), node.float("max")];
        for (i, limit) in limits.iter_mut().enumerate() {
            if let Some(Some(given)) = constants.get(i + 1) {
                let single = given.single(&self.graph.stored);
                *limit = Some(single.ok_or("its limits must be single numbers")?);
            }
        }
        let Some(f) = function(node, limits) else {
            return Err("this operator is supported for constants only".into());
        };
        let (of, curve, layout) = self.curve(name)?;
        let curve = curve.map(f);
        Ok(vec![Self::form_value(
            Form::Curve { of, curve },
            layout,
            at,
        )])
    }

    /// A value as a function of the numbers of a node.
    fn curve(&mut self, name: &'g str) -> Result<(NodeId, Curve, Layout), String> {
        let data = self.data(name)?;
        if let Form::Curve { of, curve } = data.form {
            return Ok((of, curve, data.layout));
        }
        let (of, layout) = self.settle(name)?;
        Ok((of, Curve::identity(), layout))
    }

    /// A sum, difference, product, quotient, power, or the smaller or larger of two values.
    pub(super) fn binary(
        &mut self,
        at: usize,
        node: &'g NodeProto,
        constants: &[Option<Constant>],
    ) -> Made {
        let [a, b] = &node.input[..] else {
            return Err("it takes two inputs".into());
        };
        match (&constants[0], &constants[1]) {
            (None, Some(c)) => self.with_constant(at, node, a, c, Side::Right),
            (Some(c), None) => self.with_constant(at, node, b, c, Side::Left),
            _ => self.with_data(at, node, a, b),
        }
    }

    fn with_constant(
        &mut self,
        at: usize,
        node: &'g NodeProto,
        name: &'g str,
        constant: &Constant,
        side: Side,
    ) -> Made {
        let data = self.data(name)?;
        let op = node.op_type.as_str();
        if let Form::Scores(_) = data.form {
            return self.score_with(at, op, &data, constant, side);
        }
        if constant.len() == 1 && constant.shape().len() <= data.layout.0.len() {
            let number = constant.single(&self.graph.stored);
            let number = number.ok_or("the value of its constant cannot be read")?;
            return self.with_number(at, op, name, number, side);
        }
        if let Some(vector) = self.per_channel(&data.layout, constant, self.width(&data)) {
            return self.with_channels(at, op, name, &vector, side);
        }
        if op == "Add" && constant.shape().len() <= data.layout.0.len() {
            return self.positions(at, name, constant);
        }
        Err(format!(
            "a constant of shape {:?} cannot be combined with a value of {:?} in this way",
            constant.shape(),
            data.layout.dims()
        ))
    }

    /// Channels of the activation that a value belongs to.
    fn width(&self, data: &Data) -> usize {
        match &data.form {
            Form::Layer(layer) => match layer.kind {
                LayerKind::Conv(c) => c.out_channels,
                LayerKind::Linear(l) => l.out_features,
            },
            Form::Node(of)
            | Form::Curve { of, .. }
            | Form::Affine { of, .. }
            | Form::Normalised { of, .. }
            | Form::Padded { of, .. } => self.b.shape(*of).channels(),
            _ => 0,
        }
    }

    /// The constant as one number for each of the channels, if that is what it is.
    pub(super) fn per_channel(
        &self,
        layout: &Layout,
        constant: &Constant,
        channels: usize,
    ) -> Option<Constant> {
        let dim = layout.channel_dim(channels)?;
        let rank = layout.0.len();
        let front = rank.checked_sub(constant.shape().len())?;
        let fits = constant.shape().iter().enumerate().all(|(i, &length)| {
            let wanted = if front + i == dim { channels } else { 1 };
            length == wanted
        });
        if !fits || constant.len() != channels {
            return None;
        }
        constant.reshaped(&[channels], &self.graph.stored).ok()
    }

    fn with_number(&mut self, at: usize, op: &str, name: &'g str, number: f64, side: Side) -> Made {
        let data = self.data(name)?;
        let form = match (&data.form, op) {
            (Form::Centred { of }, "Pow") if number == 2.0 && side == Side::Right => {
                Form::Squared { of: *of }
            }
            (Form::Variance { of, eps }, "Add") => Form::Variance {
                of: *of,
                eps: eps + super::attributes::decimal(number as f32),
            },
            (Form::Variance { of, eps }, "Pow") if number == 0.5 && side == Side::Right => {
                Form::Deviation { of: *of, eps: *eps }
            }
            _ => {
                let (of, curve, _) = self.curve(name)?;
                let f = of_two(op).ok_or("it cannot be combined with a number")?;
                let curve = match side {
                    Side::Right => curve.map(|x| f(x, number)),
                    Side::Left => curve.map(|x| f(number, x)),
                };
                Form::Curve { of, curve }
            }
        };
        Ok(vec![Self::form_value(form, data.layout, at)])
    }

    /// Sum or product with one number a channel: a bias, a norm's scale or offset, a layer scale.
    fn with_channels(
        &mut self,
        at: usize,
        op: &str,
        name: &'g str,
        vector: &Constant,
        side: Side,
    ) -> Made {
        let data = self.data(name)?;
        let once = self.graph.uses(name) == 1;
        let form = match (&data.form, op) {
            (Form::Layer(layer), "Add") if once && layer.bias.is_none() => {
                let mut layer = layer.clone();
                layer.bias = Some(vector.clone());
                Form::Layer(layer)
            }
            (
                Form::Normalised {
                    of,
                    eps,
                    scale: None,
                },
                "Mul",
            ) => Form::Normalised {
                of: *of,
                eps: *eps,
                scale: Some(vector.clone()),
            },
            (Form::Normalised { of, eps, scale }, "Add") => {
                let (of, eps, scale) = (*of, *eps, scale.clone());
                let node = self.layer_norm(at, of, eps, scale, Some(vector.clone()))?;
                Form::Node(node)
            }
            (Form::Affine { of, scale, offset }, _) => {
                let (of, parts) = (*of, (scale.clone(), offset.clone()));
                self.affine(of, parts, op, vector, side)?
            }
            _ => {
                let (of, curve, _) = self.curve(name)?;
                let channels = vector.len();
                let (of, parts) = match curve.line() {
                    Some([scale, offset]) => {
                        let part = |value: f64, nothing: f64| {
                            (value != nothing)
                                .then(|| Constant::filled(vec![channels], value, false))
                        };
                        (of, (part(scale, 1.0), part(offset, 0.0)))
                    }
                    None => (self.settle(name)?.0, (None, None)),
                };
                self.affine(of, parts, op, vector, side)?
            }
        };
        Ok(vec![Self::form_value(form, data.layout, at)])
    }

    fn affine(
        &self,
        of: NodeId,
        (scale, offset): (Option<Constant>, Option<Constant>),
        op: &str,
        vector: &Constant,
        side: Side,
    ) -> Result<Form, String> {
        let each = |c: &Constant, f: fn(f64, f64) -> f64| {
            let one = Constant::filled(vec![c.len()], 1.0, false);
            self.folder.pairwise(c, &one, f, "")
        };
        let both = |have: Option<Constant>, with: &Constant, f: fn(f64, f64) -> f64| match have {
            Some(have) => self.folder.pairwise(&have, with, f, "").map(Some),
            None => Ok(None),
        };
        let (scale, offset) = match (op, side) {
            ("Mul" | "Div", _) => {
                let factor = match (op, side) {
                    ("Mul", _) => vector.clone(),
                    (_, Side::Right) => each(vector, |x, one| one / x)?,
                    _ => return Err("a constant divided by a value is no layer".into()),
                };
                let scaled = both(scale, &factor, |x, y| x * y)?;
                (
                    scaled.or(Some(factor.clone())),
                    both(offset, &factor, |x, y| x * y)?,
                )
            }
            ("Add" | "Sub", _) => {
                let added = if op == "Sub" && side == Side::Right {
                    each(vector, |x, _| -x)?
                } else {
                    vector.clone()
                };
                let (scale, offset) = if op == "Sub" && side == Side::Left {
                    let minus = Constant::filled(vec![vector.len()], -1.0, false);
                    let scaled = both(scale, &minus, |x, y| x * y)?;
                    (
                        scaled.or(Some(minus.clone())),
                        both(offset, &minus, |x, y| x * y)?,
                    )
                } else {
                    (scale, offset)
                };
                let sum = both(offset, &added, |x, y| x + y)?;
                (scale, sum.or(Some(added)))
            }
            _ => return Err("it cannot be combined with one number a channel".into()),
        };
        Ok(Form::Affine { of, scale, offset })
    }
}

/// On which side of the operator a constant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

pub(super) fn of_two(op: &str) -> Option<fn(f64, f64) -> f64> {
    Some(match op {
        "Add" | "Sum" => |x, y| x + y,
        "Sub" => |x, y| x - y,
        "Mul" => |x, y| x * y,
        "Div" => |x, y| x / y,
        "Pow" => f64::powf,
        "Min" => f64::min,
        "Max" => f64::max,
        _ => return None,
    })
}
