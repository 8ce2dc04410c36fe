//! A small network of the reference, post-processed as a whole in several ways.

use std::ops::ControlFlow;

use anyhow::Context as _;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use super::super::Case;
use super::super::measure::{Measure, Worst};
use super::{CLOSE, error, floats, values};
use crate::arch::{Arch, Builder, Conv2d, Draw, Linear, Scheme, Shape};
use crate::init::post::post_process_with;
use crate::init::{FirstLayer, Post};
use crate::nn::{StateDict, Tensor};

#[derive(Debug, Deserialize)]
struct Stored {
    variants: IndexMap<String, Variant>,
}

#[derive(Debug, Deserialize)]
struct Variant {
    args: Arguments,
    changed: Vec<String>,
}

/// The arguments of the published function.
#[derive(Debug, Deserialize)]
struct Arguments {
    orth: bool,
    beta: f64,
    #[serde(default)]
    layer: usize,
    #[serde(default)]
    max_sz: usize,
}

/// One case for each way.
pub(super) fn cases(stored: &Value, tensors: &StateDict) -> anyhow::Result<Vec<Case>> {
    let stored: Stored = Deserialize::deserialize(stored).context("reading the case net")?;
    let arch = network();
    stored
        .variants
        .iter()
        .map(|(name, variant)| case(name, variant, &arch, tensors))
        .collect()
}

/// The layers that the reference describes; nothing runs, so they are registered only.
fn network() -> Arch {
    let draw = Draw {
        weight: Scheme::ZEROS,
        bias: Scheme::ZEROS,
    };
    let mut b = Builder::new("net", Shape::image(3, 8, 8), 5);
    b.conv("0", Conv2d::new(3, 8, 3), draw);
    b.batch_norm("1", 8);
    b.conv("3", Conv2d::new(8, 8, 3).groups(8), draw);
    b.conv("4", Conv2d::new(8, 16, 1).with_bias(), draw);
    for (path, in_features, out_features) in [("8", 16, 12), ("10", 12, 5)] {
        let linear = Linear {
            in_features,
            out_features,
            bias: true,
        };
        b.linear(path, linear, draw);
    }
    b.finish()
}

fn case(name: &str, variant: &Variant, arch: &Arch, tensors: &StateDict) -> anyhow::Result<Case> {
    let mut state = parameters("net.in.", tensors);
    let before = state.clone();
    let args = &variant.args;
    let post = Post {
        noise: args.beta > 0.0,
        orth: args.orth,
        beta: args.beta,
        first_layer: FirstLayer::Number(args.layer),
        max_size: args.max_sz,
        only: None,
        seed: 0,
    };
    let draws = draws(name, tensors);
    let noise = |tensor: &str| -> Box<dyn Iterator<Item = f32>> {
        let shape = arch.tensors().iter().find(|t| t.name == tensor);
        let of_shape = shape.and_then(|t| {
            // A draw belongs to the layer whose block it has the shape of; all of them differ.
            let block = block(&t.shape, args.max_sz);
            draws.iter().find(|d| d.shape == block)
        });
        let values = of_shape.and_then(Tensor::floats).unwrap_or_default();
        Box::new(values.iter().copied())
    };
    let report = post_process_with(&mut state, arch, &post, &noise, &mut |_| {
        ControlFlow::Continue(())
    })?;
    let expected = parameters(&format!("net.{name}."), tensors);
    let mut worst = Worst::default();
    for (tensor, got) in state.iter() {
        let stored = values(&expected, tensor)?;
        let got = got.floats().context("a stored parameter is no number")?;
        worst.see(Measure {
            what: tensor.to_owned(),
            error: error(floats(got), stored),
            allowed: CLOSE,
        });
    }
    // A layer whose block is empty is treated, but does not change.
    let changed = report.layers.iter().map(|l| &l.tensor);
    let changed: Vec<&String> = changed.filter(|t| state.get(t) != before.get(t)).collect();
    let same = changed.iter().copied().eq(&variant.changed);
    worst.see(Measure {
        what: format!("layers changed ({changed:?})"),
        error: f64::from(u8::from(!same)),
        allowed: 0.5,
    });
    Ok(worst.into_case(&format!("net/{name}")))
}

/// The tensors whose names begin with `prefix`, without it, and without the stored draws.
fn parameters(prefix: &str, tensors: &StateDict) -> StateDict {
    tensors
        .iter()
        .filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?, tensor)))
        .filter(|(name, _)| !name.starts_with("draw"))
        .map(|(name, tensor)| (name.to_owned(), tensor.clone()))
        .collect()
}

fn draws(variant: &str, tensors: &StateDict) -> Vec<Tensor> {
    let prefix = format!("net.{variant}.draw");
    let drawn = tensors.iter().filter(|(name, _)| name.starts_with(&prefix));
    drawn.map(|(_, tensor)| tensor.clone()).collect()
}

/// The shape of `W[max_size:, max_size:]`.
fn block(shape: &[usize], max_size: usize) -> Vec<usize> {
    let mut block = shape.to_vec();
    for side in block.iter_mut().take(2) {
        *side = side.saturating_sub(max_size);
    }
    block
}
