//! RegNet X and Y (Radosavovic et al. 2020), as `torchvision.models.regnet` builds them.

use super::Options;
use super::blocks::{
    ConvNorm, Norm, SqueezeExcitation, add_linear, by_fan_out, keeps_shape, pool_to_vector, same,
};
use crate::arch::{Activation, Arch, ArchError, Builder, Conv2d, Draw, NodeId, Op, Scheme};

pub const NAMES: &[&str] = &[
    "regnet_x_400mf",
    "regnet_x_800mf",
    "regnet_x_1_6gf",
    "regnet_x_3_2gf",
    "regnet_x_8gf",
    "regnet_x_16gf",
    "regnet_x_32gf",
    "regnet_y_400mf",
    "regnet_y_800mf",
    "regnet_y_1_6gf",
    "regnet_y_3_2gf",
    "regnet_y_8gf",
    "regnet_y_16gf",
    "regnet_y_32gf",
    "regnet_y_128gf",
];

/// The paper's rule for depths and widths, worked out.
struct Config {
    /// Blocks in each of the four stages.
    depths: [usize; 4],
    widths: [usize; 4],
    /// Channels of a group; a narrower stage is a single group.
    group: usize,
}

const STEM_CHANNELS: usize = 32;

fn config(name: &str) -> Config {
    let (depths, widths, group) = match name {
        "regnet_x_400mf" => ([1, 2, 7, 12], [32, 64, 160, 400], 16),
        "regnet_x_800mf" => ([1, 3, 7, 5], [64, 128, 288, 672], 16),
        "regnet_x_1_6gf" => ([2, 4, 10, 2], [72, 168, 408, 912], 24),
        "regnet_x_3_2gf" => ([2, 6, 15, 2], [96, 192, 432, 1008], 48),
        "regnet_x_8gf" => ([2, 5, 15, 1], [80, 240, 720, 1920], 120),
        "regnet_x_16gf" => ([2, 6, 13, 1], [256, 512, 896, 2048], 128),
        "regnet_x_32gf" => ([2, 7, 13, 1], [336, 672, 1344, 2520], 168),
        "regnet_y_400mf" => ([1, 3, 6, 6], [48, 104, 208, 440], 8),
        "regnet_y_800mf" => ([1, 3, 8, 2], [64, 144, 320, 784], 16),
        "regnet_y_1_6gf" => ([2, 6, 17, 2], [48, 120, 336, 888], 24),
        "regnet_y_3_2gf" => ([2, 5, 13, 1], [72, 216, 576, 1512], 24),
        "regnet_y_8gf" => ([2, 4, 10, 1], [224, 448, 896, 2016], 56),
        "regnet_y_16gf" => ([2, 4, 11, 1], [224, 448, 1232, 3024], 112),
        "regnet_y_32gf" => ([2, 5, 12, 1], [232, 696, 1392, 3712], 232),
        "regnet_y_128gf" => ([2, 7, 17, 1], [528, 1056, 2904, 7392], 264),
        other => unreachable!("{other} is not in NAMES"),
    };
    Config {
        depths,
        widths,
        group,
    }
}

/// The family has no form of its own for 32x32 images.
pub fn build(name: &str, options: &Options) -> Result<Arch, ArchError> {
    let config = config(name);
    let mut b = Builder::new(name, options.input(), options.classes);
    let stem = same(3, STEM_CHANNELS, 3).stride(2);
    let x = b.input();
    let mut x = conv_norm(stem, Some(Activation::Relu)).add(&mut b, "stem", x)?;
    for (i, (depth, width)) in config.depths.into_iter().zip(config.widths).enumerate() {
        let stage = i + 1;
        for j in 0..depth {
            let block = Block {
                path: format!("trunk_output.block{stage}.block{stage}-{j}"),
                from: b.shape(x).channels(),
                to: width,
                stride: if j == 0 { 2 } else { 1 },
                groups: width / config.group.min(width),
                gated: name.starts_with("regnet_y"),
            };
            x = block.add(&mut b, x)?;
        }
    }
    let x = pool_to_vector(&mut b, "avgpool", x)?;
    let draw = Draw::without_bias(Scheme::Normal { std: 0.01 });
    add_linear(&mut b, "fc", options.classes, draw, x)?;
    Ok(b.finish())
}

const fn conv_norm(conv: Conv2d, activation: Option<Activation>) -> ConvNorm {
    ConvNorm {
        conv,
        norm: Norm::DEFAULT,
        activation,
    }
}

/// A bottleneck as wide inside as outside, with a shortcut.
struct Block {
    path: String,
    from: usize,
    to: usize,
    stride: usize,
    groups: usize,
    /// Whether the channels are gated: RegNet Y.
    gated: bool,
}

impl Block {
    fn add(&self, b: &mut Builder, input: NodeId) -> Result<NodeId, ArchError> {
        let mut shortcut = input;
        if !keeps_shape(self.stride, self.from, self.to) {
            let point = Conv2d::new(self.from, self.to, 1).stride(self.stride);
            shortcut = conv_norm(point, None).add(b, &format!("{}.proj", self.path), input)?;
        }
        let x = self.branch(b, input)?;
        let x = b.apply(&self.path, Op::Add, &[shortcut, x])?;
        b.relu(&format!("{}.activation", self.path), x)
    }

    fn branch(&self, b: &mut Builder, input: NodeId) -> Result<NodeId, ArchError> {
        let at = |part: &str| format!("{}.f.{part}", self.path);
        let relu = Some(Activation::Relu);
        let first = Conv2d::new(self.from, self.to, 1);
        let mut x = conv_norm(first, relu).add(b, &at("a"), input)?;
        let grouped = same(self.to, self.to, 3).stride(self.stride);
        x = conv_norm(grouped.groups(self.groups), relu).add(b, &at("b"), x)?;
        if self.gated {
            let gate = SqueezeExcitation {
                squeeze: self.from / 4,
                activation: Activation::Relu,
                gate: Activation::Sigmoid,
                draw: |shape| Draw {
                    bias: Scheme::torch_default(shape),
                    ..by_fan_out(shape)
                },
            };
            x = gate.add(b, &at("se"), x)?;
        }
        conv_norm(Conv2d::new(self.to, self.to, 1), None).add(b, &at("c"), x)
    }
}
