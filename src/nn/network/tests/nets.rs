//! Small networks that hold every op between them.

use super::super::Network;
use crate::arch::{
    Activation, Arch, Attention, AttentionKind, Builder, Conv2d, Draw, Linear, NodeId, Offsets, Op,
    Partition, Pool, Projection, Scheme, Shape, Shift, TensorRole,
};
use crate::nn::kernel::testing::numbers;
use crate::nn::state::{StateDict, Tensor};

const MEAN: Op = Op::Mean { flattened: false };

const DRAW: Draw = Draw {
    weight: Scheme::ONES,
    bias: Scheme::ZEROS,
};

/// The network with numbers in place of every tensor that is not fixed, and running variances above
/// zero.
pub fn start(arch: &Arch) -> Network {
    use TensorRole::{BatchCount, OffsetCoordinates, OffsetIndex};
    let mut network = Network::new(arch).unwrap();
    let new = network.state().unwrap();
    let state: StateDict = arch
        .tensors()
        .iter()
        .map(|spec| {
            let values = numbers(&spec.name, spec.len());
            let fan = spec.len() / spec.shape.first().copied().unwrap_or(1).max(1);
            let scale = (3.0 / fan as f32).sqrt();
            let values: Vec<f32> = match spec.role {
                BatchCount | OffsetIndex | OffsetCoordinates => {
                    return (spec.name.clone(), new.get(&spec.name).unwrap().clone());
                }
                TensorRole::RunningVar | TensorRole::NormWeight => {
                    values.iter().map(|v| 1.0 + 0.5 * v).collect()
                }
                TensorRole::Weight => values.iter().map(|v| v * scale).collect(),
                _ => values.iter().map(|v| 0.5 * v).collect(),
            };
            (spec.name.clone(), Tensor::new(spec.shape.clone(), values))
        })
        .collect();
    network.load(&state).unwrap();
    network
}

fn linear(b: &mut Builder, path: &str, from: usize, to: usize, x: NodeId) -> NodeId {
    let linear = Linear {
        in_features: from,
        out_features: to,
        bias: true,
    };
    let module = b.linear(path, linear, DRAW);
    b.call(module, x).unwrap()
}

fn conv(b: &mut Builder, path: &str, conv: Conv2d, x: NodeId) -> NodeId {
    let module = b.conv(path, conv, DRAW);
    b.call(module, x).unwrap()
}

fn norm(b: &mut Builder, path: &str, x: NodeId) -> NodeId {
    let module = b.batch_norm(path, b.shape(x).channels());
    b.call(module, x).unwrap()
}

fn gelu(b: &mut Builder, x: NodeId) -> NodeId {
    b.apply("gelu", Op::Activation(Activation::Gelu), &[x])
        .unwrap()
}

/// Strided, grouped and dilated convolutions over an oblong image, all pools, a flatten that reorders,
/// dropout.
pub fn all_kinds() -> Arch {
    let mut b = Builder::new("all kinds", Shape::image(3, 13, 10), 5);
    let first = Conv2d::new(3, 6, 3).stride(2).padding(1).with_bias();
    let x = b.input();
    let x = conv(&mut b, "first", first, x);
    let x = norm(&mut b, "bn", x);
    let x = b.relu("relu", x).unwrap();
    let x = b
        .apply("max", Op::MaxPool(Pool::new(3, 2, 1)), &[x])
        .unwrap();
    let mut grouped = Conv2d::new(6, 9, 2).padding(1).groups(3);
    grouped.dilation = [2, 1];
    let x = conv(&mut b, "grouped", grouped, x);
    let x = gelu(&mut b, x);
    let x = b
        .apply("avg", Op::AvgPool(Pool::new(2, 1, 1)), &[x])
        .unwrap();
    let x = b
        .apply("adaptive", Op::AdaptiveAvgPool([2, 3]), &[x])
        .unwrap();
    let x = b.apply("flatten", Op::Flatten, &[x]).unwrap();
    let x = b.apply("drop", Op::Dropout { p: 0.3 }, &[x]).unwrap();
    linear(&mut b, "fc", 54, 5, x);
    b.finish()
}

/// A ConvNeXt block: depthwise convolution, layer norms, linear layers over a grid, layer scale,
/// stochastic depth.
pub fn transformer_like() -> Arch {
    let mut b = Builder::new("transformer-like", Shape::image(3, 9, 8), 4);
    let x = b.input();
    let x = conv(&mut b, "stem", Conv2d::new(3, 18, 2).stride(2), x);
    let first = b.layer_norm("stem.norm", 18, 1e-5);
    let input = b.call(first, x).unwrap();
    let scale = b.layer_scale("block", 18, 1.0);
    let depthwise = Conv2d::new(18, 18, 3).padding(1).groups(18).with_bias();
    let x = conv(&mut b, "block.dw", depthwise, input);
    let x = b.apply("to grid", Op::ToGrid, &[x]).unwrap();
    let norm = b.layer_norm("block.norm", 18, 1e-5);
    let x = b.call(norm, x).unwrap();
    let x = linear(&mut b, "block.widen", 18, 36, x);
    let x = gelu(&mut b, x);
    let x = linear(&mut b, "block.narrow", 36, 18, x);
    let x = b.apply("to image", Op::ToImage, &[x]).unwrap();
    let x = b.call(scale, x).unwrap();
    let drop = Op::StochasticDepth { p: 0.4 };
    let x = b.apply("drop", drop, &[x]).unwrap();
    let x = b.apply("add", Op::Add, &[x, input]).unwrap();
    // A branch's end without a sum, and a strided depthwise convolution.
    let alone = b.layer_scale("alone", 18, 1.0);
    let x = b.call(alone, x).unwrap();
    let strided = Conv2d::new(18, 18, 3).stride(2).padding(1).groups(18);
    let x = conv(&mut b, "strided", strided, x);
    let x = b.apply("mean", Op::AdaptiveAvgPool([1, 1]), &[x]).unwrap();
    let x = b.apply("flatten", Op::Flatten, &[x]).unwrap();
    linear(&mut b, "head", 18, 4, x);
    b.finish()
}

/// A vision transformer of one layer: class token, places, multi-head attention.
pub fn vision_transformer() -> Arch {
    let mut b = Builder::new("vision transformer", Shape::image(3, 4, 6), 4);
    let token = b.class_token("", 8);
    let places = b.position_embedding("encoder", 7, 8);
    let x = b.input();
    let x = conv(&mut b, "patches", Conv2d::new(3, 8, 2).stride(2), x);
    let x = b.apply("tokens", Op::ToTokens, &[x]).unwrap();
    let x = b.call(token, x).unwrap();
    let input = b.call(places, x).unwrap();
    let qkv = project(&mut b, "attention", Projection::MultiheadIn, [8, 24], input);
    let core = attention(AttentionKind::Multihead);
    let x = b.apply("attention", Op::Attention(core), &[qkv]).unwrap();
    let out = Projection::MultiheadOut;
    let x = project(&mut b, "attention.out_proj", out, [8, 8], x);
    let x = b.apply("add", Op::Add, &[x, input]).unwrap();
    let x = b.apply("first", Op::FirstToken, &[x]).unwrap();
    linear(&mut b, "head", 8, 4, x);
    b.finish()
}

/// Attention within shifted windows over a grid that they do not fit, once with a table of biases and
/// once with cosines and biases from a small network; patch merging with odd edges.
pub fn windows() -> Arch {
    let mut b = Builder::new("windows", Shape::image(3, 5, 7), 4);
    let x = b.input();
    let x = conv(&mut b, "stem", Conv2d::new(3, 8, 1), x);
    let input = b.apply("to grid", Op::ToGrid, &[x]).unwrap();
    let partition = Partition::blocks([5, 7], 2, Shift::Half);
    let x = b.apply("cut", Op::Partition(partition), &[input]).unwrap();
    let x = linear(&mut b, "a.qkv", 8, 24, x);
    let core = b.attention("a", attention(AttentionKind::Windowed(partition)));
    let x = b.call(core, x).unwrap();
    let x = b.apply("join", Op::Reassemble(partition), &[x]).unwrap();
    let x = b.apply("add", Op::Add, &[input, x]).unwrap();

    let x = b.apply("merge", Op::MergePatches, &[x]).unwrap();
    let input = linear(&mut b, "reduction", 32, 8, x);
    let partition = Partition::blocks([3, 4], 2, Shift::Half);
    let x = b.apply("cut", Op::Partition(partition), &[input]).unwrap();
    let x = project(&mut b, "b.qkv", Projection::Keyless, [8, 24], x);
    let core = b.attention("b", attention(AttentionKind::Cosine(partition)));
    let offsets = Op::OffsetCoordinates(Offsets { window: 2 });
    let biases = b.apply("b", offsets, &[]).unwrap();
    let biases = linear(&mut b, "b.widen", 2, 6, biases);
    let biases = gelu(&mut b, biases);
    let biases = linear(&mut b, "b.narrow", 6, 2, biases);
    let x = b.call_with(core, &[x, biases]).unwrap();
    let x = b.apply("join", Op::Reassemble(partition), &[x]).unwrap();
    let x = b.apply("add", Op::Add, &[input, x]).unwrap();
    let x = b.apply("to image", Op::ToImage, &[x]).unwrap();
    let x = b.apply("mean", Op::AdaptiveAvgPool([1, 1]), &[x]).unwrap();
    let x = b.apply("flatten", Op::Flatten, &[x]).unwrap();
    linear(&mut b, "head", 8, 4, x);
    b.finish()
}

/// Attention within neighbouring and within far pixels, scaled by all channels; the hyperbolic tangent.
pub fn multi_axis() -> Arch {
    let mut b = Builder::new("multi-axis", Shape::image(3, 4, 6), 4);
    let x = b.input();
    let x = conv(&mut b, "stem", Conv2d::new(3, 8, 1), x);
    let mut x = b.apply("to grid", Op::ToGrid, &[x]).unwrap();
    for (path, partition) in [
        ("near", Partition::blocks([4, 6], 2, Shift::None)),
        ("far", Partition::strided([4, 6], 2)),
    ] {
        let input = b.apply("cut", Op::Partition(partition), &[x]).unwrap();
        let core = b.attention(path, attention(AttentionKind::MultiAxis(partition)));
        let qkv = linear(&mut b, &format!("{path}.qkv"), 8, 24, input);
        x = b.call(core, qkv).unwrap();
        let drop = Op::StochasticDepth { p: 0.2 };
        x = b.apply(path, drop, &[x]).unwrap();
        x = b.apply("add", Op::Add, &[input, x]).unwrap();
        x = b.apply("join", Op::Reassemble(partition), &[x]).unwrap();
    }
    let x = b.apply("to image", Op::ToImage, &[x]).unwrap();
    let x = b.apply("mean", Op::AdaptiveAvgPool([1, 1]), &[x]).unwrap();
    let x = b.apply("flatten", Op::Flatten, &[x]).unwrap();
    let norm = b.layer_norm("norm", 8, 1e-5);
    let x = b.call(norm, x).unwrap();
    let x = linear(&mut b, "hidden", 8, 8, x);
    let x = activate(&mut b, Activation::Tanh, x);
    linear(&mut b, "head", 8, 4, x);
    b.finish()
}

/// Two heads of four channels.
const fn attention(kind: AttentionKind) -> Attention {
    Attention {
        channels: 8,
        heads: 2,
        kind,
    }
}

fn project(
    b: &mut Builder,
    path: &str,
    projection: Projection,
    [in_features, out_features]: [usize; 2],
    x: NodeId,
) -> NodeId {
    let linear = Linear {
        in_features,
        out_features,
        bias: true,
    };
    let module = b.projection(path, projection, linear, DRAW);
    b.call(module, x).unwrap()
}

/// Residual blocks with and without downsampling, a layer that is called twice, and a sum of a value
/// with itself.
pub fn residual() -> Arch {
    let mut b = Builder::new("residual", Shape::image(3, 6, 5), 4);
    let x = b.input();
    let x = conv(&mut b, "stem", Conv2d::new(3, 8, 1), x);
    let x = norm(&mut b, "bn", x);
    let input = b.relu("relu", x).unwrap();

    let x = conv(&mut b, "a.conv", Conv2d::new(8, 8, 3).padding(1), input);
    let x = norm(&mut b, "a.bn", x);
    let x = b.apply("a.add", Op::Add, &[x, input]).unwrap();
    let input = b.relu("a.relu", x).unwrap();

    let down = Conv2d::new(8, 12, 3).stride(2).padding(1);
    let x = conv(&mut b, "b.conv", down, input);
    let x = norm(&mut b, "b.bn", x);
    let short = conv(&mut b, "b.down", Conv2d::new(8, 12, 1).stride(2), input);
    let short = norm(&mut b, "b.down.bn", short);
    let x = b.apply("b.add", Op::Add, &[short, x]).unwrap();

    let twice = b.conv("twice", Conv2d::new(12, 12, 3).padding(1), DRAW);
    let x = b.call(twice, x).unwrap();
    let x = gelu(&mut b, x);
    let x = b.call(twice, x).unwrap();
    let x = b.apply("double", Op::Add, &[x, x]).unwrap();
    let x = b.relu("c.relu", x).unwrap();
    let x = b.apply("mean", Op::AdaptiveAvgPool([1, 1]), &[x]).unwrap();
    let x = b.apply("flatten", Op::Flatten, &[x]).unwrap();
    linear(&mut b, "fc", 12, 4, x);
    b.finish()
}

fn activate(b: &mut Builder, activation: Activation, x: NodeId) -> NodeId {
    b.apply("act", Op::Activation(activation), &[x]).unwrap()
}

/// Layers that read all that came before, with every activation behind a batch norm; pools that round up
/// or leave padding out; an output that the logits do not depend on.
pub fn dense() -> Arch {
    use Activation::{Gelu, Hardswish, Relu, Relu6, Silu};
    let mut b = Builder::new("dense", Shape::image(3, 8, 7), 4);
    let x = b.input();
    let mut parts = vec![conv(&mut b, "stem", Conv2d::new(3, 4, 1), x)];
    for (i, activation) in [Silu, Relu6, Hardswish, Gelu].into_iter().enumerate() {
        let x = b.apply("cat", Op::Concat, &parts).unwrap();
        let x = norm(&mut b, &format!("bn{i}"), x);
        let x = activate(&mut b, activation, x);
        let narrow = Conv2d::new(b.shape(x).channels(), 4, 1);
        parts.push(conv(&mut b, &format!("conv{i}"), narrow, x));
    }
    let x = b.apply("cat", Op::Concat, &parts).unwrap();
    let unread = activate(&mut b, Relu, x);
    b.auxiliary(unread);
    let max = Op::MaxPool(Pool::new(3, 2, 0).ceil());
    let max = b.apply("max", max, &[x]).unwrap();
    let avg = Op::AvgPool(Pool::new(3, 2, 1).without_padding());
    let avg = b.apply("avg", avg, &[x]).unwrap();
    let max = b.apply("mean", MEAN, &[max]).unwrap();
    let avg = b.apply("mean", MEAN, &[avg]).unwrap();
    let x = b.apply("cat", Op::Concat, &[max, avg]).unwrap();
    linear(&mut b, "fc", 40, 4, x);
    b.finish()
}

/// Squeeze and excitation with both kinds of gate, channels split and shuffled, activations alone.
pub fn mobile() -> Arch {
    use Activation::{Hardsigmoid, Hardswish, Relu6, Sigmoid, Silu};
    let mut b = Builder::new("mobile", Shape::image(3, 6, 5), 4);
    let x = b.input();
    let mut x = conv(&mut b, "stem", Conv2d::new(3, 12, 3).padding(1), x);
    for (i, (inner, gate)) in [(Silu, Sigmoid), (Relu6, Hardsigmoid)]
        .into_iter()
        .enumerate()
    {
        let mean = b.apply("mean", Op::AdaptiveAvgPool([1, 1]), &[x]).unwrap();
        let squeeze = Conv2d::new(12, 6, 1).with_bias();
        let gated = conv(&mut b, &format!("squeeze{i}"), squeeze, mean);
        let gated = activate(&mut b, inner, gated);
        let excite = Conv2d::new(6, 12, 1).with_bias();
        let gated = conv(&mut b, &format!("excite{i}"), excite, gated);
        let gated = activate(&mut b, gate, gated);
        x = b.apply("gate", Op::Gate, &[x, gated]).unwrap();
    }
    let half = |b: &mut Builder, index| {
        let chunk = Op::Chunk { index, of: 2 };
        b.apply("chunk", chunk, &[x]).unwrap()
    };
    let (left, right) = (half(&mut b, 0), half(&mut b, 1));
    let right = conv(&mut b, "right", Conv2d::new(6, 6, 1), right);
    let x = b.apply("cat", Op::Concat, &[left, right]).unwrap();
    let x = b.apply("shuffle", Op::Shuffle { groups: 3 }, &[x]).unwrap();
    let x = activate(&mut b, Hardswish, x);
    let x = conv(&mut b, "last", Conv2d::new(12, 6, 1).groups(2), x);
    let x = b.apply("mean", MEAN, &[x]).unwrap();
    linear(&mut b, "fc", 6, 4, x);
    b.finish()
}

/// What cells of DeepNets-1M have besides: a vector for every pixel, tokens that become an image again,
/// images cut at a corner and thinned, a part that is missing.
pub fn moved_pixels() -> Arch {
    let mut b = Builder::new("moved pixels", Shape::image(3, 4, 6), 4);
    let places = b.position_map("places", 8, [4, 6]);
    let x = b.input();
    let x = conv(&mut b, "stem", Conv2d::new(3, 8, 1), x);
    let x = b.call(places, x).unwrap();
    let corner = Op::Pixels { start: 1, step: 1 };
    let x = b.apply("corner", corner, &[x]).unwrap();
    let tokens = b.apply("tokens", Op::ToTokens, &[x]).unwrap();
    let qkv = linear(&mut b, "qkv", 8, 24, tokens);
    let core = Op::Attention(attention(AttentionKind::Fused));
    let attended = b.apply("attention", core, &[qkv]).unwrap();
    let sum = b.apply("add", Op::Add, &[tokens, attended]).unwrap();
    let x = b.apply("image", Op::FromTokens([3, 5]), &[sum]).unwrap();
    let missing = b.apply("missing", Op::Zeros, &[x]).unwrap();
    let x = b.apply("cat", Op::Concat, &[x, missing]).unwrap();
    let thinned = Op::Pixels { start: 0, step: 2 };
    let x = b.apply("thinned", thinned, &[x]).unwrap();
    let mean = Op::Mean { flattened: true };
    let x = b.apply("mean", mean, &[x]).unwrap();
    linear(&mut b, "fc", 16, 4, x);
    b.finish()
}

/// Four channels of one pixel that are the logits, unless their sample is dropped.
pub fn identity_with_drop(p: f64) -> Arch {
    let mut b = Builder::new("identity", Shape::image(4, 1, 1), 4);
    let x = b
        .apply("drop", Op::StochasticDepth { p }, &[b.input()])
        .unwrap();
    b.apply("flatten", Op::Flatten, &[x]).unwrap();
    b.finish()
}
