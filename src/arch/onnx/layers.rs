//! Convolutions, linear layers, norms and pools.

use super::arrange::Kind;
use super::constant::{Constant, Source};
use super::import::Importer;
use super::layout::Layout;
use super::proto::NodeProto;
use super::value::{Form, Layer, LayerKind, Made, Weight};
use super::{Part, Recipe};
use crate::arch::{
    Activation, AttentionKind, Conv2d, Draw, Linear, NodeId, Op, Pool, Projection, Shape,
};

/// Longest kernel, stride, margin or dilation.
const LONGEST: i64 = 1 << 16;

/// What linear layers read: their channels come last.
pub(super) const CHANNELS_LAST: &[Kind] = &[Kind::Vector, Kind::Windows, Kind::Tokens, Kind::Grid];

/// A window's numbers, `[height, width]` each.
struct Window {
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    /// Before and behind the image.
    pads: [[usize; 2]; 2],
}

impl Window {
    /// What a node's attributes say about an image with these sides, whose margin is `margin` already.
    fn of(
        node: &NodeProto,
        kernel: Option<[usize; 2]>,
        side: [usize; 2],
        margin: [usize; 4],
    ) -> Result<Self, String> {
        let pair = |name: &str, least: i64, otherwise: usize| match node.ints(name) {
            None | Some([]) => Ok([otherwise; 2]),
            Some(&[a, b]) if (least..=LONGEST).contains(&a) && (least..=LONGEST).contains(&b) => {
                Ok([a as usize, b as usize])
            }
            Some(other) => Err(format!("its {name} {other:?} cannot be taken over")),
        };
        let kernel = match kernel {
            Some(kernel) => kernel,
            None if node.has("kernel_shape") => pair("kernel_shape", 1, 1)?,
            None => return Err("its kernel_shape is missing".into()),
        };
        let stride = pair("strides", 1, 1)?;
        let dilation = pair("dilations", 1, 1)?;
        if kernel.iter().any(|k| *k == 0 || *k as i64 > LONGEST) {
            return Err(format!("its kernel {kernel:?} cannot be taken over"));
        }
        let auto = node.text("auto_pad").unwrap_or("NOTSET");
        let mut pads = match auto {
            "NOTSET" | "" => match node.ints("pads") {
                None | Some([]) => [[0; 2]; 2],
                Some(&[t, l, b, r]) if [t, l, b, r].iter().all(|p| (0..=LONGEST).contains(p)) => {
                    [[t as usize, b as usize], [l as usize, r as usize]]
                }
                Some(other) => return Err(format!("its pads {other:?} cannot be taken over")),
            },
            "VALID" => [[0; 2]; 2],
            "SAME_UPPER" | "SAME_LOWER" => {
                let [top, left, bottom, right] = margin;
                let padded = [side[0] + top + bottom, side[1] + left + right];
                [0, 1].map(|axis| {
                    let reach = (kernel[axis] - 1) * dilation[axis] + 1;
                    let windows = padded[axis].div_ceil(stride[axis]);
                    let needed = (windows - 1) * stride[axis] + reach;
                    let total = needed.saturating_sub(padded[axis]);
                    let (less, more) = (total / 2, total - total / 2);
                    if auto == "SAME_UPPER" {
                        [less, more]
                    } else {
                        [more, less]
                    }
                })
            }
            other => return Err(format!("its auto_pad \"{other}\" cannot be taken over")),
        };
        let [top, left, bottom, right] = margin;
        for (pads, more) in pads.iter_mut().zip([[top, bottom], [left, right]]) {
            pads[0] += more[0];
            pads[1] += more[1];
        }
        Ok(Self {
            kernel,
            stride,
            dilation,
            pads,
        })
    }

    fn is_even(&self) -> bool {
        self.pads.iter().all(|[before, behind]| before == behind)
    }
}

impl<'g> Importer<'g> {
    /// The image called `name`, with a margin of zeros that may have been given to it.
    fn padded_image(&mut self, name: &'g str) -> Result<(NodeId, [usize; 4], f64), String> {
        let data = self.data(name)?;
        if let Form::Padded { of, pads, value } = data.form {
            return Ok((of, pads, value));
        }
        let (node, layout) = self.settle_as(name, &[Kind::Image])?;
        // A dimension of one could be any.
        let channels = self.b.shape(node).channels();
        if layout.0.len() != 4 || layout.dims()[1] != channels {
            return Err("its input is no image with the channels in the second dimension".into());
        }
        Ok((node, [0; 4], 0.0))
    }

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

    pub(super) fn batch_norm(
        &mut self,
        at: usize,
        node: &'g NodeProto,
        constants: &[Option<Constant>],
    ) -> Made {
        let (input, layout) = self
            .settle_as(&node.input[0], &[Kind::Image])
            .map_err(|e| format!("only images can be normalised over a batch; {e}"))?;
        let channels = self.b.shape(input).channels();
        let mut tensors = Vec::with_capacity(4);
        for (i, what) in ["scale", "offset", "mean", "variance"].iter().enumerate() {
            let tensor = constants.get(i + 1).cloned().flatten();
            let tensor = tensor.ok_or_else(|| format!("its {what} must be a constant"))?;
            if tensor.shape() != [channels] {
                return Err(format!(
                    "its {what} has the shape {:?} instead of [{channels}]",
                    tensor.shape()
                ));
            }
            tensors.push(tensor);
        }
        let eps = node.float("epsilon").unwrap_or(1e-5);
        let momentum = 1.0 - node.float("momentum").unwrap_or(0.9);
        let momentum = (momentum * 1e6).round() / 1e6;
        let path = self.layer_path(&tensors.iter().collect::<Vec<_>>(), at);
        let module = self.b.batch_norm_with(&path, channels, eps, momentum);
        let names = ["weight", "bias", "running_mean", "running_var"];
        for (name, tensor) in names.into_iter().zip(tensors) {
            self.tensor(Recipe::of(joined(&path, name), tensor));
        }
        let node = self.call(module, input)?;
        Ok(Self::node_value(node, layout, at))
    }

    /// ONNX's own layer norm.
    pub(super) fn layer_normalization(
        &mut self,
        at: usize,
        node: &'g NodeProto,
        constants: &[Option<Constant>],
    ) -> Made {
        let (input, layout) = self.settle(&node.input[0])?;
        let axis = super::dims::axis(node.int("axis").unwrap_or(-1), layout.0.len())?;
        if axis + 1 != layout.0.len() {
            return Err("it normalises over more than the last dimension".into());
        }
        self.expect_last_channels(input, &layout)?;
        let eps = node.float("epsilon").unwrap_or(1e-5);
        let tensor = |i: usize| constants.get(i).cloned().flatten();
        let node = self.layer_norm(at, input, eps, tensor(1), tensor(2))?;
        Ok(Self::node_value(node, layout, at))
    }

    fn expect_last_channels(&self, node: NodeId, layout: &Layout) -> Result<(), String> {
        let channels = self.b.shape(node).channels();
        if layout
            .channel_dim(channels)
            .is_some_and(|d| d + 1 == layout.0.len())
        {
            Ok(())
        } else {
            Err("the last dimension of its input is not that of the channels".into())
        }
    }

    /// Registers a layer norm over the channels of `input` and calls it; ones and zeros stand in for what it
    /// lacks.
    pub(super) fn layer_norm(
        &mut self,
        at: usize,
        input: NodeId,
        eps: f64,
        scale: Option<Constant>,
        offset: Option<Constant>,
    ) -> Result<NodeId, String> {
        let channels = self.b.shape(input).channels();
        let named: Vec<&Constant> = scale.iter().chain(&offset).collect();
        if let Some(wrong) = named.iter().find(|c| c.len() != channels) {
            return Err(format!(
                "it has numbers for {} channels instead of {channels}",
                wrong.len()
            ));
        }
        let path = self.layer_path(&named, at);
        let module = self.b.layer_norm(&path, channels, eps);
        let filled = |value| Constant::filled(vec![channels], value, false);
        for (name, tensor) in [
            ("weight", scale.unwrap_or_else(|| filled(1.0))),
            ("bias", offset.unwrap_or_else(|| filled(0.0))),
        ] {
            let tensor = tensor.reshaped(&[channels], &self.graph.stored)?;
            self.tensor(Recipe::of(joined(&path, name), tensor));
        }
        self.call(module, input)
    }

    /// A maximum or average over windows.
    pub(super) fn pool(&mut self, at: usize, node: &'g NodeProto) -> Made {
        let (input, margin, value) = self.padded_image(&node.input[0])?;
        let is_max = node.op_type == "MaxPool";
        let side = self.b.shape(input).side().unwrap_or_default();
        let window = Window::of(node, None, side, margin)?;
        if window.dilation != [1, 1] {
            return Err("its window has dilations".into());
        }
        let has_margin = margin != [0; 4];
        let own_pads = node.ints("pads").is_some_and(|p| p.iter().any(|p| *p != 0));
        if has_margin && is_max && value == 0.0 && !self.is_positive(input) {
            return Err("a maximum sees the zeros of a margin only behind a ReLU".into());
        }
        if has_margin && !is_max && (value != 0.0 || own_pads) {
            return Err("the margin of its image cannot be averaged".into());
        }
        let counts = has_margin || node.int("count_include_pad").unwrap_or(0) != 0;
        let ceil = node.int("ceil_mode").unwrap_or(0) != 0;
        let [before, behind] = [0, 1].map(|i| window.pads.map(|p| p[i]));
        let pool = Pool {
            kernel: window.kernel,
            stride: window.stride,
            padding: before,
            ceil,
            // Without padding both are the same; the usual one is PyTorch's default.
            counts_padding: counts || before == [0; 2] && behind == [0; 2] && !ceil,
        };
        let op = |pool: Pool| {
            if is_max {
                Op::MaxPool(pool)
            } else {
                Op::AvgPool(pool)
            }
        };
        let shape = self.b.shape(input);
        let fits = |pool: Pool| {
            let out = op(pool).infer(&[shape]).ok()?.side()?;
            let wanted = [0, 1].map(|axis| {
                let length = side[axis] + before[axis] + behind[axis];
                let last = length.checked_sub(window.kernel[axis])?;
                let steps = if ceil {
                    last.div_ceil(window.stride[axis])
                } else {
                    last / window.stride[axis]
                };
                Some(steps + 1)
            });
            (out == [wanted[0]?, wanted[1]?]).then_some(())
        };
        // A wider margin on one side is no padding of PyTorch's, but windows that may reach beyond the image
        // come to the same where the margin does not count.
        let pool = if window.is_even() {
            pool
        } else {
            let uncounted = Pool {
                counts_padding: false,
                ..pool
            };
            let tries = [uncounted, uncounted.ceil()];
            let found = tries
                .into_iter()
                .find(|p| (is_max || !counts) && fits(*p).is_some());
            found.ok_or_else(|| {
                format!("its uneven margins {:?} cannot be taken over", window.pads)
            })?
        };
        if pool.padding.iter().zip(pool.kernel).any(|(p, k)| *p >= k) {
            return Err("its margin is as wide as its window".into());
        }
        let made = self.push(at, op(pool), &[input])?;
        let layout = Layout::of(self.b.shape(made));
        Ok(Self::node_value(made, layout, at))
    }

    /// Whether no number of a node is below zero.
    fn is_positive(&self, node: NodeId) -> bool {
        matches!(
            self.b.op(node),
            Op::Activation(
                Activation::Relu
                    | Activation::Relu6
                    | Activation::Sigmoid
                    | Activation::Hardsigmoid
            )
        )
    }

    /// A maximum or average over the whole image.
    pub(super) fn global_pool(&mut self, at: usize, node: &'g NodeProto) -> Made {
        let (input, _) = self.settle_as(&node.input[0], &[Kind::Image])?;
        let op = if node.op_type == "GlobalMaxPool" {
            let mut pool = Pool::new(1, 1, 0);
            pool.kernel = self.b.shape(input).side().unwrap_or_default();
            Op::MaxPool(pool)
        } else {
            Op::AdaptiveAvgPool([1, 1])
        };
        let made = self.push(at, op, &[input])?;
        let layout = Layout::of(self.b.shape(made));
        Ok(Self::node_value(made, layout, at))
    }

    /// A mean over some dimensions: of positions, or of the channels as in a layer norm.
    pub(super) fn reduce_mean(
        &mut self,
        at: usize,
        node: &'g NodeProto,
        constants: &[Option<Constant>],
    ) -> Made {
        let name = &node.input[0];
        let data = self.data(name)?;
        let rank = data.layout.0.len();
        let axes = match self.folder.whole_from(node, "axes", 1, constants)? {
            Some(axes) => super::dims::axes(&axes, rank)?,
            None => (0..rank).collect(),
        };
        let keep = node.int("keepdims").unwrap_or(1) != 0;
        let reduced = |layout: &Layout| {
            let dims = layout.0.iter().enumerate().filter_map(|(i, group)| {
                match (axes.contains(&i), keep) {
                    (false, _) => Some(group.clone()),
                    (true, true) => Some(Vec::new()),
                    (true, false) => None,
                }
            });
            Layout(dims.collect())
        };
        if let Form::Squared { of } = data.form {
            let channels = self.b.shape(of).channels();
            if data
                .layout
                .channel_dim(channels)
                .is_some_and(|d| axes == [d])
            {
                let form = Form::Variance { of, eps: 0.0 };
                return Ok(vec![Self::form_value(form, reduced(&data.layout), at)]);
            }
        }
        let (input, layout) = self.settle(name)?;
        let channels = self.b.shape(input).channels();
        let channel_dim = layout.channel_dim(channels);
        if keep && channel_dim.is_some_and(|d| axes == [d]) {
            return Ok(vec![Self::form_value(
                Form::Mean { of: input },
                reduced(&layout),
                at,
            )]);
        }
        let over_positions =
            layout.0.iter().enumerate().all(|(i, group)| {
                group.is_empty() || axes.contains(&i) != (Some(i) == channel_dim)
            });
        if !over_positions {
            return Err("a mean is supported over all positions, or over the channels".into());
        }
        let input = match self.b.shape(input) {
            Shape::Image { .. } | Shape::Vector { .. } => input,
            Shape::Grid { .. } => self.push(at, Op::ToImage, &[input])?,
            Shape::Tokens { tokens, .. } => self.push(at, Op::FromTokens([tokens, 1]), &[input])?,
            Shape::Windows { .. } => return Err("a mean over windows is not supported".into()),
        };
        let made = match self.b.shape(input) {
            Shape::Vector { .. } => input,
            _ => self.push(at, Op::AdaptiveAvgPool([1, 1]), &[input])?,
        };
        Ok(Self::node_value(made, reduced(&layout), at))
    }
}

/// Uneven margins are those of a larger kernel whose further rows or columns are zeros.
struct Grown {
    kernel: [usize; 2],
    /// Where the file's own kernel begins in it.
    corner: [usize; 2],
    /// The same on both sides.
    padding: [usize; 2],
}

impl Grown {
    fn of(window: &Window) -> Result<Self, String> {
        let mut grown = Self {
            kernel: window.kernel,
            corner: [0; 2],
            padding: [0; 2],
        };
        for axis in 0..2 {
            let [before, behind] = window.pads[axis];
            if before != behind && window.dilation[axis] != 1 {
                return Err(
                    "uneven margins of a convolution with dilations cannot be taken over".into(),
                );
            }
            grown.kernel[axis] += before.abs_diff(behind);
            grown.corner[axis] = behind.saturating_sub(before);
            grown.padding[axis] = before.max(behind);
        }
        Ok(grown)
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
