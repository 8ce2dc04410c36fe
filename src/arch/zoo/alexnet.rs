//! AlexNet (Krizhevsky 2014, "one weird trick"), as `torchvision.models.alexnet` builds it.

use super::blocks::{add_default_conv, add_default_linear, same};
use super::{Options, Stem};
use crate::arch::{Arch, ArchError, Builder, Conv2d, NodeId, Op, Pool};

pub const NAMES: &[&str] = &["alexnet"];

/// Side of the image that the classifier reads.
const POOLED: usize = 6;
const HIDDEN: usize = 4096;
const DROPOUT: Op = Op::Dropout { p: 0.5 };

pub fn build(name: &str, options: &Options) -> Result<Arch, ArchError> {
    let mut b = Builder::new(name, options.input(), options.classes);
    let x = features(&mut b, options.stem)?;
    let x = b.apply("avgpool", Op::AdaptiveAvgPool([POOLED; 2]), &[x])?;
    let x = b.apply("", Op::Flatten, &[x])?;
    let x = b.apply("classifier.0", DROPOUT, &[x])?;
    let x = add_default_linear(&mut b, "classifier.1", HIDDEN, x)?;
    let x = b.relu("classifier.2", x)?;
    let x = b.apply("classifier.3", DROPOUT, &[x])?;
    let x = add_default_linear(&mut b, "classifier.4", HIDDEN, x)?;
    let x = b.relu("classifier.5", x)?;
    add_default_linear(&mut b, "classifier.6", options.classes, x)?;
    Ok(b.finish())
}

/// For 32x32 images, the first convolution keeps the resolution and the first pool is left out.
fn features(b: &mut Builder, stem: Stem) -> Result<NodeId, ArchError> {
    let pool = Op::MaxPool(Pool::new(3, 2, 0));
    let first = Conv2d::new(3, 64, 11).padding(2);
    let mut x = b.input();
    x = match stem {
        Stem::ImageNet => conv_relu(b, 0, first.stride(4), x)?,
        Stem::Cifar => conv_relu(b, 0, first, x)?,
    };
    if stem == Stem::ImageNet {
        x = b.apply("features.2", pool, &[x])?;
    }
    x = conv_relu(b, 3, same(64, 192, 5), x)?;
    x = b.apply("features.5", pool, &[x])?;
    x = conv_relu(b, 6, same(192, 384, 3), x)?;
    x = conv_relu(b, 8, same(384, 256, 3), x)?;
    x = conv_relu(b, 10, same(256, 256, 3), x)?;
    b.apply("features.12", pool, &[x])
}

fn conv_relu(b: &mut Builder, at: usize, conv: Conv2d, x: NodeId) -> Result<NodeId, ArchError> {
    let x = add_default_conv(b, &format!("features.{at}"), conv.with_bias(), x)?;
    b.relu(&format!("features.{}", at + 1), x)
}
