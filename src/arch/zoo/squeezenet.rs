//! SqueezeNet (Iandola et al. 2016), as `torchvision.models.squeezenet` builds it.

use super::Options;
use super::blocks::{add_drawn_conv, same};
use crate::arch::{Arch, ArchError, Builder, Conv2d, Draw, NodeId, Op, Pool, Scheme};

pub const NAMES: &[&str] = &["squeezenet1_0", "squeezenet1_1"];

/// What the features are made of, after the stem.
#[derive(Clone, Copy)]
enum Feature {
    /// Half the resolution.
    Halve,
    /// Channels between the convolutions, and of each half of the result.
    Fire(usize, usize),
}
use Feature::{Fire, Halve};

const VERSION_0: [Feature; 11] = [
    Halve,
    Fire(16, 64),
    Fire(16, 64),
    Fire(32, 128),
    Halve,
    Fire(32, 128),
    Fire(48, 192),
    Fire(48, 192),
    Fire(64, 256),
    Halve,
    Fire(64, 256),
];
const VERSION_1: [Feature; 11] = [
    Halve,
    Fire(16, 64),
    Fire(16, 64),
    Halve,
    Fire(32, 128),
    Fire(32, 128),
    Halve,
    Fire(48, 192),
    Fire(48, 192),
    Fire(64, 256),
    Fire(64, 256),
];

/// The family has no form of its own for 32x32 images.
pub fn build(name: &str, options: &Options) -> Result<Arch, ArchError> {
    let (stem, features) = match name {
        "squeezenet1_0" => (Conv2d::new(3, 96, 7), VERSION_0),
        "squeezenet1_1" => (Conv2d::new(3, 64, 3), VERSION_1),
        other => unreachable!("{other} is not in NAMES"),
    };
    let mut b = Builder::new(name, options.input(), options.classes);
    let x = b.input();
    let x = conv(&mut b, "features.0", stem.stride(2), x)?;
    let mut x = b.relu("features.1", x)?;
    for (i, feature) in features.into_iter().enumerate() {
        let path = format!("features.{}", i + 2);
        x = match feature {
            Halve => b.apply(&path, Op::MaxPool(Pool::new(3, 2, 0).ceil()), &[x])?,
            Fire(squeeze, expand) => fire(&mut b, &path, squeeze, expand, x)?,
        };
    }
    let x = b.apply("classifier.0", Op::Dropout { p: 0.5 }, &[x])?;
    let last = Conv2d::new(b.shape(x).channels(), options.classes, 1).with_bias();
    let draw = Draw::without_bias(Scheme::Normal { std: 0.01 });
    let x = add_drawn_conv(&mut b, "classifier.1", last, draw, x)?;
    let x = b.relu("classifier.2", x)?;
    let x = b.apply("classifier.3", Op::AdaptiveAvgPool([1, 1]), &[x])?;
    b.apply("", Op::Flatten, &[x])?;
    Ok(b.finish())
}

fn conv(b: &mut Builder, path: &str, conv: Conv2d, x: NodeId) -> Result<NodeId, ArchError> {
    let weight = Scheme::kaiming_uniform(&conv.weight_shape());
    add_drawn_conv(b, path, conv.with_bias(), Draw::without_bias(weight), x)
}

/// A narrow convolution, then two wide ones side by side.
fn fire(
    b: &mut Builder,
    path: &str,
    squeeze: usize,
    expand: usize,
    x: NodeId,
) -> Result<NodeId, ArchError> {
    let part = |b: &mut Builder, name: &str, c: Conv2d, x: NodeId| {
        let x = conv(b, &format!("{path}.{name}"), c, x)?;
        b.relu(&format!("{path}.{name}_activation"), x)
    };
    let narrow = Conv2d::new(b.shape(x).channels(), squeeze, 1);
    let x = part(b, "squeeze", narrow, x)?;
    let points = part(b, "expand1x1", Conv2d::new(squeeze, expand, 1), x)?;
    let squares = part(b, "expand3x3", same(squeeze, expand, 3), x)?;
    b.apply(path, Op::Concat, &[points, squares])
}
