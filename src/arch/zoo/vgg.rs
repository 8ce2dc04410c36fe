//! VGG (Simonyan & Zisserman 2015), with and without batch norms, as `torchvision.models.vgg` builds it.

use super::blocks::{Norm, add_conv, add_linear, same};
use super::{Options, Stem};
use crate::arch::{Arch, ArchError, Builder, Draw, Op, Pool, Scheme};

pub const NAMES: &[&str] = &[
    "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn",
];

/// Channels of the stages; each ends in a pool.
const WIDTHS: [usize; 5] = [64, 128, 256, 512, 512];
/// Side of the image that the classifier reads.
const POOLED: usize = 7;
const HIDDEN: usize = 4096;
/// For 32x32 images, the protocol leaves out the pools among so many of the first features.
const CIFAR_FEATURES: usize = 10;

/// Convolutions in each stage.
fn depths(name: &str) -> [usize; 5] {
    match name.trim_end_matches("_bn") {
        "vgg11" => [1, 1, 2, 2, 2],
        "vgg13" => [2, 2, 2, 2, 2],
        "vgg16" => [2, 2, 3, 3, 3],
        "vgg19" => [2, 2, 4, 4, 4],
        other => unreachable!("{other} is not in NAMES"),
    }
}

pub fn build(name: &str, options: &Options) -> Result<Arch, ArchError> {
    let normed = name.ends_with("_bn");
    let mut b = Builder::new(name, options.input(), options.classes);
    let mut x = b.input();
    let mut index = 0;
    let mut next = || {
        index += 1;
        (index - 1, format!("features.{}", index - 1))
    };
    for (width, depth) in WIDTHS.into_iter().zip(depths(name)) {
        for _ in 0..depth {
            let conv = same(b.shape(x).channels(), width, 3).with_bias();
            x = add_conv(&mut b, &next().1, conv, x)?;
            if normed {
                x = Norm::DEFAULT.add(&mut b, &next().1, x)?;
            }
            x = b.relu(&next().1, x)?;
        }
        let (at, path) = next();
        if options.stem == Stem::ImageNet || at >= CIFAR_FEATURES {
            x = b.apply(&path, Op::MaxPool(Pool::new(2, 2, 0)), &[x])?;
        }
    }
    x = b.apply("avgpool", Op::AdaptiveAvgPool([POOLED; 2]), &[x])?;
    x = b.apply("", Op::Flatten, &[x])?;
    let draw = Draw::without_bias(Scheme::Normal { std: 0.01 });
    for layer in [0, 3] {
        let at = |part: usize| format!("classifier.{}", layer + part);
        x = add_linear(&mut b, &at(0), HIDDEN, draw, x)?;
        x = b.relu(&at(1), x)?;
        x = b.apply(&at(2), Op::Dropout { p: 0.5 }, &[x])?;
    }
    add_linear(&mut b, "classifier.6", options.classes, draw, x)?;
    Ok(b.finish())
}
