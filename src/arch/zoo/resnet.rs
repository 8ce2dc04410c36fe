//! ResNet, ResNeXt and Wide ResNet (He et al. 2016, Xie et al. 2017, Zagoruyko & Komodakis 2016),
//! as `torchvision.models.resnet` builds them.

use super::{Options, Stem};
use crate::arch::{
    Arch, ArchError, Builder, Conv2d, Draw, Linear, ModuleId, NodeId, Op, Pool, Scheme,
};

pub const NAMES: &[&str] = &[
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "wide_resnet50_2",
    "wide_resnet101_2",
];

/// The two kinds of residual block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    /// Two 3x3 convolutions.
    Basic,
    /// 1x1, 3x3, 1x1; the output is four times as wide as the stage.
    Bottleneck,
}

impl Block {
    const fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

struct Config {
    block: Block,
    /// Blocks in each of the four stages.
    depths: [usize; 4],
    groups: usize,
    /// Channels per group at a stage width of 64.
    width_per_group: usize,
}

const STAGE_WIDTHS: [usize; 4] = [64, 128, 256, 512];

fn config(name: &str) -> Config {
    let (block, depths, groups, width_per_group) = match name {
        "resnet18" => (Block::Basic, [2, 2, 2, 2], 1, 64),
        "resnet34" => (Block::Basic, [3, 4, 6, 3], 1, 64),
        "resnet50" => (Block::Bottleneck, [3, 4, 6, 3], 1, 64),
        "resnet101" => (Block::Bottleneck, [3, 4, 23, 3], 1, 64),
        "resnet152" => (Block::Bottleneck, [3, 8, 36, 3], 1, 64),
        "resnext50_32x4d" => (Block::Bottleneck, [3, 4, 6, 3], 32, 4),
        "resnext101_32x8d" => (Block::Bottleneck, [3, 4, 23, 3], 32, 8),
        "resnext101_64x4d" => (Block::Bottleneck, [3, 4, 23, 3], 64, 4),
        "wide_resnet50_2" => (Block::Bottleneck, [3, 4, 6, 3], 1, 128),
        "wide_resnet101_2" => (Block::Bottleneck, [3, 4, 23, 3], 1, 128),
        other => unreachable!("{other} is not in NAMES"),
    };
    Config {
        block,
        depths,
        groups,
        width_per_group,
    }
}

pub fn build(name: &str, options: &Options) -> Result<Arch, ArchError> {
    let config = config(name);
    let mut b = Builder::new(name, options.input(), options.classes);
    let mut x = stem(&mut b, options.stem)?;
    let mut channels = STAGE_WIDTHS[0];
    for (stage, depth) in config.depths.into_iter().enumerate() {
        for i in 0..depth {
            let block = BlockSpec {
                path: format!("layer{}.{i}", stage + 1),
                channels,
                width: STAGE_WIDTHS[stage],
                stride: if stage > 0 && i == 0 { 2 } else { 1 },
            };
            x = residual(&mut b, &config, &block, x)?;
            channels = STAGE_WIDTHS[stage] * config.block.expansion();
        }
    }
    head(&mut b, channels, options.classes, x)?;
    Ok(b.finish())
}

/// `nn.Conv2d` without a bias, drawn as ResNet draws all its convolutions.
fn conv(b: &mut Builder, path: &str, conv: Conv2d) -> ModuleId {
    let weight = Scheme::kaiming_normal_fan_out(&conv.weight_shape());
    let bias = Scheme::ZEROS;
    b.conv(path, conv, Draw { weight, bias })
}

fn stem(b: &mut Builder, stem: Stem) -> Result<NodeId, ArchError> {
    let first = match stem {
        Stem::ImageNet => Conv2d::new(3, 64, 7).stride(2).padding(3),
        Stem::Cifar => Conv2d::new(3, 64, 3).padding(1),
    };
    let conv1 = conv(b, "conv1", first);
    let bn1 = b.batch_norm("bn1", 64);
    let x = b.call(conv1, b.input())?;
    let x = b.call(bn1, x)?;
    let x = b.relu("relu", x)?;
    match stem {
        Stem::ImageNet => b.apply("maxpool", Op::MaxPool(Pool::new(3, 2, 1)), &[x]),
        Stem::Cifar => Ok(x),
    }
}

struct BlockSpec {
    path: String,
    /// Channels that come in.
    channels: usize,
    /// The stage's width.
    width: usize,
    stride: usize,
}

fn residual(
    b: &mut Builder,
    config: &Config,
    block: &BlockSpec,
    input: NodeId,
) -> Result<NodeId, ArchError> {
    let convs = branch(config, block);
    let path = &block.path;
    let mut layers = Vec::with_capacity(convs.len());
    for (i, c) in convs.iter().enumerate() {
        let conv = conv(b, &format!("{path}.conv{}", i + 1), *c);
        let bn = b.batch_norm(&format!("{path}.bn{}", i + 1), c.out_channels);
        layers.push((conv, bn));
    }
    let out = block.width * config.block.expansion();
    let downsample = (block.stride != 1 || block.channels != out).then(|| {
        let c = Conv2d::new(block.channels, out, 1).stride(block.stride);
        let conv = conv(b, &format!("{path}.downsample.0"), c);
        (conv, b.batch_norm(&format!("{path}.downsample.1"), out))
    });

    let relu = format!("{path}.relu");
    let mut x = input;
    for (i, (conv, bn)) in layers.iter().enumerate() {
        if i > 0 {
            x = b.relu(&relu, x)?;
        }
        x = b.call(*conv, x)?;
        x = b.call(*bn, x)?;
    }
    let mut shortcut = input;
    if let Some((conv, bn)) = downsample {
        shortcut = b.call(conv, shortcut)?;
        shortcut = b.call(bn, shortcut)?;
    }
    let sum = b.apply(path, Op::Add, &[x, shortcut])?;
    b.relu(&relu, sum)
}

/// The convolutions of a block's branch; the stride sits on the first 3x3.
fn branch(config: &Config, block: &BlockSpec) -> Vec<Conv2d> {
    let &BlockSpec {
        channels,
        width,
        stride,
        ..
    } = block;
    match config.block {
        Block::Basic => vec![
            Conv2d::new(channels, width, 3).stride(stride).padding(1),
            Conv2d::new(width, width, 3).padding(1),
        ],
        Block::Bottleneck => {
            let inner = width * config.width_per_group / 64 * config.groups;
            let spatial = Conv2d::new(inner, inner, 3).stride(stride).padding(1);
            vec![
                Conv2d::new(channels, inner, 1),
                spatial.groups(config.groups),
                Conv2d::new(inner, width * config.block.expansion(), 1),
            ]
        }
    }
}

fn head(b: &mut Builder, channels: usize, classes: usize, x: NodeId) -> Result<NodeId, ArchError> {
    let weight_shape = [classes, channels];
    let linear = Linear {
        in_features: channels,
        out_features: classes,
        bias: true,
    };
    let draw = Draw {
        weight: Scheme::torch_default(&weight_shape),
        bias: Scheme::torch_default_bias(channels),
    };
    let fc = b.linear("fc", linear, draw);
    let x = b.apply("avgpool", Op::AdaptiveAvgPool([1, 1]), &[x])?;
    let x = b.apply("", Op::Flatten, &[x])?;
    b.call(fc, x)
}
