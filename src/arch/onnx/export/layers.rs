//! Layers with parameters, and activations.

use super::sketch::{Axes, Sketch, Value, float, int, ints, number, whole};
use crate::arch::{Activation, Conv2d, Linear, Node, Shape, TensorRole};

impl Sketch<'_> {
    pub fn conv(&mut self, node: &Node, conv: &Conv2d, x: &Value) -> Value {
        let weight = self.tensor(node, TensorRole::Weight);
        let bias = self.stored(node, TensorRole::Bias);
        let mut arguments = vec![x.into(), (&weight).into()];
        arguments.extend(bias.as_ref().map(Into::into));
        let [down, across] = conv.padding;
        let attributes = vec![
            ints("dilations", &conv.dilation),
            int("group", conv.groups as i64),
            ints("kernel_shape", &conv.kernel),
            ints("pads", &[down, across, down, across]),
            ints("strides", &conv.stride),
        ];
        self.node("Conv", &arguments, attributes)
    }

    /// A matrix product over the last dimension. The weight stays as the state dict has it, `[out, in]`.
    pub fn linear(&mut self, node: &Node, linear: &Linear, x: &Value) -> Value {
        let weight = self.tensor(node, TensorRole::Weight);
        let bias = linear.bias.then(|| self.tensor(node, TensorRole::Bias));
        if matches!(node.shape, Shape::Vector { .. }) {
            let mut arguments = vec![x.into(), (&weight).into()];
            arguments.extend(bias.as_ref().map(Into::into));
            return self.node("Gemm", &arguments, vec![int("transB", 1)]);
        }
        let product = self.product(x, &weight);
        bias.map_or(product.clone(), |bias| self.pair("Add", &product, &bias))
    }

    fn product(&mut self, x: &Value, weight: &Value) -> Value {
        let weight = self.transpose(weight, &[1, 0]);
        self.pair("MatMul", x, &weight)
    }

    /// Queries, keys and values, `[.., 3 C]`, whose keys go without their bias.
    pub fn keyless(&mut self, node: &Node, linear: &Linear, x: &Value) -> Value {
        let weight = self.tensor(node, TensorRole::Weight);
        let bias = self.tensor(node, TensorRole::Bias);
        let product = self.product(x, &weight);
        let third = linear.out_features / 3;
        let used = (0..linear.out_features).map(|i| f32::from(i / third != 1));
        let used = super::sketch::floats("used", &[linear.out_features], used.collect());
        let bias = self.node("Mul", &[(&bias).into(), used], Vec::new());
        self.pair("Add", &product, &bias)
    }

    pub fn batch_norm(&mut self, node: &Node, eps: f64, x: &Value) -> Value {
        use TensorRole::{NormBias, NormWeight, RunningMean, RunningVar};
        let tensors = [NormWeight, NormBias, RunningMean, RunningVar];
        let tensors = tensors.map(|role| self.tensor(node, role));
        let mut arguments = vec![x.into()];
        arguments.extend(tensors.iter().map(Into::into));
        let eps = vec![float("epsilon", eps)];
        self.node("BatchNormalization", &arguments, eps)
    }

    /// A batch norm with the batch's own moments, which ONNX's operator has in training only.
    pub fn untracked_batch_norm(&mut self, node: &Node, eps: f64, x: &Value) -> Value {
        let all_but_channels = [0, 2, 3];
        let mean = self.reduce("ReduceMean", x, &all_but_channels, Axes::Kept);
        let centred = self.pair("Sub", x, &mean);
        let squares = self.pair("Mul", &centred, &centred);
        let variance = self.reduce("ReduceMean", &squares, &all_but_channels, Axes::Kept);
        let variance = self.node(
            "Add",
            &[(&variance).into(), number("epsilon", eps as f32)],
            Vec::new(),
        );
        let deviation = self.single("Sqrt", &variance);
        let normal = self.pair("Div", &centred, &deviation);
        let [weight, bias] = [TensorRole::NormWeight, TensorRole::NormBias].map(|role| {
            let tensor = self.tensor(node, role);
            self.reshape(&tensor, &[node.shape.channels(), 1, 1])
        });
        let scaled = self.pair("Mul", &normal, &weight);
        self.pair("Add", &scaled, &bias)
    }

    /// Over the channels, which the operator wants last.
    pub fn layer_norm(&mut self, node: &Node, eps: f64, x: &Value) -> Value {
        let weight = self.tensor(node, TensorRole::NormWeight);
        let bias = self.tensor(node, TensorRole::NormBias);
        let norm = |sketch: &mut Self, x: &Value| {
            let arguments = [x.into(), (&weight).into(), (&bias).into()];
            let attributes = vec![int("axis", -1), float("epsilon", eps)];
            sketch.node("LayerNormalization", &arguments, attributes)
        };
        if !matches!(node.shape, Shape::Image { .. }) {
            return norm(self, x);
        }
        let x = self.transpose(x, &[0, 2, 3, 1]);
        let x = norm(self, &x);
        self.transpose(&x, &[0, 3, 1, 2])
    }

    /// A factor per channel, stored as `[C, 1, 1]`.
    pub fn layer_scale(&mut self, node: &Node, channels: usize, x: &Value) -> Value {
        let mut scale = self.tensor(node, TensorRole::LayerScale);
        if !matches!(node.shape, Shape::Image { .. }) {
            scale = self.reshape(&scale, &[channels]);
        }
        self.pair("Mul", x, &scale)
    }

    pub fn activation(&mut self, activation: Activation, x: &Value) -> Value {
        match activation {
            Activation::Relu => self.single("Relu", x),
            Activation::Relu6 => {
                let arguments = [x.into(), number("min", 0.0), number("max", 6.0)];
                self.node("Clip", &arguments, Vec::new())
            }
            Activation::Gelu if self.opset.number() >= 20 => self.single("Gelu", x),
            Activation::Gelu => self.gelu(x),
            Activation::Silu => {
                let gate = self.single("Sigmoid", x);
                self.pair("Mul", x, &gate)
            }
            Activation::Sigmoid => self.single("Sigmoid", x),
            Activation::Hardsigmoid => {
                let attributes = vec![float("alpha", 1.0 / 6.0), float("beta", 0.5)];
                self.node("HardSigmoid", &[x.into()], attributes)
            }
            Activation::Hardswish => self.single("HardSwish", x),
            Activation::Tanh => self.single("Tanh", x),
        }
    }

    /// `x (1 + erf(x / sqrt 2)) / 2`, which is an operator only from version 20 on.
    fn gelu(&mut self, x: &Value) -> Value {
        let root = number("root", std::f32::consts::SQRT_2);
        let scaled = self.node("Div", &[x.into(), root], Vec::new());
        let erf = self.single("Erf", &scaled);
        let share = self.node("Add", &[(&erf).into(), number("one", 1.0)], Vec::new());
        let product = self.pair("Mul", x, &share);
        self.node("Mul", &[(&product).into(), number("half", 0.5)], Vec::new())
    }

    /// The factors per channel `gate`, an image of one pixel or a vector, times `x`.
    pub fn gate(&mut self, node: &Node, x: &Value, gate: &Value) -> Value {
        if !matches!(self.shape_of(node, 1), Shape::Vector { .. }) {
            return self.pair("Mul", x, gate);
        }
        let pixel = self.node(
            "Unsqueeze",
            &[gate.into(), whole("axes", &[2, 3])],
            Vec::new(),
        );
        self.pair("Mul", x, &pixel)
    }
}
