//! ShuffleNet v2 (Ma et al. 2018), as `torchvision.models.shufflenetv2` builds it.

use super::blocks::{Norm, add_default_conv, add_default_linear, same};
use super::{Options, Stem};
use crate::arch::{Arch, ArchError, Builder, Conv2d, NodeId, Op, Pool};

pub const NAMES: &[&str] = &[
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "shufflenet_v2_x1_5",
    "shufflenet_v2_x2_0",
];

/// Blocks in each of the three stages.
const DEPTHS: [usize; 3] = [4, 8, 4];
const STEM_CHANNELS: usize = 24;

/// Channels of the stages, and before the classifier.
fn widths(name: &str) -> ([usize; 3], usize) {
    match name {
        "shufflenet_v2_x0_5" => ([48, 96, 192], 1024),
        "shufflenet_v2_x1_0" => ([116, 232, 464], 1024),
        "shufflenet_v2_x1_5" => ([176, 352, 704], 1024),
        "shufflenet_v2_x2_0" => ([244, 488, 976], 2048),
        other => unreachable!("{other} is not in NAMES"),
    }
}

/// For 32x32 images, the pool is left out. (The protocol means to change the first convolution's
/// stride, too, but sets it where nothing reads it.)
pub fn build(name: &str, options: &Options) -> Result<Arch, ArchError> {
    let (stages, last) = widths(name);
    let mut b = Builder::new(name, options.input(), options.classes);
    let mut x = b.input();
    let stem = same(3, STEM_CHANNELS, 3).stride(2);
    x = Branch::new("conv1").conv_relu(&mut b, stem, x)?;
    if options.stem == Stem::ImageNet {
        x = b.apply("maxpool", Op::MaxPool(Pool::new(3, 2, 1)), &[x])?;
    }
    for (i, (width, depth)) in stages.into_iter().zip(DEPTHS).enumerate() {
        for j in 0..depth {
            let path = format!("stage{}.{j}", i + 2);
            x = if j == 0 {
                narrowing_block(&mut b, &path, width / 2, x)?
            } else {
                splitting_block(&mut b, &path, x)?
            };
        }
    }
    let conv = Conv2d::new(b.shape(x).channels(), last, 1);
    x = Branch::new("conv5").conv_relu(&mut b, conv, x)?;
    x = b.apply("", Op::Mean { flattened: false }, &[x])?;
    add_default_linear(&mut b, "fc", options.classes, x)?;
    Ok(b.finish())
}

/// A sequence of layers, named by numbers.
struct Branch {
    path: String,
    layers: usize,
}

impl Branch {
    fn new(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            layers: 0,
        }
    }

    fn next(&mut self) -> String {
        self.layers += 1;
        format!("{}.{}", self.path, self.layers - 1)
    }

    fn conv(&mut self, b: &mut Builder, conv: Conv2d, x: NodeId) -> Result<NodeId, ArchError> {
        let x = add_default_conv(b, &self.next(), conv, x)?;
        Norm::DEFAULT.add(b, &self.next(), x)
    }

    fn conv_relu(&mut self, b: &mut Builder, conv: Conv2d, x: NodeId) -> Result<NodeId, ArchError> {
        let x = self.conv(b, conv, x)?;
        b.relu(&self.next(), x)
    }
}

/// Half the resolution: both branches read everything, to `half` channels each.
fn narrowing_block(
    b: &mut Builder,
    path: &str,
    half: usize,
    input: NodeId,
) -> Result<NodeId, ArchError> {
    let from = b.shape(input).channels();
    let mut left = Branch::new(&format!("{path}.branch1"));
    let depthwise = same(from, from, 3).stride(2).groups(from);
    let x = left.conv(b, depthwise, input)?;
    let short = left.conv_relu(b, Conv2d::new(from, half, 1), x)?;
    let long = long_branch(b, path, half, 2, input)?;
    join(b, path, short, long)
}

/// The same resolution: half of the channels goes past.
fn splitting_block(b: &mut Builder, path: &str, input: NodeId) -> Result<NodeId, ArchError> {
    let half = b.shape(input).channels() / 2;
    let past = b.apply(path, Op::Chunk { index: 0, of: 2 }, &[input])?;
    let x = b.apply(path, Op::Chunk { index: 1, of: 2 }, &[input])?;
    let long = long_branch(b, path, half, 1, x)?;
    join(b, path, past, long)
}

fn long_branch(
    b: &mut Builder,
    path: &str,
    half: usize,
    stride: usize,
    x: NodeId,
) -> Result<NodeId, ArchError> {
    let mut branch = Branch::new(&format!("{path}.branch2"));
    let point = Conv2d::new(b.shape(x).channels(), half, 1);
    let x = branch.conv_relu(b, point, x)?;
    let depthwise = same(half, half, 3).stride(stride).groups(half);
    let x = branch.conv(b, depthwise, x)?;
    branch.conv_relu(b, Conv2d::new(half, half, 1), x)
}

/// Both branches side by side, their channels mixed.
fn join(b: &mut Builder, path: &str, left: NodeId, right: NodeId) -> Result<NodeId, ArchError> {
    let x = b.apply(path, Op::Concat, &[left, right])?;
    b.apply(path, Op::Shuffle { groups: 2 }, &[x])
}
