//! MobileNet v3 (Howard et al. 2019), as `torchvision.models.mobilenetv3` builds it.

use super::Options;
use super::blocks::{
    ConvNorm, Norm, SqueezeExcitation, add_linear, by_fan_out, keeps_shape, make_divisible,
    pool_to_vector, same,
};
use super::mobilenet_v2::adjusted;
use crate::arch::Activation::{Hardsigmoid, Hardswish, Relu};
use crate::arch::{Activation, Arch, ArchError, Builder, Conv2d, Draw, NodeId, Op, Scheme};

pub const NAMES: &[&str] = &["mobilenet_v3_small", "mobilenet_v3_large"];

/// Whether a block gates its channels.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gate {
    Gated,
    Plain,
}
use Gate::{Gated, Plain};

/// Kernel, channels inside, channels out, gate, activation, stride: a line of the paper's tables.
type Line = (usize, usize, usize, Gate, Activation, usize);

const SMALL: &[Line] = &[
    (3, 16, 16, Gated, Relu, 2),
    (3, 72, 24, Plain, Relu, 2),
    (3, 88, 24, Plain, Relu, 1),
    (5, 96, 40, Gated, Hardswish, 2),
    (5, 240, 40, Gated, Hardswish, 1),
    (5, 240, 40, Gated, Hardswish, 1),
    (5, 120, 48, Gated, Hardswish, 1),
    (5, 144, 48, Gated, Hardswish, 1),
    (5, 288, 96, Gated, Hardswish, 2),
    (5, 576, 96, Gated, Hardswish, 1),
    (5, 576, 96, Gated, Hardswish, 1),
];
const LARGE: &[Line] = &[
    (3, 16, 16, Plain, Relu, 1),
    (3, 64, 24, Plain, Relu, 2),
    (3, 72, 24, Plain, Relu, 1),
    (5, 72, 40, Gated, Relu, 2),
    (5, 120, 40, Gated, Relu, 1),
    (5, 120, 40, Gated, Relu, 1),
    (3, 240, 80, Plain, Hardswish, 2),
    (3, 200, 80, Plain, Hardswish, 1),
    (3, 184, 80, Plain, Hardswish, 1),
    (3, 184, 80, Plain, Hardswish, 1),
    (3, 480, 112, Gated, Hardswish, 1),
    (3, 672, 112, Gated, Hardswish, 1),
    (5, 672, 160, Gated, Hardswish, 2),
    (5, 960, 160, Gated, Hardswish, 1),
    (5, 960, 160, Gated, Hardswish, 1),
];
const STEM_CHANNELS: usize = 16;
const DROPOUT: f64 = 0.2;
const NORM: Norm = Norm {
    eps: 1e-3,
    momentum: 0.01,
};

pub fn build(name: &str, options: &Options) -> Result<Arch, ArchError> {
    let (lines, hidden) = match name {
        "mobilenet_v3_small" => (SMALL, 1024),
        "mobilenet_v3_large" => (LARGE, 1280),
        other => unreachable!("{other} is not in NAMES"),
    };
    let mut b = Builder::new(name, options.input(), options.classes);
    let stem = same(3, STEM_CHANNELS, 3).stride(adjusted(options.stem, 0, 2));
    let x = b.input();
    let mut x = conv_norm(stem, Some(Hardswish)).add(&mut b, "features.0", x)?;
    for (i, line) in lines.iter().enumerate() {
        let stride = adjusted(options.stem, i + 1, line.5);
        x = block(&mut b, &format!("features.{}", i + 1), line, stride, x)?;
    }
    let channels = b.shape(x).channels();
    let last = conv_norm(Conv2d::new(channels, 6 * channels, 1), Some(Hardswish));
    let x = last.add(&mut b, &format!("features.{}", lines.len() + 1), x)?;
    let x = pool_to_vector(&mut b, "avgpool", x)?;
    let draw = Draw::without_bias(Scheme::Normal { std: 0.01 });
    let x = add_linear(&mut b, "classifier.0", hidden, draw, x)?;
    let x = b.apply("classifier.1", Op::Activation(Hardswish), &[x])?;
    let x = b.apply("classifier.2", Op::Dropout { p: DROPOUT }, &[x])?;
    add_linear(&mut b, "classifier.3", options.classes, draw, x)?;
    Ok(b.finish())
}

const fn conv_norm(conv: Conv2d, activation: Option<Activation>) -> ConvNorm {
    ConvNorm {
        conv,
        norm: NORM,
        activation,
    }
}

/// Widen, depthwise, gate, narrow. `stride` is the line's own or adjusted for small images, which does
/// not make the input fit.
fn block(
    b: &mut Builder,
    path: &str,
    line: &Line,
    stride: usize,
    input: NodeId,
) -> Result<NodeId, ArchError> {
    let &(kernel, inner, to, gate, activation, own_stride) = line;
    let from = b.shape(input).channels();
    let mut part = 0;
    let mut next = || {
        part += 1;
        format!("{path}.block.{}", part - 1)
    };
    let mut x = input;
    if inner != from {
        x = conv_norm(Conv2d::new(from, inner, 1), Some(activation)).add(b, &next(), x)?;
    }
    let depthwise = same(inner, inner, kernel).stride(stride).groups(inner);
    x = conv_norm(depthwise, Some(activation)).add(b, &next(), x)?;
    if gate == Gated {
        let gate = SqueezeExcitation {
            squeeze: make_divisible((inner / 4) as f64, 8),
            activation: Relu,
            gate: Hardsigmoid,
            draw: by_fan_out,
        };
        x = gate.add(b, &next(), x)?;
    }
    x = conv_norm(Conv2d::new(inner, to, 1), None).add(b, &next(), x)?;
    if keeps_shape(own_stride, from, to) {
        x = b.apply(path, Op::Add, &[x, input])?;
    }
    Ok(x)
}
