//! ConvNeXt (Liu et al. 2022), as `torchvision.models.convnext` builds it.

use super::{Options, Stem};
use crate::arch::{Activation, Arch, ArchError, Builder, Conv2d, Draw, Linear, NodeId, Op, Scheme};

pub const NAMES: &[&str] = &[
    "convnext_tiny",
    "convnext_small",
    "convnext_base",
    "convnext_large",
];

struct Config {
    widths: [usize; 4],
    depths: [usize; 4],
    /// Probability of dropping the last block's branch; earlier blocks get a linear share.
    drop: f64,
}

/// Every layer norm of the family has this eps.
const EPS: f64 = 1e-6;
/// First value of every layer scale.
const LAYER_SCALE: f64 = 1e-6;
/// Convolutions and linear layers are drawn alike.
const DRAW: Draw = Draw {
    weight: Scheme::truncated(0.02),
    bias: Scheme::ZEROS,
};

fn config(name: &str) -> Config {
    let (widths, depths, drop) = match name {
        "convnext_tiny" => ([96, 192, 384, 768], [3, 3, 9, 3], 0.1),
        "convnext_small" => ([96, 192, 384, 768], [3, 3, 27, 3], 0.4),
        "convnext_base" => ([128, 256, 512, 1024], [3, 3, 27, 3], 0.5),
        "convnext_large" => ([192, 384, 768, 1536], [3, 3, 27, 3], 0.5),
        other => unreachable!("{other} is not in NAMES"),
    };
    Config {
        widths,
        depths,
        drop,
    }
}

pub fn build(name: &str, options: &Options) -> Result<Arch, ArchError> {
    let config = config(name);
    let blocks: usize = config.depths.iter().sum();
    let mut b = Builder::new(name, options.input(), options.classes);
    let mut x = stem(&mut b, config.widths[0], options.stem)?;
    let mut index = 0;
    for stage in 0..4 {
        let width = config.widths[stage];
        // `features` holds the stem, then stages and downsampling by turns.
        let path = format!("features.{}", 2 * stage + 1);
        for i in 0..config.depths[stage] {
            let p = config.drop * index as f64 / (blocks - 1) as f64;
            x = block(&mut b, &format!("{path}.{i}"), width, p, x)?;
            index += 1;
        }
        if stage < 3 {
            let path = format!("features.{}", 2 * stage + 2);
            x = downsample(&mut b, &path, width, config.widths[stage + 1], x)?;
        }
    }
    head(&mut b, config.widths[3], options.classes, x)?;
    Ok(b.finish())
}

fn stem(b: &mut Builder, width: usize, stem: Stem) -> Result<NodeId, ArchError> {
    let stride = match stem {
        Stem::ImageNet => 4,
        Stem::Cifar => 1,
    };
    let conv = Conv2d::new(3, width, 4).stride(stride).with_bias();
    let conv = b.conv("features.0.0", conv, DRAW);
    let norm = b.layer_norm("features.0.1", width, EPS);
    let x = b.call(conv, b.input())?;
    b.call(norm, x)
}

fn block(
    b: &mut Builder,
    path: &str,
    width: usize,
    drop: f64,
    input: NodeId,
) -> Result<NodeId, ArchError> {
    let linear = |in_features, out_features| Linear {
        in_features,
        out_features,
        bias: true,
    };
    let depthwise = Conv2d::new(width, width, 7).padding(3).groups(width);
    let at = |i: usize| format!("{path}.block.{i}");
    // A module's own parameters come before those of its children.
    let scale = b.layer_scale(path, width, LAYER_SCALE);
    let conv = b.conv(&at(0), depthwise.with_bias(), DRAW);
    let norm = b.layer_norm(&at(2), width, EPS);
    let widen = b.linear(&at(3), linear(width, 4 * width), DRAW);
    let narrow = b.linear(&at(5), linear(4 * width, width), DRAW);

    let x = b.call(conv, input)?;
    let x = b.apply(&at(1), Op::ToGrid, &[x])?;
    let x = b.call(norm, x)?;
    let x = b.call(widen, x)?;
    let x = b.apply(&at(4), Op::Activation(Activation::Gelu), &[x])?;
    let x = b.call(narrow, x)?;
    let x = b.apply(&at(6), Op::ToImage, &[x])?;
    let x = b.call(scale, x)?;
    let x = b.apply(
        &format!("{path}.stochastic_depth"),
        Op::StochasticDepth { p: drop },
        &[x],
    )?;
    b.apply(path, Op::Add, &[x, input])
}

fn downsample(
    b: &mut Builder,
    path: &str,
    from: usize,
    to: usize,
    x: NodeId,
) -> Result<NodeId, ArchError> {
    let norm = b.layer_norm(&format!("{path}.0"), from, EPS);
    let conv = Conv2d::new(from, to, 2).stride(2).with_bias();
    let conv = b.conv(&format!("{path}.1"), conv, DRAW);
    let x = b.call(norm, x)?;
    b.call(conv, x)
}

fn head(b: &mut Builder, width: usize, classes: usize, x: NodeId) -> Result<NodeId, ArchError> {
    let norm = b.layer_norm("classifier.0", width, EPS);
    let linear = Linear {
        in_features: width,
        out_features: classes,
        bias: true,
    };
    let linear = b.linear("classifier.2", linear, DRAW);
    let x = b.apply("avgpool", Op::AdaptiveAvgPool([1, 1]), &[x])?;
    let x = b.call(norm, x)?;
    let x = b.apply("classifier.1", Op::Flatten, &[x])?;
    b.call(linear, x)
}
