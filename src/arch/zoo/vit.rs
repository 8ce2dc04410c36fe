//! Vision Transformer (Dosovitskiy et al. 2021), as `torchvision.models.vision_transformer` builds it.

use super::Options;
use crate::arch::{
    Activation, Arch, ArchError, Attention, AttentionKind, Builder, Conv2d, Draw, Linear, NodeId,
    Op, Projection, Scheme,
};

pub const NAMES: &[&str] = &["vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32", "vit_h_14"];

struct Config {
    /// Side of a patch in pixels.
    patch: usize,
    layers: usize,
    heads: usize,
    width: usize,
    /// Width within the two-layer networks.
    hidden: usize,
}

/// Every layer norm of the family has this eps.
const EPS: f64 = 1e-6;

fn config(name: &str) -> Config {
    let (patch, layers, heads, width, hidden) = match name {
        "vit_b_16" => (16, 12, 12, 768, 3072),
        "vit_b_32" => (32, 12, 12, 768, 3072),
        "vit_l_16" => (16, 24, 16, 1024, 4096),
        "vit_l_32" => (32, 24, 16, 1024, 4096),
        "vit_h_14" => (14, 32, 16, 1280, 5120),
        other => unreachable!("{other} is not in NAMES"),
    };
    Config {
        patch,
        layers,
        heads,
        width,
        hidden,
    }
}

pub fn build(name: &str, options: &Options) -> Result<Arch, ArchError> {
    let config = config(name);
    if !options.side.is_multiple_of(config.patch) {
        return Err(ArchError::BadOption {
            arch: name.to_owned(),
            what: "the image size",
            allowed: format!("a multiple of {}", config.patch),
            got: options.side,
        });
    }
    let mut b = Builder::new(name, options.input(), options.classes);
    let mut x = embed(&mut b, &config, options.side)?;
    for i in 0..config.layers {
        x = block(
            &mut b,
            &config,
            &format!("encoder.layers.encoder_layer_{i}"),
            x,
        )?;
    }
    head(&mut b, config.width, options.classes, x)?;
    Ok(b.finish())
}

/// Patches to tokens, the class token before them, places added.
fn embed(b: &mut Builder, config: &Config, side: usize) -> Result<NodeId, ArchError> {
    let &Config { patch, width, .. } = config;
    let fan_in = (3 * patch * patch) as f64;
    let draw = Draw {
        weight: Scheme::truncated((1.0 / fan_in).sqrt()),
        bias: Scheme::ZEROS,
    };
    let tokens = (side / patch).pow(2) + 1;
    let class_token = b.class_token("", width);
    let conv = Conv2d::new(3, width, patch).stride(patch).with_bias();
    let conv = b.conv("conv_proj", conv, draw);
    let places = b.position_embedding("encoder", tokens, width);
    let x = b.call(conv, b.input())?;
    let x = b.apply("", Op::ToTokens, &[x])?;
    let x = b.call(class_token, x)?;
    b.call(places, x)
}

/// Attention and a two-layer network, each after a norm and with a shortcut.
fn block(b: &mut Builder, config: &Config, path: &str, input: NodeId) -> Result<NodeId, ArchError> {
    let width = config.width;
    let at = |name: &str| format!("{path}.{name}");
    let norm_1 = b.layer_norm(&at("ln_1"), width, EPS);
    let attention = at("self_attention");
    let qkv = linear(width, 3 * width);
    let draw = Draw {
        weight: Scheme::xavier_uniform(&[3 * width, width]),
        bias: Scheme::ZEROS,
    };
    let qkv = b.projection(&attention, Projection::MultiheadIn, qkv, draw);
    let draw = Draw {
        weight: Scheme::torch_default(&[width, width]),
        bias: Scheme::ZEROS,
    };
    let out = at("self_attention.out_proj");
    let out = b.projection(&out, Projection::MultiheadOut, linear(width, width), draw);
    let norm_2 = b.layer_norm(&at("ln_2"), width, EPS);
    let draw = Draw {
        weight: Scheme::xavier_uniform(&[config.hidden, width]),
        bias: Scheme::Normal { std: 1e-6 },
    };
    let widen = b.linear(&at("mlp.0"), linear(width, config.hidden), draw);
    let narrow = b.linear(&at("mlp.3"), linear(config.hidden, width), draw);

    let core = Attention {
        channels: width,
        heads: config.heads,
        kind: AttentionKind::Multihead,
    };
    let x = b.call(norm_1, input)?;
    let x = b.call(qkv, x)?;
    let x = b.apply(&attention, Op::Attention(core), &[x])?;
    let x = b.call(out, x)?;
    let input = b.apply(path, Op::Add, &[x, input])?;
    let x = b.call(norm_2, input)?;
    let x = b.call(widen, x)?;
    let x = b.apply(&at("mlp.1"), Op::Activation(Activation::Gelu), &[x])?;
    let x = b.call(narrow, x)?;
    b.apply(path, Op::Add, &[input, x])
}

const fn linear(in_features: usize, out_features: usize) -> Linear {
    Linear {
        in_features,
        out_features,
        bias: true,
    }
}

/// The class token alone decides. The last layer starts at zero.
fn head(b: &mut Builder, width: usize, classes: usize, x: NodeId) -> Result<NodeId, ArchError> {
    let norm = b.layer_norm("encoder.ln", width, EPS);
    let draw = Draw {
        weight: Scheme::ZEROS,
        bias: Scheme::ZEROS,
    };
    let last = b.linear("heads.head", linear(width, classes), draw);
    let x = b.call(norm, x)?;
    let x = b.apply("", Op::FirstToken, &[x])?;
    b.call(last, x)
}
