//! Blocks that several families are made of, with the names that torchvision gives their parts.

use crate::arch::{Activation, ArchError, Builder, Conv2d, Draw, Linear, NodeId, Op, Scheme};

/// How a family's batch norms are set.
#[derive(Clone, Copy, Debug)]
pub struct Norm {
    pub eps: f64,
    /// Weight of the new value in the running statistics.
    pub momentum: f64,
}

impl Norm {
    /// torch's defaults.
    pub const DEFAULT: Self = Self {
        eps: 1e-5,
        momentum: 0.1,
    };

    /// Registers a batch norm over the channels of `x` and calls it.
    pub fn add(self, b: &mut Builder, path: &str, x: NodeId) -> Result<NodeId, ArchError> {
        let channels = b.shape(x).channels();
        let norm = b.batch_norm_with(path, channels, self.eps, self.momentum);
        b.call(norm, x)
    }
}

/// A convolution without bias, a batch norm and, mostly, an activation.
#[derive(Clone, Copy, Debug)]
pub struct ConvNorm {
    pub conv: Conv2d,
    pub norm: Norm,
    pub activation: Option<Activation>,
}

impl ConvNorm {
    /// Registers the layers as `PATH.0` and `PATH.1` and calls them; the activation is `PATH.2`.
    pub fn add(&self, b: &mut Builder, path: &str, x: NodeId) -> Result<NodeId, ArchError> {
        let x = add_conv(b, &format!("{path}.0"), self.conv, x)?;
        let x = self.norm.add(b, &format!("{path}.1"), x)?;
        match self.activation {
            Some(activation) => b.apply(&format!("{path}.2"), Op::Activation(activation), &[x]),
            None => Ok(x),
        }
    }
}

/// Registers a convolution and calls it.
pub fn add_drawn_conv(
    b: &mut Builder,
    path: &str,
    conv: Conv2d,
    draw: Draw,
    x: NodeId,
) -> Result<NodeId, ArchError> {
    let conv = b.conv(path, conv, draw);
    b.call(conv, x)
}

/// Registers a convolution and calls it. Drawn as most families draw theirs.
pub fn add_conv(b: &mut Builder, path: &str, conv: Conv2d, x: NodeId) -> Result<NodeId, ArchError> {
    add_drawn_conv(b, path, conv, by_fan_out(&conv.weight_shape()), x)
}

/// Registers a convolution and calls it. Drawn as `nn.Conv2d` draws by itself.
pub fn add_default_conv(
    b: &mut Builder,
    path: &str,
    conv: Conv2d,
    x: NodeId,
) -> Result<NodeId, ArchError> {
    add_drawn_conv(b, path, conv, Draw::torch_default(&conv.weight_shape()), x)
}

/// Registers a fully connected layer to `out` features and calls it. Drawn as `nn.Linear` draws by
/// itself.
pub fn add_default_linear(
    b: &mut Builder,
    path: &str,
    out: usize,
    x: NodeId,
) -> Result<NodeId, ArchError> {
    let draw = Draw::torch_default(&[out, b.shape(x).channels()]);
    add_linear(b, path, out, draw, x)
}

/// Registers a fully connected layer to `out` features and calls it.
pub fn add_linear(
    b: &mut Builder,
    path: &str,
    out: usize,
    draw: Draw,
    x: NodeId,
) -> Result<NodeId, ArchError> {
    let linear = Linear {
        in_features: b.shape(x).channels(),
        out_features: out,
        bias: true,
    };
    let linear = b.linear(path, linear, draw);
    b.call(linear, x)
}

/// A padded square convolution that keeps the resolution at stride 1.
pub const fn same(in_channels: usize, out_channels: usize, kernel: usize) -> Conv2d {
    Conv2d::new(in_channels, out_channels, kernel).padding((kernel - 1) / 2)
}

/// Average over the image, named `PATH`, and the vector of it.
pub fn pool_to_vector(b: &mut Builder, path: &str, x: NodeId) -> Result<NodeId, ArchError> {
    let x = b.apply(path, Op::AdaptiveAvgPool([1, 1]), &[x])?;
    b.apply("", Op::Flatten, &[x])
}

/// Squeeze and excitation (Hu et al. 2018): a factor per channel, computed from the channels' means by
/// two convolutions of one pixel.
#[derive(Clone, Copy, Debug)]
pub struct SqueezeExcitation {
    /// Channels between the two convolutions.
    pub squeeze: usize,
    pub activation: Activation,
    /// The activation that gives the factor.
    pub gate: Activation,
    /// How the two convolutions are drawn, from the shapes of their weights.
    pub draw: fn(&[usize]) -> Draw,
}

impl SqueezeExcitation {
    /// Registers the layers as `PATH.fc1` and `PATH.fc2` and calls them.
    pub fn add(&self, b: &mut Builder, path: &str, input: NodeId) -> Result<NodeId, ArchError> {
        let channels = b.shape(input).channels();
        let at = |part: &str| format!("{path}.{part}");
        let x = b.apply(&at("avgpool"), Op::AdaptiveAvgPool([1, 1]), &[input])?;
        let x = self.conv(b, &at("fc1"), channels, self.squeeze, x)?;
        let x = b.apply(&at("activation"), Op::Activation(self.activation), &[x])?;
        let x = self.conv(b, &at("fc2"), self.squeeze, channels, x)?;
        let x = b.apply(&at("scale_activation"), Op::Activation(self.gate), &[x])?;
        b.apply(path, Op::Gate, &[input, x])
    }

    fn conv(
        &self,
        b: &mut Builder,
        path: &str,
        from: usize,
        to: usize,
        x: NodeId,
    ) -> Result<NodeId, ArchError> {
        let conv = Conv2d::new(from, to, 1).with_bias();
        add_drawn_conv(b, path, conv, (self.draw)(&conv.weight_shape()), x)
    }
}

/// By the fan-out for a ReLU, biases zero: how most families draw a convolution's weight of this shape.
pub fn by_fan_out(shape: &[usize]) -> Draw {
    Draw::without_bias(Scheme::kaiming_normal_fan_out(shape))
}

/// The nearest multiple of `divisor` to a number of channels, at least one, and the next one where that
/// would be a tenth too few (the rule of the MobileNets' first implementation).
pub fn make_divisible(channels: f64, divisor: usize) -> usize {
    let nearest = (channels + divisor as f64 / 2.0) as usize / divisor * divisor;
    let nearest = nearest.max(divisor);
    if (nearest as f64) < 0.9 * channels {
        nearest + divisor
    } else {
        nearest
    }
}

/// Whether a block may add its input: nothing changes the shape.
pub fn keeps_shape(stride: usize, from: usize, to: usize) -> bool {
    stride == 1 && from == to
}

/// The convolution of GoogLeNet and Inception: without bias, with a batch norm and a ReLU.
#[derive(Clone, Copy, Debug)]
pub struct BasicConv {
    pub weight: Scheme,
}

impl BasicConv {
    const NORM: Norm = Norm {
        eps: 1e-3,
        ..Norm::DEFAULT
    };

    /// Registers the layers as `PATH.conv` and `PATH.bn` and calls them.
    pub fn add(
        self,
        b: &mut Builder,
        path: &str,
        conv: Conv2d,
        x: NodeId,
    ) -> Result<NodeId, ArchError> {
        let draw = Draw::without_bias(self.weight);
        let x = add_drawn_conv(b, &format!("{path}.conv"), conv, draw, x)?;
        let x = Self::NORM.add(b, &format!("{path}.bn"), x)?;
        b.relu(path, x)
    }
}
