//! EfficientNet and EfficientNetV2 (Tan & Le 2019, 2021), as `torchvision.models.efficientnet` builds
//! them.

use super::Options;
use super::blocks::{
    ConvNorm, Norm, SqueezeExcitation, add_linear, by_fan_out, keeps_shape, make_divisible,
    pool_to_vector, same,
};
use crate::arch::Activation::{Sigmoid, Silu};
use crate::arch::{Activation, Arch, ArchError, Builder, Conv2d, Draw, NodeId, Op, Scheme};

pub const NAMES: &[&str] = &[
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_b6",
    "efficientnet_b7",
    "efficientnet_v2_s",
    "efficientnet_v2_m",
    "efficientnet_v2_l",
];

/// The two kinds of block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Widen, depthwise, gate, narrow.
    Separable,
    /// One convolution widens and sees the neighbourhood, another narrows.
    Fused,
}
use Kind::{Fused, Separable};

/// A run of blocks of one width.
#[derive(Clone, Copy)]
struct Stage {
    kind: Kind,
    /// How many times wider a block is inside.
    expand: usize,
    kernel: usize,
    /// Of the first block.
    stride: usize,
    from: usize,
    to: usize,
    blocks: usize,
}

const fn stage(
    kind: Kind,
    [expand, kernel, stride]: [usize; 3],
    from: usize,
    to: usize,
    blocks: usize,
) -> Stage {
    Stage {
        kind,
        expand,
        kernel,
        stride,
        from,
        to,
        blocks,
    }
}

/// EfficientNet-B0; the others are wider and deeper.
const B0: [Stage; 7] = [
    stage(Separable, [1, 3, 1], 32, 16, 1),
    stage(Separable, [6, 3, 2], 16, 24, 2),
    stage(Separable, [6, 5, 2], 24, 40, 2),
    stage(Separable, [6, 3, 2], 40, 80, 3),
    stage(Separable, [6, 5, 1], 80, 112, 3),
    stage(Separable, [6, 5, 2], 112, 192, 4),
    stage(Separable, [6, 3, 1], 192, 320, 1),
];
const V2_S: [Stage; 6] = [
    stage(Fused, [1, 3, 1], 24, 24, 2),
    stage(Fused, [4, 3, 2], 24, 48, 4),
    stage(Fused, [4, 3, 2], 48, 64, 4),
    stage(Separable, [4, 3, 2], 64, 128, 6),
    stage(Separable, [6, 3, 1], 128, 160, 9),
    stage(Separable, [6, 3, 2], 160, 256, 15),
];
const V2_M: [Stage; 7] = [
    stage(Fused, [1, 3, 1], 24, 24, 3),
    stage(Fused, [4, 3, 2], 24, 48, 5),
    stage(Fused, [4, 3, 2], 48, 80, 5),
    stage(Separable, [4, 3, 2], 80, 160, 7),
    stage(Separable, [6, 3, 1], 160, 176, 14),
    stage(Separable, [6, 3, 2], 176, 304, 18),
    stage(Separable, [6, 3, 1], 304, 512, 5),
];
const V2_L: [Stage; 7] = [
    stage(Fused, [1, 3, 1], 32, 32, 4),
    stage(Fused, [4, 3, 2], 32, 64, 7),
    stage(Fused, [4, 3, 2], 64, 96, 7),
    stage(Separable, [4, 3, 2], 96, 192, 10),
    stage(Separable, [6, 3, 1], 192, 224, 19),
    stage(Separable, [6, 3, 2], 224, 384, 25),
    stage(Separable, [6, 3, 1], 384, 640, 7),
];

struct Config {
    stages: Vec<Stage>,
    /// Channels before the classifier.
    last: usize,
    dropout: f64,
    norm: Norm,
}

/// The last block's probability of being dropped would be this; earlier blocks get a linear share.
const DROP: f64 = 0.2;

fn config(name: &str) -> Config {
    let default = Norm::DEFAULT;
    let slow = Norm {
        eps: 1e-3,
        momentum: 0.01,
    };
    match name {
        "efficientnet_b0" => scaled(1.0, 1.0, 0.2, default),
        "efficientnet_b1" => scaled(1.0, 1.1, 0.2, default),
        "efficientnet_b2" => scaled(1.1, 1.2, 0.3, default),
        "efficientnet_b3" => scaled(1.2, 1.4, 0.3, default),
        "efficientnet_b4" => scaled(1.4, 1.8, 0.4, default),
        "efficientnet_b5" => scaled(1.6, 2.2, 0.4, slow),
        "efficientnet_b6" => scaled(1.8, 2.6, 0.5, slow),
        "efficientnet_b7" => scaled(2.0, 3.1, 0.5, slow),
        "efficientnet_v2_s" => second(&V2_S, 0.2),
        "efficientnet_v2_m" => second(&V2_M, 0.3),
        "efficientnet_v2_l" => second(&V2_L, 0.4),
        other => unreachable!("{other} is not in NAMES"),
    }
}

/// B0 with all widths and depths multiplied.
fn scaled(width: f64, depth: f64, dropout: f64, norm: Norm) -> Config {
    let channels = |c: usize| make_divisible(c as f64 * width, 8);
    let stages = B0.map(|s| Stage {
        from: channels(s.from),
        to: channels(s.to),
        blocks: (s.blocks as f64 * depth).ceil() as usize,
        ..s
    });
    Config {
        last: 4 * stages[6].to,
        stages: stages.to_vec(),
        dropout,
        norm,
    }
}

/// One of the second version.
fn second(stages: &[Stage], dropout: f64) -> Config {
    Config {
        stages: stages.to_vec(),
        last: 1280,
        dropout,
        norm: Norm {
            eps: 1e-3,
            ..Norm::DEFAULT
        },
    }
}

/// The family has no form of its own for 32x32 images.
pub fn build(name: &str, options: &Options) -> Result<Arch, ArchError> {
    let config = config(name);
    let mut b = Builder::new(name, options.input(), options.classes);
    let stem = same(3, config.stages[0].from, 3).stride(2);
    let x = b.input();
    let mut x = config.conv(stem, Some(Silu)).add(&mut b, "features.0", x)?;
    let blocks: usize = config.stages.iter().map(|s| s.blocks).sum();
    let mut index = 0;
    for (s, stage) in config.stages.iter().enumerate() {
        for i in 0..stage.blocks {
            let block = Block {
                path: format!("features.{}.{i}", s + 1),
                from: if i == 0 { stage.from } else { stage.to },
                stride: if i == 0 { stage.stride } else { 1 },
                stage: *stage,
                drop: DROP * index as f64 / blocks as f64,
            };
            x = block.add(&mut b, &config, x)?;
            index += 1;
        }
    }
    let last = Conv2d::new(b.shape(x).channels(), config.last, 1);
    let path = format!("features.{}", config.stages.len() + 1);
    let x = config.conv(last, Some(Silu)).add(&mut b, &path, x)?;
    let x = pool_to_vector(&mut b, "avgpool", x)?;
    let p = config.dropout;
    let x = b.apply("classifier.0", Op::Dropout { p }, &[x])?;
    let bound = 1.0 / (options.classes as f64).sqrt();
    let draw = Draw::without_bias(Scheme::Uniform { bound });
    add_linear(&mut b, "classifier.1", options.classes, draw, x)?;
    Ok(b.finish())
}

impl Config {
    const fn conv(&self, conv: Conv2d, activation: Option<Activation>) -> ConvNorm {
        ConvNorm {
            conv,
            norm: self.norm,
            activation,
        }
    }
}

struct Block {
    path: String,
    from: usize,
    stride: usize,
    stage: Stage,
    drop: f64,
}

impl Block {
    fn add(&self, b: &mut Builder, config: &Config, input: NodeId) -> Result<NodeId, ArchError> {
        let mut x = match self.stage.kind {
            Separable => self.separable(b, config, input)?,
            Fused => self.fused(b, config, input)?,
        };
        if keeps_shape(self.stride, self.from, self.stage.to) {
            let path = format!("{}.stochastic_depth", self.path);
            x = b.apply(&path, Op::StochasticDepth { p: self.drop }, &[x])?;
            x = b.apply(&self.path, Op::Add, &[x, input])?;
        }
        Ok(x)
    }

    /// Channels inside.
    fn inner(&self) -> usize {
        make_divisible((self.from * self.stage.expand) as f64, 8)
    }

    fn separable(
        &self,
        b: &mut Builder,
        config: &Config,
        input: NodeId,
    ) -> Result<NodeId, ArchError> {
        let (from, inner) = (self.from, self.inner());
        let mut part = 0;
        let mut next = || {
            part += 1;
            format!("{}.block.{}", self.path, part - 1)
        };
        let mut x = input;
        if inner != from {
            let widen = Conv2d::new(from, inner, 1);
            x = config.conv(widen, Some(Silu)).add(b, &next(), x)?;
        }
        let depthwise = same(inner, inner, self.stage.kernel).stride(self.stride);
        let depthwise = config.conv(depthwise.groups(inner), Some(Silu));
        x = depthwise.add(b, &next(), x)?;
        let gate = SqueezeExcitation {
            squeeze: (from / 4).max(1),
            activation: Silu,
            gate: Sigmoid,
            draw: by_fan_out,
        };
        x = gate.add(b, &next(), x)?;
        let narrow = Conv2d::new(inner, self.stage.to, 1);
        config.conv(narrow, None).add(b, &next(), x)
    }

    fn fused(&self, b: &mut Builder, config: &Config, x: NodeId) -> Result<NodeId, ArchError> {
        let (from, inner, to) = (self.from, self.inner(), self.stage.to);
        let at = |part: usize| format!("{}.block.{part}", self.path);
        let first = |to| same(from, to, self.stage.kernel).stride(self.stride);
        if inner == from {
            return config.conv(first(to), Some(Silu)).add(b, &at(0), x);
        }
        let x = config.conv(first(inner), Some(Silu)).add(b, &at(0), x)?;
        let narrow = Conv2d::new(inner, to, 1);
        config.conv(narrow, None).add(b, &at(1), x)
    }
}
