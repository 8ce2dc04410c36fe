//! MNASNet (Tan et al. 2019), the variant without gates, as `torchvision.models.mnasnet` builds it.

use super::blocks::{Norm, add_conv, add_linear, keeps_shape, make_divisible, same};
use super::{Options, Stem};
use crate::arch::{Arch, ArchError, Builder, Conv2d, Draw, NodeId, Op, Scheme};

pub const NAMES: &[&str] = &["mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3"];

/// A run of blocks of one width.
struct Stage {
    /// Channels at a width of 1.
    channels: usize,
    kernel: usize,
    /// Of the first block.
    stride: usize,
    /// How many times wider a block is inside.
    expand: usize,
    blocks: usize,
}

const fn stage(channels: usize, [kernel, stride, expand, blocks]: [usize; 4]) -> Stage {
    Stage {
        channels,
        kernel,
        stride,
        expand,
        blocks,
    }
}

const STAGES: [Stage; 6] = [
    stage(24, [3, 2, 3, 3]),
    stage(40, [5, 2, 3, 3]),
    stage(80, [5, 2, 6, 3]),
    stage(96, [3, 1, 6, 2]),
    stage(192, [5, 2, 6, 4]),
    stage(320, [3, 1, 6, 1]),
];
/// Channels of the stem's two convolutions.
const STEM_CHANNELS: [usize; 2] = [32, 16];
const LAST_CHANNELS: usize = 1280;
const DROPOUT: f64 = 0.2;
const NORM: Norm = Norm {
    momentum: 1.0 - 0.9997,
    ..Norm::DEFAULT
};

pub fn build(name: &str, options: &Options) -> Result<Arch, ArchError> {
    let width = match name {
        "mnasnet0_5" => 0.5,
        "mnasnet0_75" => 0.75,
        "mnasnet1_0" => 1.0,
        "mnasnet1_3" => 1.3,
        other => unreachable!("{other} is not in NAMES"),
    };
    let scaled = |channels: usize| make_divisible(channels as f64 * width, 8);
    let mut b = Builder::new(name, options.input(), options.classes);
    let mut x = stem(&mut b, STEM_CHANNELS.map(scaled), options.stem)?;
    // The stem has eight layers.
    for (i, stage) in (8..).zip(&STAGES) {
        for j in 0..stage.blocks {
            let stride = if j == 0 { stage.stride } else { 1 };
            let path = format!("layers.{i}.{j}");
            x = block(&mut b, &path, stage, [stride, scaled(stage.channels)], x)?;
        }
    }
    let last = Conv2d::new(b.shape(x).channels(), LAST_CHANNELS, 1);
    x = conv_norm_relu(&mut b, "layers", 14, last, x)?;
    x = b.apply("", Op::Mean { flattened: false }, &[x])?;
    x = b.apply("classifier.0", Op::Dropout { p: DROPOUT }, &[x])?;
    // By the fan-out, for a sigmoid.
    let bound = (3.0 / options.classes as f64).sqrt();
    let draw = Draw::without_bias(Scheme::Uniform { bound });
    add_linear(&mut b, "classifier.1", options.classes, draw, x)?;
    Ok(b.finish())
}

/// A convolution and what follows it, named `PATH.AT` and the two numbers after.
fn conv_norm_relu(
    b: &mut Builder,
    path: &str,
    at: usize,
    conv: Conv2d,
    x: NodeId,
) -> Result<NodeId, ArchError> {
    let x = conv_norm(b, path, at, conv, x)?;
    b.relu(&format!("{path}.{}", at + 2), x)
}

fn conv_norm(
    b: &mut Builder,
    path: &str,
    at: usize,
    conv: Conv2d,
    x: NodeId,
) -> Result<NodeId, ArchError> {
    let x = add_conv(b, &format!("{path}.{at}"), conv, x)?;
    NORM.add(b, &format!("{path}.{}", at + 1), x)
}

/// For 32x32 images, the first convolution keeps the resolution.
fn stem(b: &mut Builder, [first, second]: [usize; 2], stem: Stem) -> Result<NodeId, ArchError> {
    let stride = match stem {
        Stem::ImageNet => 2,
        Stem::Cifar => 1,
    };
    let x = b.input();
    let x = conv_norm_relu(b, "layers", 0, same(3, first, 3).stride(stride), x)?;
    let depthwise = same(first, first, 3).groups(first);
    let x = conv_norm_relu(b, "layers", 3, depthwise, x)?;
    conv_norm(b, "layers", 6, Conv2d::new(first, second, 1), x)
}

/// Widen, depthwise, narrow.
fn block(
    b: &mut Builder,
    path: &str,
    stage: &Stage,
    [stride, to]: [usize; 2],
    input: NodeId,
) -> Result<NodeId, ArchError> {
    let layers = format!("{path}.layers");
    let from = b.shape(input).channels();
    let inner = from * stage.expand;
    let x = conv_norm_relu(b, &layers, 0, Conv2d::new(from, inner, 1), input)?;
    let depthwise = same(inner, inner, stage.kernel)
        .stride(stride)
        .groups(inner);
    let x = conv_norm_relu(b, &layers, 3, depthwise, x)?;
    let x = conv_norm(b, &layers, 6, Conv2d::new(inner, to, 1), x)?;
    if keeps_shape(stride, from, to) {
        return b.apply(path, Op::Add, &[x, input]);
    }
    Ok(x)
}
