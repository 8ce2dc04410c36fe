//! MobileNet v2 (Sandler et al. 2018), as `torchvision.models.mobilenetv2` builds it.

use super::blocks::{ConvNorm, Norm, add_conv, add_linear, keeps_shape, pool_to_vector, same};
use super::{Options, Stem};
use crate::arch::{Activation, Arch, ArchError, Builder, Conv2d, Draw, NodeId, Op, Scheme};

pub const NAMES: &[&str] = &["mobilenet_v2"];

/// A run of blocks of one width.
struct Stage {
    /// How many times wider a block is inside.
    expand: usize,
    channels: usize,
    blocks: usize,
    /// Of the first block.
    stride: usize,
}

const fn stage(expand: usize, channels: usize, blocks: usize, stride: usize) -> Stage {
    Stage {
        expand,
        channels,
        blocks,
        stride,
    }
}

const STAGES: [Stage; 7] = [
    stage(1, 16, 1, 1),
    stage(6, 24, 2, 2),
    stage(6, 32, 3, 2),
    stage(6, 64, 4, 2),
    stage(6, 96, 3, 1),
    stage(6, 160, 3, 2),
    stage(6, 320, 1, 1),
];
const STEM_CHANNELS: usize = 32;
const LAST_CHANNELS: usize = 1280;
const DROPOUT: f64 = 0.2;
/// For 32x32 images, the protocol sets all strides to 1 in so many of the first features.
const CIFAR_FEATURES: usize = 5;

/// The stride that a convolution of feature `index` gets.
pub fn adjusted(stem: Stem, index: usize, stride: usize) -> usize {
    match stem {
        Stem::Cifar if index < CIFAR_FEATURES => 1,
        _ => stride,
    }
}

pub fn build(name: &str, options: &Options) -> Result<Arch, ArchError> {
    let mut b = Builder::new(name, options.input(), options.classes);
    let stem = same(3, STEM_CHANNELS, 3).stride(adjusted(options.stem, 0, 2));
    let x = b.input();
    let mut x = conv_norm(stem).add(&mut b, "features.0", x)?;
    let mut index = 1;
    for stage in &STAGES {
        for i in 0..stage.blocks {
            let stride = if i == 0 { stage.stride } else { 1 };
            let block = Block {
                path: format!("features.{index}"),
                from: b.shape(x).channels(),
                to: stage.channels,
                expand: stage.expand,
                stride: adjusted(options.stem, index, stride),
                residual: keeps_shape(stride, b.shape(x).channels(), stage.channels),
            };
            x = block.add(&mut b, x)?;
            index += 1;
        }
    }
    let last = Conv2d::new(b.shape(x).channels(), LAST_CHANNELS, 1);
    let x = conv_norm(last).add(&mut b, &format!("features.{index}"), x)?;
    let x = pool_to_vector(&mut b, "", x)?;
    let x = b.apply("classifier.0", Op::Dropout { p: DROPOUT }, &[x])?;
    let draw = Draw::without_bias(Scheme::Normal { std: 0.01 });
    add_linear(&mut b, "classifier.1", options.classes, draw, x)?;
    Ok(b.finish())
}

const fn conv_norm(conv: Conv2d) -> ConvNorm {
    ConvNorm {
        conv,
        norm: Norm::DEFAULT,
        activation: Some(Activation::Relu6),
    }
}

/// An inverted residual: widen, depthwise, narrow.
struct Block {
    path: String,
    from: usize,
    to: usize,
    expand: usize,
    stride: usize,
    /// Whether the input is added, which the adjustment for small images does not change.
    residual: bool,
}

impl Block {
    fn add(&self, b: &mut Builder, input: NodeId) -> Result<NodeId, ArchError> {
        let inner = self.from * self.expand;
        let mut part = 0;
        let mut next = || {
            part += 1;
            format!("{}.conv.{}", self.path, part - 1)
        };
        let mut x = input;
        if self.expand != 1 {
            x = conv_norm(Conv2d::new(self.from, inner, 1)).add(b, &next(), x)?;
        }
        let depthwise = same(inner, inner, 3).stride(self.stride).groups(inner);
        x = conv_norm(depthwise).add(b, &next(), x)?;
        x = add_conv(b, &next(), Conv2d::new(inner, self.to, 1), x)?;
        x = Norm::DEFAULT.add(b, &next(), x)?;
        if self.residual {
            x = b.apply(&self.path, Op::Add, &[input, x])?;
        }
        Ok(x)
    }
}
