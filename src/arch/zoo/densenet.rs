//! DenseNet (Huang et al. 2017), as `torchvision.models.densenet` builds it.

use super::blocks::{Norm, add_drawn_conv, add_linear, pool_to_vector};
use super::{Options, Stem};
use crate::arch::{Arch, ArchError, Builder, Conv2d, Draw, NodeId, Op, Pool, Scheme};

pub const NAMES: &[&str] = &["densenet121", "densenet169", "densenet201", "densenet161"];

struct Config {
    /// Channels that every layer adds.
    growth: usize,
    /// Layers in each of the four blocks.
    depths: [usize; 4],
    /// Channels of the stem.
    first: usize,
}

/// How many times wider than the growth a layer is inside.
const WIDEN: usize = 4;

fn config(name: &str) -> Config {
    let (growth, depths, first) = match name {
        "densenet121" => (32, [6, 12, 24, 16], 64),
        "densenet161" => (48, [6, 12, 36, 24], 96),
        "densenet169" => (32, [6, 12, 32, 32], 64),
        "densenet201" => (32, [6, 12, 48, 32], 64),
        other => unreachable!("{other} is not in NAMES"),
    };
    Config {
        growth,
        depths,
        first,
    }
}

pub fn build(name: &str, options: &Options) -> Result<Arch, ArchError> {
    let config = config(name);
    let mut b = Builder::new(name, options.input(), options.classes);
    let mut x = stem(&mut b, config.first, options.stem)?;
    for (i, depth) in config.depths.into_iter().enumerate() {
        if i > 0 {
            x = transition(&mut b, &format!("features.transition{i}"), x)?;
        }
        let path = format!("features.denseblock{}", i + 1);
        x = block(&mut b, &path, config.growth, depth, x)?;
    }
    let x = norm_relu(&mut b, ["features.norm5", ""], x)?;
    let x = pool_to_vector(&mut b, "", x)?;
    let weight = Scheme::torch_default(&[options.classes, b.shape(x).channels()]);
    let draw = Draw::without_bias(weight);
    add_linear(&mut b, "classifier", options.classes, draw, x)?;
    Ok(b.finish())
}

fn conv(b: &mut Builder, path: &str, conv: Conv2d, x: NodeId) -> Result<NodeId, ArchError> {
    let weight = Scheme::kaiming_normal(&conv.weight_shape());
    add_drawn_conv(b, path, conv, Draw::without_bias(weight), x)
}

fn norm_relu(b: &mut Builder, [norm, relu]: [&str; 2], x: NodeId) -> Result<NodeId, ArchError> {
    let x = Norm::DEFAULT.add(b, norm, x)?;
    b.relu(relu, x)
}

fn stem(b: &mut Builder, channels: usize, stem: Stem) -> Result<NodeId, ArchError> {
    let first = match stem {
        Stem::ImageNet => Conv2d::new(3, channels, 7).stride(2).padding(3),
        Stem::Cifar => Conv2d::new(3, channels, 3).padding(1),
    };
    let x = conv(b, "features.conv0", first, b.input())?;
    let x = norm_relu(b, ["features.norm0", "features.relu0"], x)?;
    match stem {
        Stem::ImageNet => b.apply("features.pool0", Op::MaxPool(Pool::new(3, 2, 1)), &[x]),
        Stem::Cifar => Ok(x),
    }
}

/// Layers that read what all layers before them made.
fn block(
    b: &mut Builder,
    path: &str,
    growth: usize,
    depth: usize,
    input: NodeId,
) -> Result<NodeId, ArchError> {
    let mut made = vec![input];
    for i in 1..=depth {
        let path = format!("{path}.denselayer{i}");
        let at = |part: &str| format!("{path}.{part}");
        // torch concatenates the first layer's only input, too.
        let x = b.apply(&path, Op::Concat, &made)?;
        let from = b.shape(x).channels();
        let x = norm_relu(b, [&at("norm1"), &at("relu1")], x)?;
        let x = conv(b, &at("conv1"), Conv2d::new(from, WIDEN * growth, 1), x)?;
        let x = norm_relu(b, [&at("norm2"), &at("relu2")], x)?;
        let widened = Conv2d::new(WIDEN * growth, growth, 3).padding(1);
        made.push(conv(b, &at("conv2"), widened, x)?);
    }
    b.apply(path, Op::Concat, &made)
}

/// Halves channels and resolution.
fn transition(b: &mut Builder, path: &str, x: NodeId) -> Result<NodeId, ArchError> {
    let at = |part: &str| format!("{path}.{part}");
    let channels = b.shape(x).channels();
    let x = norm_relu(b, [&at("norm"), &at("relu")], x)?;
    let x = conv(b, &at("conv"), Conv2d::new(channels, channels / 2, 1), x)?;
    b.apply(&at("pool"), Op::AvgPool(Pool::new(2, 2, 0)), &[x])
}
