//! Inception v3 (Szegedy et al. 2016), as `torchvision.models.inception` builds it.

use super::Options;
use super::blocks::{BasicConv, add_linear, same};
use crate::arch::{Arch, ArchError, Builder, Conv2d, Draw, NodeId, Op, Pool, Scheme};

pub const NAMES: &[&str] = &["inception_v3"];

const WEIGHT: Scheme = Scheme::truncated(0.1);
const CONV: BasicConv = BasicConv { weight: WEIGHT };
const DROPOUT: f64 = 0.5;
/// Deviation of the auxiliary classifier's weight. Its second convolution was meant to have one of its own,
/// too, but torchvision sets it where nothing reads it.
const AUXILIARY_STD: f64 = 0.001;
/// Halves the resolution.
const HALVE: Op = Op::MaxPool(Pool::new(3, 2, 0));

/// A branch of a block: the names and convolutions of its layers, one after the other.
type Branch<'a> = &'a [(&'a str, Conv2d)];

/// The family has no form of its own for 32x32 images, which are too small for it.
pub fn build(name: &str, options: &Options) -> Result<Arch, ArchError> {
    let mut b = Builder::new(name, options.input(), options.classes);
    let mut x = stem(&mut b)?;
    for (block, pooled) in [("b", 32), ("c", 64), ("d", 64)] {
        x = squares(&mut b, &format!("Mixed_5{block}"), pooled, x)?;
    }
    x = halve_squares(&mut b, "Mixed_6a", x)?;
    for (block, inner) in [("b", 128), ("c", 160), ("d", 160), ("e", 192)] {
        x = strips(&mut b, &format!("Mixed_6{block}"), inner, x)?;
    }
    if options.auxiliary {
        let logits = auxiliary(&mut b, "AuxLogits", options.classes, x)?;
        b.auxiliary(logits);
    }
    x = halve_strips(&mut b, "Mixed_7a", x)?;
    for block in ["Mixed_7b", "Mixed_7c"] {
        x = forks(&mut b, block, x)?;
    }
    x = b.apply("avgpool", Op::AdaptiveAvgPool([1, 1]), &[x])?;
    x = b.apply("dropout", Op::Dropout { p: DROPOUT }, &[x])?;
    x = b.apply("", Op::Flatten, &[x])?;
    linear(&mut b, "fc", options.classes, WEIGHT, x)?;
    Ok(b.finish())
}

/// A linear layer whose bias torchvision leaves at its default.
fn linear(
    b: &mut Builder,
    path: &str,
    out: usize,
    weight: Scheme,
    x: NodeId,
) -> Result<NodeId, ArchError> {
    let bias = Scheme::torch_default_bias(b.shape(x).channels());
    add_linear(b, path, out, Draw { weight, bias }, x)
}

fn stem(b: &mut Builder) -> Result<NodeId, ArchError> {
    let x = b.input();
    let x = CONV.add(b, "Conv2d_1a_3x3", Conv2d::new(3, 32, 3).stride(2), x)?;
    let x = CONV.add(b, "Conv2d_2a_3x3", Conv2d::new(32, 32, 3), x)?;
    let x = CONV.add(b, "Conv2d_2b_3x3", same(32, 64, 3), x)?;
    let x = b.apply("maxpool1", HALVE, &[x])?;
    let x = CONV.add(b, "Conv2d_3b_1x1", Conv2d::new(64, 80, 1), x)?;
    let x = CONV.add(b, "Conv2d_4a_3x3", Conv2d::new(80, 192, 3), x)?;
    b.apply("maxpool2", HALVE, &[x])
}

const fn point(from: usize, to: usize) -> Conv2d {
    Conv2d::new(from, to, 1)
}

/// A row of `length` pixels, padded.
const fn row(from: usize, to: usize, length: usize) -> Conv2d {
    let mut conv = Conv2d::new(from, to, 1);
    conv.kernel = [1, length];
    conv.padding = [0, length / 2];
    conv
}

/// A column of `length` pixels, padded.
const fn column(from: usize, to: usize, length: usize) -> Conv2d {
    let mut conv = Conv2d::new(from, to, 1);
    conv.kernel = [length, 1];
    conv.padding = [length / 2, 0];
    conv
}

fn branch(
    b: &mut Builder,
    path: &str,
    layers: Branch<'_>,
    input: NodeId,
) -> Result<NodeId, ArchError> {
    layers.iter().try_fold(input, |x, (name, conv)| {
        CONV.add(b, &format!("{path}.{name}"), *conv, x)
    })
}

/// Branches side by side; the last one, if it has channels, reads an average of the neighbourhood.
fn block(
    b: &mut Builder,
    path: &str,
    branches: &[Branch<'_>],
    pooled: usize,
    input: NodeId,
) -> Result<NodeId, ArchError> {
    let parts: Result<Vec<NodeId>, ArchError> = branches
        .iter()
        .map(|layers| branch(b, path, layers, input))
        .collect();
    let mut parts = parts?;
    parts.push(average_branch(b, path, pooled, input)?);
    b.apply(path, Op::Concat, &parts)
}

fn average_branch(
    b: &mut Builder,
    path: &str,
    channels: usize,
    input: NodeId,
) -> Result<NodeId, ArchError> {
    let x = b.apply(path, Op::AvgPool(Pool::new(3, 1, 1)), &[input])?;
    let conv = point(b.shape(x).channels(), channels);
    CONV.add(b, &format!("{path}.branch_pool"), conv, x)
}

/// Branches side by side that halve the resolution, and a pool that does.
fn halving_block(
    b: &mut Builder,
    path: &str,
    branches: [Branch<'_>; 2],
    input: NodeId,
) -> Result<NodeId, ArchError> {
    let first = branch(b, path, branches[0], input)?;
    let second = branch(b, path, branches[1], input)?;
    let pool = b.apply(path, HALVE, &[input])?;
    b.apply(path, Op::Concat, &[first, second, pool])
}

/// A 5x5 convolution beside two 3x3 ones.
fn squares(b: &mut Builder, path: &str, pooled: usize, x: NodeId) -> Result<NodeId, ArchError> {
    let from = b.shape(x).channels();
    let branches: [Branch<'_>; 3] = [
        &[("branch1x1", point(from, 64))],
        &[
            ("branch5x5_1", point(from, 48)),
            ("branch5x5_2", same(48, 64, 5)),
        ],
        &[
            ("branch3x3dbl_1", point(from, 64)),
            ("branch3x3dbl_2", same(64, 96, 3)),
            ("branch3x3dbl_3", same(96, 96, 3)),
        ],
    ];
    block(b, path, &branches, pooled, x)
}

fn halve_squares(b: &mut Builder, path: &str, x: NodeId) -> Result<NodeId, ArchError> {
    let from = b.shape(x).channels();
    let branches: [Branch<'_>; 2] = [
        &[("branch3x3", Conv2d::new(from, 384, 3).stride(2))],
        &[
            ("branch3x3dbl_1", point(from, 64)),
            ("branch3x3dbl_2", same(64, 96, 3)),
            ("branch3x3dbl_3", Conv2d::new(96, 96, 3).stride(2)),
        ],
    ];
    halving_block(b, path, branches, x)
}

/// 7x7 convolutions cut into rows and columns.
fn strips(b: &mut Builder, path: &str, inner: usize, x: NodeId) -> Result<NodeId, ArchError> {
    let from = b.shape(x).channels();
    let branches: [Branch<'_>; 3] = [
        &[("branch1x1", point(from, 192))],
        &[
            ("branch7x7_1", point(from, inner)),
            ("branch7x7_2", row(inner, inner, 7)),
            ("branch7x7_3", column(inner, 192, 7)),
        ],
        &[
            ("branch7x7dbl_1", point(from, inner)),
            ("branch7x7dbl_2", column(inner, inner, 7)),
            ("branch7x7dbl_3", row(inner, inner, 7)),
            ("branch7x7dbl_4", column(inner, inner, 7)),
            ("branch7x7dbl_5", row(inner, 192, 7)),
        ],
    ];
    block(b, path, &branches, 192, x)
}

fn halve_strips(b: &mut Builder, path: &str, x: NodeId) -> Result<NodeId, ArchError> {
    let from = b.shape(x).channels();
    let branches: [Branch<'_>; 2] = [
        &[
            ("branch3x3_1", point(from, 192)),
            ("branch3x3_2", Conv2d::new(192, 320, 3).stride(2)),
        ],
        &[
            ("branch7x7x3_1", point(from, 192)),
            ("branch7x7x3_2", row(192, 192, 7)),
            ("branch7x7x3_3", column(192, 192, 7)),
            ("branch7x7x3_4", Conv2d::new(192, 192, 3).stride(2)),
        ],
    ];
    halving_block(b, path, branches, x)
}

/// Branches that end in a row and a column side by side.
fn forks(b: &mut Builder, path: &str, input: NodeId) -> Result<NodeId, ArchError> {
    let from = b.shape(input).channels();
    let single = branch(b, path, &[("branch1x1", point(from, 320))], input)?;
    let stem = branch(b, path, &[("branch3x3_1", point(from, 384))], input)?;
    let first = fork(b, path, ["branch3x3_2a", "branch3x3_2b"], stem)?;
    let stem: Branch<'_> = &[
        ("branch3x3dbl_1", point(from, 448)),
        ("branch3x3dbl_2", same(448, 384, 3)),
    ];
    let stem = branch(b, path, stem, input)?;
    let second = fork(b, path, ["branch3x3dbl_3a", "branch3x3dbl_3b"], stem)?;
    let pooled = average_branch(b, path, 192, input)?;
    b.apply(path, Op::Concat, &[single, first, second, pooled])
}

fn fork(b: &mut Builder, path: &str, names: [&str; 2], x: NodeId) -> Result<NodeId, ArchError> {
    let channels = b.shape(x).channels();
    let across = branch(b, path, &[(names[0], row(channels, channels, 3))], x)?;
    let down = branch(b, path, &[(names[1], column(channels, channels, 3))], x)?;
    b.apply(path, Op::Concat, &[across, down])
}

fn auxiliary(b: &mut Builder, path: &str, classes: usize, x: NodeId) -> Result<NodeId, ArchError> {
    let at = |part: &str| format!("{path}.{part}");
    let x = b.apply(path, Op::AvgPool(Pool::new(5, 3, 0)), &[x])?;
    let narrow = point(b.shape(x).channels(), 128);
    let x = CONV.add(b, &at("conv0"), narrow, x)?;
    let x = CONV.add(b, &at("conv1"), Conv2d::new(128, 768, 5), x)?;
    let x = b.apply(path, Op::AdaptiveAvgPool([1, 1]), &[x])?;
    let x = b.apply(path, Op::Flatten, &[x])?;
    linear(b, &at("fc"), classes, Scheme::truncated(AUXILIARY_STD), x)
}
