//! MaxViT (Tu et al. 2022), as `torchvision.models.maxvit` builds it.

use super::Options;
use super::blocks::{Norm, SqueezeExcitation, add_drawn_conv, add_linear, pool_to_vector, same};
use crate::arch::{
    Activation, Arch, ArchError, Attention, AttentionKind, Builder, Conv2d, Draw, Linear, NodeId,
    Op, Partition, Pool, Scheme, Shift,
};

pub const NAMES: &[&str] = &["maxvit_t"];

const STEM_CHANNELS: usize = 64;
const WIDTHS: [usize; 4] = [64, 128, 256, 512];
const DEPTHS: [usize; 4] = [2, 2, 5, 2];
/// Side of a window.
const WINDOW: usize = 7;
/// Channels of a head.
const HEAD: usize = 32;
/// How many times wider convolutions and two-layer networks are inside.
const EXPAND: usize = 4;
/// The part of a block's channels that is left between the two layers of a gate.
const SQUEEZE: usize = 4;
/// The last layer's probability of dropping a branch; earlier layers get a linear share.
const DROP: f64 = 0.2;
/// Batch norms of the family.
const NORM: Norm = Norm {
    eps: 1e-3,
    momentum: 0.01,
};
const LAYER_NORM_EPS: f64 = 1e-5;
/// All convolutions and linear layers are drawn alike.
const DRAW: Draw = Draw::without_bias(Scheme::Normal { std: 0.02 });
const GELU: Op = Op::Activation(Activation::Gelu);

/// The windows must fit the image at every stage.
pub fn build(name: &str, options: &Options) -> Result<Arch, ArchError> {
    check_side(name, options.side)?;
    let mut b = Builder::new(name, options.input(), options.classes);
    let mut x = stem(&mut b)?;
    let layers: usize = DEPTHS.iter().sum();
    let mut index = 0;
    for (i, (width, depth)) in WIDTHS.into_iter().zip(DEPTHS).enumerate() {
        for j in 0..depth {
            let layer = Layer {
                path: format!("blocks.{i}.layers.{j}.layers"),
                width,
                stride: if j == 0 { 2 } else { 1 },
                drop: DROP * index as f64 / (layers - 1) as f64,
            };
            x = layer.add(&mut b, x)?;
            index += 1;
        }
    }
    head(&mut b, options.classes, x)?;
    Ok(b.finish())
}

fn check_side(name: &str, side: usize) -> Result<(), ArchError> {
    let halve = |side: &usize| Some(side.div_ceil(2));
    let mut stages = std::iter::successors(Some(side), halve).skip(2).take(4);
    if stages.all(|side| side % WINDOW == 0) {
        return Ok(());
    }
    Err(ArchError::BadOption {
        arch: name.to_owned(),
        what: "the image size",
        allowed: format!("a multiple of {}", WINDOW << (1 + WIDTHS.len())),
        got: side,
    })
}

fn conv(b: &mut Builder, path: &str, conv: Conv2d, x: NodeId) -> Result<NodeId, ArchError> {
    add_drawn_conv(b, path, conv, DRAW, x)
}

/// Layers `PATH.0` to `PATH.2`.
fn conv_norm_gelu(b: &mut Builder, path: &str, c: Conv2d, x: NodeId) -> Result<NodeId, ArchError> {
    let x = conv(b, &format!("{path}.0"), c, x)?;
    let x = NORM.add(b, &format!("{path}.1"), x)?;
    b.apply(&format!("{path}.2"), GELU, &[x])
}

fn stem(b: &mut Builder) -> Result<NodeId, ArchError> {
    let x = b.input();
    let first = same(3, STEM_CHANNELS, 3).stride(2);
    let x = conv_norm_gelu(b, "stem.0", first, x)?;
    let second = same(STEM_CHANNELS, STEM_CHANNELS, 3).with_bias();
    conv(b, "stem.1.0", second, x)
}

fn layer_norm(b: &mut Builder, path: &str, x: NodeId) -> Result<NodeId, ArchError> {
    let norm = b.layer_norm(path, b.shape(x).channels(), LAYER_NORM_EPS);
    b.call(norm, x)
}

/// Global average, norm, two linear layers, the last one without bias.
fn head(b: &mut Builder, classes: usize, x: NodeId) -> Result<NodeId, ArchError> {
    let x = pool_to_vector(b, "classifier.0", x)?;
    let width = b.shape(x).channels();
    let x = layer_norm(b, "classifier.2", x)?;
    let x = add_linear(b, "classifier.3", width, DRAW, x)?;
    let tanh = Op::Activation(Activation::Tanh);
    let x = b.apply("classifier.4", tanh, &[x])?;
    let last = Linear {
        in_features: width,
        out_features: classes,
        bias: false,
    };
    let last = b.linear("classifier.5", last, DRAW);
    b.call(last, x)
}

/// Convolutions, attention within neighbourhoods, attention across the image.
struct Layer {
    path: String,
    width: usize,
    stride: usize,
    drop: f64,
}

impl Layer {
    fn at(&self, part: &str) -> String {
        format!("{}.{part}", self.path)
    }

    fn add(&self, b: &mut Builder, x: NodeId) -> Result<NodeId, ArchError> {
        let x = self.convolutions(b, x)?;
        let x = b.apply(&self.path, Op::ToGrid, &[x])?;
        let grid = b.shape(x).side().unwrap_or_default();
        let blocks = Partition::blocks(grid, WINDOW, Shift::None);
        let x = self.attend(b, &self.at("window_attention"), blocks, x)?;
        let strided = Partition::strided(grid, WINDOW);
        let x = self.attend(b, &self.at("grid_attention"), strided, x)?;
        b.apply(&self.path, Op::ToImage, &[x])
    }

    /// An inverted residual with a gate. Its input is added, brought to the output's shape if need be.
    fn convolutions(&self, b: &mut Builder, input: NodeId) -> Result<NodeId, ArchError> {
        let path = self.at("MBconv");
        let mut shortcut = input;
        if self.stride == 2 {
            let pool = Op::AvgPool(Pool::new(3, 2, 1));
            shortcut = b.apply(&format!("{path}.proj.0"), pool, &[shortcut])?;
            let point = Conv2d::new(b.shape(input).channels(), self.width, 1);
            shortcut = conv(b, &format!("{path}.proj.1"), point.with_bias(), shortcut)?;
        }
        let x = self.conv_branch(b, &format!("{path}.layers"), input)?;
        let x = self.dropped(b, &path, x)?;
        b.apply(&path, Op::Add, &[shortcut, x])
    }

    fn conv_branch(&self, b: &mut Builder, path: &str, x: NodeId) -> Result<NodeId, ArchError> {
        let at = |part: &str| format!("{path}.{part}");
        let inner = EXPAND * self.width;
        let widen = Conv2d::new(b.shape(x).channels(), inner, 1);
        let x = NORM.add(b, &at("pre_norm"), x)?;
        let x = conv_norm_gelu(b, &at("conv_a"), widen, x)?;
        let depthwise = same(inner, inner, 3).stride(self.stride).groups(inner);
        let x = conv_norm_gelu(b, &at("conv_b"), depthwise, x)?;
        let gate = SqueezeExcitation {
            squeeze: self.width / SQUEEZE,
            activation: Activation::Silu,
            gate: Activation::Sigmoid,
            draw: |_| DRAW,
        };
        let x = gate.add(b, &at("squeeze_excitation"), x)?;
        let narrow = Conv2d::new(inner, self.width, 1).with_bias();
        conv(b, &at("conv_c"), narrow, x)
    }

    fn dropped(&self, b: &mut Builder, path: &str, x: NodeId) -> Result<NodeId, ArchError> {
        let drop = Op::StochasticDepth { p: self.drop };
        b.apply(&format!("{path}.stochastic_depth"), drop, &[x])
    }

    /// Attention and a two-layer network within windows, each with a norm before it and a shortcut.
    fn attend(
        &self,
        b: &mut Builder,
        path: &str,
        partition: Partition,
        x: NodeId,
    ) -> Result<NodeId, ArchError> {
        let at = |part: &str| format!("{path}.{part}");
        let input = b.apply(path, Op::Partition(partition), &[x])?;
        let x = layer_norm(b, &at("attn_layer.0"), input)?;
        let x = self.attention(b, &at("attn_layer.1"), partition, x)?;
        let x = self.dropped(b, path, x)?;
        let input = b.apply(path, Op::Add, &[input, x])?;

        let x = layer_norm(b, &at("mlp_layer.0"), input)?;
        let x = add_linear(b, &at("mlp_layer.1"), EXPAND * self.width, DRAW, x)?;
        let x = b.apply(&at("mlp_layer.2"), GELU, &[x])?;
        let x = add_linear(b, &at("mlp_layer.3"), self.width, DRAW, x)?;
        let x = self.dropped(b, path, x)?;
        let x = b.apply(path, Op::Add, &[input, x])?;
        b.apply(path, Op::Reassemble(partition), &[x])
    }

    fn attention(
        &self,
        b: &mut Builder,
        path: &str,
        partition: Partition,
        x: NodeId,
    ) -> Result<NodeId, ArchError> {
        let core = Attention {
            channels: self.width,
            heads: self.width / HEAD,
            kind: AttentionKind::MultiAxis(partition),
        };
        let core = b.attention(path, core);
        let x = add_linear(b, &format!("{path}.to_qkv"), 3 * self.width, DRAW, x)?;
        let x = b.call(core, x)?;
        add_linear(b, &format!("{path}.merge"), self.width, DRAW, x)
    }
}
