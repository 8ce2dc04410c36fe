//! A small network around every op, with sizes that no kernel is made for.

use crate::arch::{
    Activation, Arch, ArchError, Attention, AttentionKind, Builder, Conv2d, Draw, Linear, NodeId,
    Offsets, Op, Partition, Pool, Projection, Scheme, Shape, Shift,
};

/// An op's network.
pub struct Small {
    pub name: String,
    /// What the op sees.
    pub shapes: String,
    pub arch: Arch,
}

/// Values come from tensors' names, so no scheme is ever drawn.
const DRAW: Draw = Draw {
    weight: Scheme::ONES,
    bias: Scheme::ZEROS,
};
const CLASSES: usize = 5;

type Built = Result<NodeId, ArchError>;

/// A convolution to `channels`, the op, all of its values to logits.
fn around(
    name: &str,
    [channels, height, width]: [usize; 3],
    op: impl FnOnce(&mut Builder, NodeId) -> Built,
) -> Result<Small, ArchError> {
    let mut b = Builder::new(name, Shape::image(3, height, width), CLASSES);
    let before = b.conv("before", Conv2d::new(3, channels, 1).with_bias(), DRAW);
    let x = b.call(before, b.input())?;
    let x = op(&mut b, x)?;
    let x = match b.shape(x) {
        Shape::Vector { .. } => x,
        _ => b.apply("flatten", Op::Flatten, &[x])?,
    };
    let after = Linear {
        in_features: b.shape(x).len(),
        out_features: CLASSES,
        bias: true,
    };
    let after = b.linear("after", after, DRAW);
    b.call(after, x)?;
    Ok(Small {
        name: name.to_owned(),
        shapes: format!("[B, {height}, {width}, {channels}]"),
        arch: b.finish(),
    })
}

/// The convolution and the linear layer alone.
pub fn plain() -> Small {
    around("linear", [6, 3, 5], |_, x| Ok(x)).expect("a network of two layers")
}

/// A convolution between channels.
fn conv(name: &str, shape: [usize; 3], conv: Conv2d) -> Result<Small, ArchError> {
    around(name, shape, |b, x| {
        let module = b.conv("op", conv, DRAW);
        b.call(module, x)
    })
}

fn simple(name: &str, shape: [usize; 3], op: Op) -> Result<Small, ArchError> {
    around(name, shape, |b, x| b.apply("op", op, &[x]))
}

fn batch_norm(
    name: &str,
    shape: [usize; 3],
    residual: bool,
    activation: Option<Activation>,
) -> Result<Small, ArchError> {
    around(name, shape, |b, x| {
        let module = b.batch_norm("op", shape[0]);
        let mut y = b.call(module, x)?;
        if residual {
            y = b.apply("add", Op::Add, &[y, x])?;
        }
        if let Some(activation) = activation {
            y = b.apply("act", Op::Activation(activation), &[y])?;
        }
        Ok(y)
    })
}

fn attention(name: &str, kind: AttentionKind, projection: Projection) -> Result<Small, ArchError> {
    const CHANNELS: usize = 10;
    const GRID: [usize; 2] = [5, 3];
    around(name, [CHANNELS, GRID[0], GRID[1]], |b, x| {
        let core = Attention {
            channels: CHANNELS,
            heads: 2,
            kind,
        };
        let x = match core.partition() {
            None => b.apply("tokens", Op::ToTokens, &[x])?,
            Some(partition) => {
                let x = b.apply("grid", Op::ToGrid, &[x])?;
                b.apply("windows", Op::Partition(partition), &[x])?
            }
        };
        let thirds = Linear {
            in_features: CHANNELS,
            out_features: 3 * CHANNELS,
            bias: true,
        };
        let qkv = b.projection("qkv", projection, thirds, DRAW);
        let x = b.call(qkv, x)?;
        let y = match kind {
            AttentionKind::Multihead => b.apply("core", Op::Attention(core), &[x])?,
            AttentionKind::Cosine(partition) => {
                let module = b.attention("core", core);
                let window = partition.window;
                let offsets = Op::OffsetCoordinates(Offsets { window });
                let biases = b.apply("offsets", offsets, &[])?;
                let heads = Linear {
                    in_features: 2,
                    out_features: 2,
                    bias: true,
                };
                let heads = b.linear("biases", heads, DRAW);
                let biases = b.call(heads, biases)?;
                b.call_with(module, &[x, biases])?
            }
            _ => {
                let module = b.attention("core", core);
                b.call(module, x)?
            }
        };
        match core.partition() {
            None => Ok(y),
            Some(partition) => {
                let y = b.apply("join", Op::Reassemble(partition), &[y])?;
                b.apply("image", Op::ToImage, &[y])
            }
        }
    })
}

/// All of them. Shapes are `[channels, height, width]`.
pub fn all() -> Vec<Small> {
    let built = [
        convolutions(),
        norms(),
        pools(),
        activations(),
        moves(),
        attentions(),
    ];
    let built: Result<Vec<Vec<Small>>, ArchError> = built.into_iter().collect();
    built
        .expect("these networks are well formed")
        .into_iter()
        .flatten()
        .collect()
}

fn convolutions() -> Result<Vec<Small>, ArchError> {
    let mut oblong = Conv2d::new(6, 9, 3).groups(3).with_bias();
    (oblong.kernel, oblong.dilation, oblong.padding) = ([2, 3], [2, 1], [1, 2]);
    let depthwise = |kernel, stride, padding| {
        let conv = Conv2d::new(12, 12, kernel).groups(12).with_bias();
        conv.stride(stride).padding(padding)
    };
    let mut dilated = Conv2d::new(5, 5, 3).groups(5).padding(2);
    dilated.dilation = [2, 2];
    Ok(vec![
        plain(),
        conv("conv 1x1", [7, 5, 3], Conv2d::new(7, 10, 1).with_bias())?,
        conv(
            "conv 1x1, stride 2",
            [7, 5, 4],
            Conv2d::new(7, 10, 1).stride(2),
        )?,
        conv("conv 3x3", [8, 5, 7], Conv2d::new(8, 16, 3).padding(1))?,
        conv(
            "conv 3x3, stride 2",
            [6, 7, 6],
            Conv2d::new(6, 11, 3).stride(2).padding(1).with_bias(),
        )?,
        conv(
            "conv 7x7, stride 2",
            [4, 11, 9],
            Conv2d::new(4, 8, 7).stride(2).padding(3),
        )?,
        conv("conv 2x3, grouped and dilated", [6, 7, 5], oblong)?,
        conv("depthwise 3x3", [12, 5, 7], depthwise(3, 1, 1))?,
        conv("depthwise 3x3, stride 2", [12, 6, 7], depthwise(3, 2, 1))?,
        conv("depthwise 5x5, stride 2", [12, 7, 7], depthwise(5, 2, 2))?,
        conv("depthwise 7x7", [12, 8, 6], depthwise(7, 1, 3))?,
        conv("depthwise 3x3, dilated", [5, 6, 7], dilated)?,
    ])
}

fn norms() -> Result<Vec<Small>, ArchError> {
    let layer_norm = |name: &str, shape: [usize; 3]| {
        around(name, shape, |b, x| {
            let x = b.apply("grid", Op::ToGrid, &[x])?;
            let module = b.layer_norm("op", shape[0], 1e-6);
            let x = b.call(module, x)?;
            b.apply("image", Op::ToImage, &[x])
        })
    };
    Ok(vec![
        batch_norm("batch norm", [7, 5, 3], false, None)?,
        batch_norm("batch norm, ReLU", [8, 4, 5], false, Some(Activation::Relu))?,
        batch_norm(
            "batch norm, sum, ReLU",
            [12, 3, 5],
            true,
            Some(Activation::Relu),
        )?,
        batch_norm("batch norm, SiLU", [8, 5, 3], false, Some(Activation::Silu))?,
        layer_norm("layer norm", [20, 3, 5])?,
        layer_norm("layer norm, odd", [37, 3, 2])?,
    ])
}

fn pools() -> Result<Vec<Small>, ArchError> {
    let max = |kernel, stride, padding| Op::MaxPool(Pool::new(kernel, stride, padding));
    let average = |pool: Pool| Op::AvgPool(pool);
    Ok(vec![
        simple("max pool 3x3, stride 2", [6, 7, 8], max(3, 2, 1))?,
        simple("max pool 2x2", [5, 6, 4], max(2, 2, 0))?,
        simple("average pool 3x3", [6, 5, 7], average(Pool::new(3, 2, 1)))?,
        simple(
            "average pool without padding",
            [5, 6, 7],
            average(Pool::new(3, 2, 1).ceil().without_padding()),
        )?,
        simple("adaptive pool", [6, 7, 5], Op::AdaptiveAvgPool([3, 2]))?,
        simple("global average", [9, 5, 7], Op::AdaptiveAvgPool([1, 1]))?,
    ])
}

fn activations() -> Result<Vec<Small>, ArchError> {
    Activation::ALL
        .into_iter()
        .map(|a| simple(a.word(), [5, 3, 7], Op::Activation(a)))
        .collect()
}

fn moves() -> Result<Vec<Small>, ArchError> {
    let gate = around("gate", [10, 4, 3], |b, x| {
        let mean = b.apply("mean", Op::AdaptiveAvgPool([1, 1]), &[x])?;
        let module = b.conv("squeeze", Conv2d::new(10, 10, 1).with_bias(), DRAW);
        let factors = b.call(module, mean)?;
        b.apply("op", Op::Gate, &[x, factors])
    })?;
    let parts = around("chunk, concat, shuffle", [12, 3, 4], |b, x| {
        let left = b.apply("left", Op::Chunk { index: 0, of: 3 }, &[x])?;
        let right = b.apply("right", Op::Chunk { index: 2, of: 3 }, &[x])?;
        let x = b.apply("op", Op::Concat, &[right, x, left])?;
        b.apply("shuffle", Op::Shuffle { groups: 4 }, &[x])
    })?;
    let branch = around("layer scale, sum", [10, 3, 5], |b, x| {
        let module = b.layer_scale("op", 10, 1.0);
        let y = b.call(module, x)?;
        b.apply("add", Op::Add, &[y, x])
    })?;
    let pixels = around("pixels, zeros", [6, 5, 7], |b, x| {
        let x = b.apply("op", Op::Pixels { start: 1, step: 2 }, &[x])?;
        let zeros = b.apply("zeros", Op::Zeros, &[x])?;
        b.apply("concat", Op::Concat, &[zeros, x])
    })?;
    let places = around("places of pixels", [6, 3, 5], |b, x| {
        let module = b.position_map("op", 6, [3, 5]);
        b.call(module, x)
    })?;
    let batch_statistics = around("batch norm, untracked", [6, 3, 5], |b, x| {
        let module = b.untracked_batch_norm("op", 6);
        b.call(module, x)
    })?;
    let merge = around("merge patches", [6, 5, 3], |b, x| {
        let x = b.apply("grid", Op::ToGrid, &[x])?;
        let x = b.apply("op", Op::MergePatches, &[x])?;
        b.apply("image", Op::ToImage, &[x])
    })?;
    let tokens = around("class token, places", [6, 3, 4], |b, x| {
        let x = b.apply("tokens", Op::ToTokens, &[x])?;
        let module = b.class_token("cls", 6);
        let x = b.call(module, x)?;
        let module = b.position_embedding("places", 13, 6);
        b.call(module, x)
    })?;
    let first = around("first token", [6, 3, 4], |b, x| {
        let x = b.apply("tokens", Op::ToTokens, &[x])?;
        b.apply("op", Op::FirstToken, &[x])
    })?;
    Ok(vec![
        gate,
        parts,
        branch,
        pixels,
        places,
        batch_statistics,
        merge,
        tokens,
        first,
    ])
}

fn attentions() -> Result<Vec<Small>, ArchError> {
    let blocks = Partition::blocks([5, 3], 2, Shift::Half);
    Ok(vec![
        attention(
            "attention",
            AttentionKind::Multihead,
            Projection::MultiheadIn,
        )?,
        attention(
            "attention in shifted windows",
            AttentionKind::Windowed(blocks),
            Projection::MultiheadIn,
        )?,
        attention(
            "attention by cosines",
            AttentionKind::Cosine(blocks),
            Projection::Keyless,
        )?,
    ])
}
