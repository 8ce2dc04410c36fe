//! Convolutions and linear layers.

use super::arrange::Kind;
use super::constant::{Constant, Source};
use super::import::Importer;
use super::layout::Layout;
use super::proto::NodeProto;
use super::value::{Form, Layer, LayerKind, Made, Weight};
use super::window::{Grown, Window};
use super::{Part, Recipe};
use crate::arch::{AttentionKind, Conv2d, Draw, Linear, NodeId, Op, Projection};

/// What linear layers read: their channels come last.
pub(super) const CHANNELS_LAST: &[Kind] = &[Kind::Vector, Kind::Windows, Kind::Tokens, Kind::Grid];

impl<'g> Importer<'g> {
    pub(super) fn conv(
        &mut self,
        at: usize,
        node: &'g NodeProto,
        constants: &[Option<Constant>],
    ) -> Made {
        let weight = constants.get(1).cloned().flatten();
        let weight = weight.ok_or("its weight must be a constant")?;
        let &[out, share, kh, kw] = weight.shape() else {
            return Err(format!(
                "its weight of shape {:?} is not that of a convolution over images",
                weight.shape()
            ));
        };
        let groups = node.int("group").unwrap_or(1);
        let groups = usize::try_from(groups)
            .ok()
            .filter(|g| (1..=out).contains(g));
        let groups = groups.filter(|g| out.is_multiple_of(*g) && share > 0);
        let groups = groups.ok_or_else(|| {
            format!(
                "its weight of shape {:?} and its groups do not fit",
                weight.shape()
            )
        })?;
        let (input, margin, value) = self.padded_image(&node.input[0])?;
        if value != 0.0 {
            return Err("before a convolution, an image can only be padded with zeros".into());
        }
        let side = self.b.shape(input).side().unwrap_or_default();
        let window = Window::of(node, Some([kh, kw]), side, margin)?;
        let Grown {
            kernel,
            corner,
            padding,
        } = Grown::of(&window)?;
        let conv = Conv2d {
            in_channels: share.saturating_mul(groups),
            out_channels: out,
            kernel,
            stride: window.stride,
            padding,
            dilation: window.dilation,
            groups,
            bias: false,
        };
        let bias = constants.get(2).cloned().flatten();
        if node.input.get(2).is_some_and(|n| !n.is_empty()) && bias.is_none() {
            return Err("its bias must be a constant".into());
        }
        if let Some(bias) = bias.as_ref().filter(|b| b.shape() != [out]) {
            return Err(format!(
                "its bias of shape {:?} does not fit {out} channels",
                bias.shape()
            ));
        }
        let op = Op::Conv2d(conv);
        let shape = op
            .infer(&[self.b.shape(input)])
            .map_err(|e| format!("its image does not fit: {e}"))?;
        let layer = Layer {
            kind: LayerKind::Conv(conv),
            input,
            weight: Weight {
                constant: weight,
                factor: 1.0,
                corner,
            },
            bias,
        };
        let form = Form::Layer(Box::new(layer));
        Ok(vec![Self::form_value(form, Layout::of(shape), at)])
    }

    /// A general matrix product with a constant on its right.
    pub(super) fn gemm(
        &mut self,
        at: usize,
        node: &'g NodeProto,
        constants: &[Option<Constant>],
    ) -> Made {
        if node.int("transA").unwrap_or(0) != 0 {
            return Err("it turns its images (transA)".into());
        }
        let weight = constants.get(1).cloned().flatten();
        let mut weight = weight.ok_or("its weight must be a constant")?;
        if weight.shape().len() != 2 {
            return Err(format!("its weight has the shape {:?}", weight.shape()));
        }
        if node.int("transB").unwrap_or(0) == 0 {
            weight = weight.transposed(&[1, 0]);
        }
        let (alpha, beta) = (
            node.float("alpha").unwrap_or(1.0),
            node.float("beta").unwrap_or(1.0),
        );
        let out = weight.shape()[0];
        let bias = match constants.get(2).cloned().flatten() {
            Some(bias) if beta == 1.0 => {
                let dims = bias.shape().iter().filter(|d| **d != 1).count();
                let row = bias.reshaped(&[bias.len()], &self.graph.stored)?;
                let row = if dims <= 1 {
                    row.expanded(&[out])
                } else {
                    None
                };
                Some(row.ok_or_else(|| format!("its bias has the shape {:?}", bias.shape()))?)
            }
            Some(_) => return Err("its bias has a factor (beta)".into()),
            None if node.input.get(2).is_some_and(|n| !n.is_empty()) => {
                return Err("its bias must be a constant".into());
            }
            None => None,
        };
        self.linear(at, &node.input[0], weight, alpha, bias)
    }

    pub(super) fn matmul(
        &mut self,
        at: usize,
        node: &'g NodeProto,
        constants: &[Option<Constant>],
    ) -> Made {
        match constants {
            [None, Some(weight)] if weight.shape().len() == 2 => {
                let weight = weight.transposed(&[1, 0]);
                self.linear(at, &node.input[0], weight, 1.0, None)
            }
            [None, None] => self.attention_product(at, &node.input[0], &node.input[1]),
            _ => Err("a product with a constant is supported if that stands on the right and has two dimensions".into()),
        }
    }

    /// A linear layer over the last dimension; `weight` is `[out, in]`.
    fn linear(
        &mut self,
        at: usize,
        name: &'g str,
        weight: Constant,
        factor: f64,
        bias: Option<Constant>,
    ) -> Made {
        let (input, layout) = self.settle_as(name, CHANNELS_LAST)?;
        let &[out, inner] = weight.shape() else {
            return Err("its weight is no matrix".into());
        };
        let channels = self.b.shape(input).channels();
        let last = layout.dims().last().copied().unwrap_or(0);
        if inner != channels || last != channels || out == 0 {
            return Err(format!(
                "its weight takes {inner} channels, and its input of {:?} has {channels}",
                layout.dims()
            ));
        }
        let linear = Linear {
            in_features: inner,
            out_features: out,
            bias: false,
        };
        let layout = layout
            .with_channels(inner, out)
            .ok_or("the channels of its input do not come last")?;
        let layer = Layer {
            kind: LayerKind::Linear(linear),
            input,
            weight: Weight {
                constant: weight,
                factor,
                corner: [0; 2],
            },
            bias,
        };
        Ok(vec![Self::form_value(
            Form::Layer(Box::new(layer)),
            layout,
            at,
        )])
    }

    /// Registers a layer, if it is new, and calls it.
    pub(super) fn layer(&mut self, at: usize, layer: &Layer) -> Result<NodeId, String> {
        let Weight {
            constant,
            factor,
            corner,
        } = &layer.weight;
        let (kind, bias) = (layer.kind, layer.bias.as_ref());
        let key = match (&constant.source, bias.map(|b| &b.source)) {
            (Source::Stored(w), None) => Some(format!("{w} {:?} {kind:?}", constant.view)),
            (Source::Stored(w), Some(Source::Stored(b))) => {
                Some(format!("{w} {:?} {kind:?} {b}", constant.view))
            }
            _ => None,
        };
        let module = self.module(key, |importer| {
            let mut tensors = vec![constant];
            tensors.extend(bias);
            let path = importer.layer_path(&tensors, at);
            let is_in_proj = bias.and_then(|b| b.name.as_deref()).is_some_and(|n| n.ends_with("in_proj_bias"));
            let (module, shape, names) = match kind {
                LayerKind::Conv(conv) => {
                    let conv = Conv2d {
                        bias: bias.is_some(),
                        ..conv
                    };
                    let shape = conv.weight_shape();
                    let draw = Draw::torch_default(&shape);
                    (importer.b.conv(&path, conv, draw), shape, ["weight", "bias"])
                }
                LayerKind::Linear(linear) => {
                    let linear = Linear {
                        bias: bias.is_some(),
                        ..linear
                    };
                    let shape = vec![linear.out_features, linear.in_features];
                    let draw = Draw::torch_default(&shape);
                    let behind = importer.b.op(layer.input);
                    let is_out_proj = matches!(behind, Op::Attention(a) if a.kind == AttentionKind::Multihead)
                        && path.ends_with("out_proj")
                        && bias.is_some();
                    if is_out_proj {
                        let module = importer.b.projection(&path, Projection::MultiheadOut, linear, draw);
                        (module, shape, ["weight", "bias"])
                    } else if is_in_proj && linear.out_features == 3 * linear.in_features {
                        let module = importer.b.projection(&path, Projection::MultiheadIn, linear, draw);
                        (module, shape, ["in_proj_weight", "in_proj_bias"])
                    } else {
                        (importer.b.linear(&path, linear, draw), shape, ["weight", "bias"])
                    }
                }
            };
            let mut at = vec![0; shape.len()];
            if let [.., row, column] = &mut at[..]
                && shape.len() == 4
            {
                [*row, *column] = *corner;
            }
            importer.tensor(Recipe {
                name: joined(&path, names[0]),
                shape,
                parts: vec![Part {
                    constant: constant.clone(),
                    factor: *factor,
                    at,
                }],
            });
            if let Some(bias) = bias {
                importer.tensor(Recipe::of(joined(&path, names[1]), bias.clone()));
            }
            Ok(module)
        })?;
        self.call(module, layer.input)
    }
}

/// A tensor's name.
pub(super) fn joined(path: &str, tensor: &str) -> String {
    if path.is_empty() {
        tensor.to_owned()
    } else {
        format!("{path}.{tensor}")
    }
}
