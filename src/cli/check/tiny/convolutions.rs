//! `tinyA`: convolutions of many kinds, two of them flat, and pools.

use super::DRAW;
use crate::arch::{Arch, ArchError, Builder, Conv2d, Linear, ModuleId, NodeId, Op, Pool, Shape};

pub const NAME: &str = "tinyA";

/// Builds it: 3x32x32 images, ten classes.
pub fn build() -> Result<Arch, ArchError> {
    let mut b = Builder::new(NAME, Shape::image(3, 32, 32), 10);
    let layers = Layers::register(&mut b);
    let x = b.call(layers.conv1, b.input())?;
    let x = b.call(layers.bn1, x)?;
    let x = b.relu("relu", x)?;
    let x = b.apply("pool", Op::MaxPool(Pool::new(3, 2, 1)), &[x])?;
    let x = b.call(layers.dw, x)?;
    let x = b.call(layers.bn2, x)?;
    let x = b.relu("relu", x)?;
    let x = b.call(layers.pw, x)?;
    let x = b.relu("relu", x)?;
    let x = branch(&mut b, &layers, x)?;
    let x = b.apply("avg", Op::AvgPool(Pool::new(2, 2, 0)), &[x])?;
    let x = b.apply("gap", Op::AdaptiveAvgPool([1, 1]), &[x])?;
    let x = b.apply("", Op::Flatten, &[x])?;
    let x = b.call(layers.fc1, x)?;
    let x = b.relu("relu", x)?;
    b.call(layers.fc2, x)?;
    Ok(b.finish())
}

/// The residual branch: 1x7, 7x1, norm.
fn branch(b: &mut Builder, layers: &Layers, input: NodeId) -> Result<NodeId, ArchError> {
    let x = b.call(layers.c17, input)?;
    let x = b.call(layers.c71, x)?;
    let x = b.call(layers.bn3, x)?;
    let x = b.apply("", Op::Add, &[input, x])?;
    b.relu("relu", x)
}

struct Layers {
    conv1: ModuleId,
    bn1: ModuleId,
    dw: ModuleId,
    bn2: ModuleId,
    pw: ModuleId,
    c17: ModuleId,
    c71: ModuleId,
    bn3: ModuleId,
    fc1: ModuleId,
    fc2: ModuleId,
}

impl Layers {
    fn register(b: &mut Builder) -> Self {
        let flat = |kernel: [usize; 2]| Conv2d {
            kernel,
            padding: [kernel[0] / 2, kernel[1] / 2],
            ..Conv2d::new(20, 20, 1)
        };
        let linear = |in_features, out_features| Linear {
            in_features,
            out_features,
            bias: true,
        };
        Self {
            conv1: b.conv("conv1", Conv2d::new(3, 8, 3).padding(1), DRAW),
            bn1: b.batch_norm("bn1", 8),
            dw: b.conv("dw", Conv2d::new(8, 8, 5).padding(2).groups(8), DRAW),
            bn2: b.batch_norm("bn2", 8),
            pw: b.conv("pw", Conv2d::new(8, 20, 1).with_bias(), DRAW),
            c17: b.conv("c17", flat([1, 7]), DRAW),
            c71: b.conv("c71", flat([7, 1]), DRAW),
            bn3: b.batch_norm("bn3", 20),
            fc1: b.linear("fc1", linear(20, 24), DRAW),
            fc2: b.linear("fc2", linear(24, 10), DRAW),
        }
    }
}
