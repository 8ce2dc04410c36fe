//! `hyperscope check train`: a few optimiser steps from parameters that follow from their names,
//! against PyTorch in float64.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

use super::Case;
use super::fill;
use super::measure::{Measure, Worst};
use crate::arch::zoo;
use crate::nn::{Images, Network, Placement, StepOptions};
use crate::train::{Optimiser, OptimiserKind, OptimiserSettings};

/// What the reference says about one case, such as `resnet18:sgd:5`.
#[derive(Debug, Deserialize)]
struct Reference {
    arch: String,
    optimiser: OptimiserKind,
    steps: usize,
    batch: usize,
    image_size: usize,
    /// Before each step.
    loss: Vec<f64>,
    /// Before clipping.
    grad_norm: Vec<f64>,
    /// Parameters and running statistics after the last step.
    after: BTreeMap<String, After>,
    eval: Eval,
    #[serde(default)]
    torch_f32: TorchF32,
}

#[derive(Debug, Deserialize)]
struct After {
    norm: f64,
    proj: f64,
}

#[derive(Debug, Deserialize)]
struct Eval {
    logits: Vec<Vec<f64>>,
}

/// How far PyTorch's own 32-bit numbers are off.
#[derive(Debug, Default, Deserialize)]
struct TorchF32 {
    #[serde(default)]
    loss: f64,
    #[serde(default)]
    grad_norm: f64,
    #[serde(default)]
    after_norm: f64,
    #[serde(default)]
    logits: f64,
}

/// The reference's numbers for its two optimisers.
const MAX_GRAD_NORM: f64 = 5.0;
const SGD: (f64, f64) = (0.01, 1e-2);
const ADAMW: (f64, f64) = (1e-3, 0.1);

/// Tolerance of the reference's README: five times PyTorch's own deviation, at least this.
const LEAST: f64 = 1e-4;
const TIMES_TORCH: f64 = 5.0;
/// A projection feels a rounding error in full that a norm feels only along the tensor.
const PROJECTION: f64 = 4.0;

/// The cases of the reference at `path`.
///
/// # Errors
/// If the reference cannot be read.
pub fn cases(path: &Path, placement: Placement) -> anyhow::Result<Vec<Case>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the reference {}", path.display()))?;
    let table: BTreeMap<String, Reference> = serde_json::from_str(&text)
        .with_context(|| format!("{} is no reference for check train", path.display()))?;
    let case = |(name, reference): (&String, &Reference)| {
        if !zoo::names().any(|n| n == reference.arch) {
            return Case::missing(name, "not in the zoo");
        }
        compare(reference, placement)
            .map_or_else(|e| Case::failed(name, &e), |worst| worst.into_case(name))
    };
    Ok(table.iter().map(case).collect())
}

const fn allowed(torch: f64) -> f64 {
    LEAST.max(TIMES_TORCH * torch)
}

fn compare(reference: &Reference, placement: Placement) -> anyhow::Result<Worst> {
    let options = zoo::Options {
        side: reference.image_size,
        ..zoo::Options::default()
    };
    let arch = zoo::build(&reference.arch, &options)?;
    let mut network = Network::on(&arch, placement)?;
    network.load(&fill::state(&arch))?;
    let mut worst = Worst::default();
    steps(&mut network, reference, &mut worst)?;
    after(&mut network, reference, &mut worst)?;

    let batch = reference.eval.logits.len();
    let pixels = fill::images("input", batch, reference.image_size);
    let logits = fill::logits_error(&mut network, &pixels, batch, &reference.eval.logits)?;
    worst.see(Measure {
        what: "logits".to_owned(),
        error: logits,
        allowed: allowed(reference.torch_f32.logits),
    });
    Ok(worst)
}

/// Trains, and compares losses and gradient norms.
fn steps(network: &mut Network, reference: &Reference, worst: &mut Worst) -> anyhow::Result<()> {
    let (lr, weight_decay) = match reference.optimiser {
        OptimiserKind::Sgd => SGD,
        OptimiserKind::AdamW => ADAMW,
    };
    let settings = OptimiserSettings::of(reference.optimiser, weight_decay);
    let mut optimiser = Optimiser::new(&settings, network)?;
    let Reference { batch, steps, .. } = *reference;
    anyhow::ensure!(
        reference.loss.len() == steps && reference.grad_norm.len() == steps,
        "the reference has losses or gradient norms of other than {steps} steps"
    );
    for step in 0..steps {
        let name = format!("input#{step}");
        let pixels = fill::images(&name, batch, reference.image_size);
        let images = Images {
            pixels: &pixels,
            batch,
        };
        let labels = fill::labels(batch, step);
        let output = network.train_step(&images, &labels, &StepOptions::default())?;
        let norm = network.clip_gradients(MAX_GRAD_NORM)?;
        optimiser.step(network, lr)?;
        let relative = |got: f64, expected: f64| (got - expected).abs() / expected.abs();
        worst.see(Measure {
            what: format!("loss of step {}", step + 1),
            error: relative(output.loss, reference.loss[step]),
            allowed: allowed(reference.torch_f32.loss),
        });
        worst.see(Measure {
            what: format!("gradient norm of step {}", step + 1),
            error: relative(norm, reference.grad_norm[step]),
            allowed: allowed(reference.torch_f32.grad_norm),
        });
    }
    Ok(())
}

/// Compares parameters and running statistics with those of the reference.
fn after(network: &mut Network, reference: &Reference, worst: &mut Worst) -> anyhow::Result<()> {
    let state = network.state()?;
    let floats: Vec<_> = state
        .iter()
        .filter_map(|(name, tensor)| Some((name, tensor.floats()?)))
        .collect();
    anyhow::ensure!(
        floats.len() == reference.after.len(),
        "{} tensors instead of {}",
        floats.len(),
        reference.after.len()
    );
    let allowed = allowed(reference.torch_f32.after_norm);
    for (name, values) in floats {
        let expected = reference
            .after
            .get(name)
            .with_context(|| format!("the reference has no {name}"))?;
        let (norm, projection) = fill::norm_and_projection(name, values);
        worst.see(Measure {
            what: format!("norm of {name}"),
            error: (norm - expected.norm).abs() / expected.norm,
            allowed,
        });
        worst.see(Measure {
            what: format!("projection of {name}"),
            error: (projection - expected.proj).abs() / expected.norm,
            allowed: PROJECTION * allowed,
        });
    }
    Ok(())
}
