//! GoogLeNet (Szegedy et al. 2015), as `torchvision.models.googlenet` builds it.

use super::blocks::{BasicConv, add_linear, pool_to_vector, same};
use super::{Options, Stem};
use crate::arch::{Arch, ArchError, Builder, Conv2d, Draw, NodeId, Op, Pool, Scheme};

pub const NAMES: &[&str] = &["googlenet"];

/// All weights are drawn alike.
const WEIGHT: Scheme = Scheme::truncated(0.01);
const CONV: BasicConv = BasicConv { weight: WEIGHT };
const DROPOUT: f64 = 0.2;
/// Side of the image that an auxiliary classifier reads, its channels, and its hidden layer's.
const AUXILIARY_SIDE: usize = 4;
const AUXILIARY_CHANNELS: usize = 128;
const AUXILIARY_HIDDEN: usize = 1024;
const AUXILIARY_DROPOUT: f64 = 0.7;

/// Channels of an inception block: of the point-wise branch, within and after the two branches of two
/// convolutions, of the pooled branch.
type Widths = (usize, [usize; 2], [usize; 2], usize);

/// Blocks by name, and the stages that follow a pool.
const STAGES: [&[(&str, Widths)]; 3] = [
    &[
        ("3a", (64, [96, 128], [16, 32], 32)),
        ("3b", (128, [128, 192], [32, 96], 64)),
    ],
    &[
        ("4a", (192, [96, 208], [16, 48], 64)),
        ("4b", (160, [112, 224], [24, 64], 64)),
        ("4c", (128, [128, 256], [24, 64], 64)),
        ("4d", (112, [144, 288], [32, 64], 64)),
        ("4e", (256, [160, 320], [32, 128], 128)),
    ],
    &[
        ("5a", (256, [160, 320], [32, 128], 128)),
        ("5b", (384, [192, 384], [48, 128], 128)),
    ],
];
/// The blocks whose outputs auxiliary classifiers read.
const AUXILIARY: [&str; 2] = ["4a", "4d"];

pub fn build(name: &str, options: &Options) -> Result<Arch, ArchError> {
    let mut b = Builder::new(name, options.input(), options.classes);
    let mut x = stem(&mut b, options.stem)?;
    let mut read = Vec::new();
    for (i, blocks) in STAGES.into_iter().enumerate() {
        if i > 0 {
            let pool = Pool::new(if i == 1 { 3 } else { 2 }, 2, 0).ceil();
            x = b.apply(&format!("maxpool{}", i + 2), Op::MaxPool(pool), &[x])?;
        }
        for (block, widths) in blocks {
            x = inception(&mut b, &format!("inception{block}"), *widths, x)?;
            if AUXILIARY.contains(block) {
                read.push(x);
            }
        }
    }
    if options.auxiliary {
        let first = auxiliary(&mut b, "aux1", options.classes, read[0])?;
        let second = auxiliary(&mut b, "aux2", options.classes, read[1])?;
        // As torchvision 0.15 returns them, which the reference graphs are from; now it is the reverse.
        b.auxiliary(first);
        b.auxiliary(second);
    }
    let x = pool_to_vector(&mut b, "avgpool", x)?;
    let x = b.apply("dropout", Op::Dropout { p: DROPOUT }, &[x])?;
    linear(&mut b, "fc", options.classes, x)?;
    Ok(b.finish())
}

/// A linear layer whose bias torchvision leaves at its default.
fn linear(b: &mut Builder, path: &str, out: usize, x: NodeId) -> Result<NodeId, ArchError> {
    let draw = Draw {
        weight: WEIGHT,
        bias: Scheme::torch_default_bias(b.shape(x).channels()),
    };
    add_linear(b, path, out, draw, x)
}

/// For 32x32 images, the first pool is left out. (The protocol means to change the first convolution's
/// stride, too, but sets it where nothing reads it.)
fn stem(b: &mut Builder, stem: Stem) -> Result<NodeId, ArchError> {
    let pool = Op::MaxPool(Pool::new(3, 2, 0).ceil());
    let x = b.input();
    let mut x = CONV.add(b, "conv1", same(3, 64, 7).stride(2), x)?;
    if stem == Stem::ImageNet {
        x = b.apply("maxpool1", pool, &[x])?;
    }
    let x = CONV.add(b, "conv2", Conv2d::new(64, 64, 1), x)?;
    let x = CONV.add(b, "conv3", same(64, 192, 3), x)?;
    b.apply("maxpool2", pool, &[x])
}

fn inception(
    b: &mut Builder,
    path: &str,
    (point, second, third, pooled): Widths,
    input: NodeId,
) -> Result<NodeId, ArchError> {
    let from = b.shape(input).channels();
    let at = |branch: &str| format!("{path}.{branch}");
    let point = CONV.add(b, &at("branch1"), Conv2d::new(from, point, 1), input)?;
    let mut parts = vec![point];
    // torchvision's third branch has 3x3 convolutions, where the paper's has 5x5.
    for (branch, [inner, out]) in [("branch2", second), ("branch3", third)] {
        let path = at(branch);
        let narrow = Conv2d::new(from, inner, 1);
        let x = CONV.add(b, &format!("{path}.0"), narrow, input)?;
        parts.push(CONV.add(b, &format!("{path}.1"), same(inner, out, 3), x)?);
    }
    let pool = Op::MaxPool(Pool::new(3, 1, 1).ceil());
    let x = b.apply(&at("branch4.0"), pool, &[input])?;
    let narrow = Conv2d::new(from, pooled, 1);
    parts.push(CONV.add(b, &at("branch4.1"), narrow, x)?);
    b.apply(path, Op::Concat, &parts)
}

fn auxiliary(b: &mut Builder, path: &str, classes: usize, x: NodeId) -> Result<NodeId, ArchError> {
    let at = |part: &str| format!("{path}.{part}");
    let x = b.apply(path, Op::AdaptiveAvgPool([AUXILIARY_SIDE; 2]), &[x])?;
    let conv = Conv2d::new(b.shape(x).channels(), AUXILIARY_CHANNELS, 1);
    let x = CONV.add(b, &at("conv"), conv, x)?;
    let x = b.apply(path, Op::Flatten, &[x])?;
    let x = linear(b, &at("fc1"), AUXILIARY_HIDDEN, x)?;
    let x = b.relu(path, x)?;
    let p = AUXILIARY_DROPOUT;
    let x = b.apply(&at("dropout"), Op::Dropout { p }, &[x])?;
    linear(b, &at("fc2"), classes, x)
}
