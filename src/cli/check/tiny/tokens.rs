//! `tinyB`: patches, a transformer's layer, two branches side by side.

use super::DRAW;
use crate::arch::{
    Activation, Arch, ArchError, Attention, AttentionKind, Builder, Conv2d, Linear, NodeId, Op,
    Shape,
};

pub const NAME: &str = "tinyB";

/// Channels of a token, and tokens along a side.
const WIDTH: usize = 24;
const SIDE: usize = 8;

/// Builds it: 3x32x32 images, ten classes.
pub fn build() -> Result<Arch, ArchError> {
    let mut b = Builder::new(NAME, Shape::image(3, 32, 32), 10);
    let patches = Conv2d::new(3, WIDTH, 4).stride(4).with_bias();
    let patches = b.conv("patch", patches, DRAW);
    let x = b.call(patches, b.input())?;
    let x = b.apply("", Op::ToTokens, &[x])?;
    let x = layer(&mut b, x)?;
    let x = b.apply("", Op::FromTokens([SIDE; 2]), &[x])?;
    let narrow = b.conv("ca", Conv2d::new(WIDTH, 12, 1).with_bias(), DRAW);
    let wide = Conv2d::new(WIDTH, 13, 3).padding(1).with_bias();
    let wide = b.conv("cb", wide, DRAW);
    let branches = [b.call(narrow, x)?, b.call(wide, x)?];
    let x = b.apply("", Op::Concat, &branches)?;
    let norm = b.batch_norm("bn", 25);
    let x = b.call(norm, x)?;
    let x = b.relu("relu", x)?;
    let x = b.apply("", Op::Mean { flattened: false }, &[x])?;
    linear(&mut b, "head", [25, 10], true, x)?;
    Ok(b.finish())
}

/// Attention with four heads, then two linear layers, each beside its input.
fn layer(b: &mut Builder, input: NodeId) -> Result<NodeId, ArchError> {
    let norm = b.layer_norm("ln1", WIDTH, 1e-5);
    let x = b.call(norm, input)?;
    let x = linear(b, "qkv", [WIDTH, 3 * WIDTH], false, x)?;
    let attention = Attention {
        channels: WIDTH,
        heads: 4,
        kind: AttentionKind::Fused,
    };
    let x = b.apply("", Op::Attention(attention), &[x])?;
    let x = linear(b, "proj", [WIDTH; 2], true, x)?;
    let sum = b.apply("", Op::Add, &[input, x])?;
    let norm = b.layer_norm("ln2", WIDTH, 1e-5);
    let x = b.call(norm, sum)?;
    let x = linear(b, "mlp1", [WIDTH, 40], true, x)?;
    let x = b.apply("", Op::Activation(Activation::Gelu), &[x])?;
    let x = linear(b, "mlp2", [40, WIDTH], true, x)?;
    b.apply("", Op::Add, &[sum, x])
}

fn linear(
    b: &mut Builder,
    path: &str,
    [in_features, out_features]: [usize; 2],
    bias: bool,
    input: NodeId,
) -> Result<NodeId, ArchError> {
    let linear = Linear {
        in_features,
        out_features,
        bias,
    };
    let module = b.linear(path, linear, DRAW);
    b.call(module, input)
}
