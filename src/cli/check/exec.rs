//! `hyperscope check exec`: logits and gradients of networks with parameters that follow from their
//! names, against PyTorch in float64.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

use super::Case;
use super::fill;
use super::measure::{Measure, Worst};
use crate::arch::zoo;
use crate::nn::{Images, Network, Placement, Precision, StepOptions};

/// What the reference says about one architecture.
#[derive(Debug, Deserialize)]
struct Reference {
    image_size: usize,
    batch: usize,
    eval: Eval,
    train: Train,
    #[serde(default)]
    torch_f32: TorchF32,
}

#[derive(Debug, Deserialize)]
struct Eval {
    logits: Vec<Vec<f64>>,
}

#[derive(Debug, Deserialize)]
struct Train {
    loss: f64,
    grads: BTreeMap<String, Gradient>,
}

#[derive(Debug, Deserialize)]
struct Gradient {
    norm: f64,
    proj: f64,
}

/// How far PyTorch's own 32-bit numbers are off.
#[derive(Debug, Default, Deserialize)]
struct TorchF32 {
    #[serde(default)]
    logits: f64,
    #[serde(default)]
    loss: f64,
    #[serde(default)]
    grad_norm: f64,
}

/// What is allowed at least; five times PyTorch's own deviation in f32 where that is more.
struct Tolerances {
    logits: f64,
    loss: f64,
    gradient: f64,
}

impl Tolerances {
    const fn of(precision: Precision) -> Self {
        match precision {
            // The reference's README.
            Precision::F32 => Self {
                logits: 1e-4,
                loss: 1e-4,
                gradient: 1e-3,
            },
            // Every activation and its gradient is rounded to 8 bits, a share of up to 2^-9, some fifty
            // times on the way through a network and again on the way back. The errors add up like a
            // random walk: 2^-9 times the root of fifty is 1.4 %, and several times that in the largest
            // of many. Gradients also feel the ReLUs that such errors switch.
            Precision::Bf16 => Self {
                logits: 0.06,
                loss: 0.03,
                gradient: 0.15,
            },
        }
    }
}

const TIMES_TORCH: f64 = 5.0;
/// A projection feels a rounding error in full that a norm feels only along the gradient.
const PROJECTION: f64 = 4.0;

/// The cases of the reference at `path`.
///
/// # Errors
/// If the reference cannot be read.
pub fn cases(path: &Path, placement: Placement) -> anyhow::Result<Vec<Case>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the reference {}", path.display()))?;
    let table: BTreeMap<String, Reference> = serde_json::from_str(&text)
        .with_context(|| format!("{} is no reference for check exec", path.display()))?;
    let known: Vec<&str> = zoo::names().collect();
    Ok(table
        .iter()
        .map(|(name, reference)| {
            if !known.contains(&name.as_str()) {
                return Case::missing(name, "not in the zoo");
            }
            compare(name, reference, placement)
                .map_or_else(|e| Case::failed(name, &e), |worst| worst.into_case(name))
        })
        .collect())
}

fn compare(name: &str, reference: &Reference, placement: Placement) -> anyhow::Result<Worst> {
    let options = zoo::Options {
        side: reference.image_size,
        ..zoo::Options::default()
    };
    let arch = zoo::build(name, &options)?;
    let mut network = Network::on(&arch, placement)?;
    let least = Tolerances::of(placement.precision);
    network.load(&fill::state(&arch))?;
    let (batch, torch) = (reference.batch, &reference.torch_f32);
    let pixels = fill::images("input", batch, reference.image_size);
    let mut worst = Worst::default();

    let logits = fill::logits_error(&mut network, &pixels, batch, &reference.eval.logits)?;
    worst.see(Measure {
        what: "logits".to_owned(),
        error: logits,
        allowed: least.logits.max(TIMES_TORCH * torch.logits),
    });

    let images = Images {
        pixels: &pixels,
        batch,
    };
    let labels = fill::labels(batch, 0);
    let step = network.train_step(&images, &labels, &StepOptions::default())?;
    let expected = reference.train.loss;
    worst.see(Measure {
        what: "loss".to_owned(),
        error: (step.loss - expected).abs() / expected.abs(),
        allowed: least.loss.max(TIMES_TORCH * torch.loss),
    });
    gradients(&mut network, reference, &least, &mut worst)?;
    Ok(worst)
}

fn gradients(
    network: &mut Network,
    reference: &Reference,
    least: &Tolerances,
    worst: &mut Worst,
) -> anyhow::Result<()> {
    let expected = &reference.train.grads;
    let whole: f64 = expected.values().map(|g| g.norm * g.norm).sum();
    let floor = 1e-6 * whole.sqrt();
    let allowed = least
        .gradient
        .max(TIMES_TORCH * reference.torch_f32.grad_norm);
    let gradients = network.gradients()?;
    anyhow::ensure!(
        gradients.len() == expected.len(),
        "{} gradients instead of {}",
        gradients.len(),
        expected.len()
    );
    for (name, tensor) in gradients.iter() {
        let expected = expected
            .get(name)
            .with_context(|| format!("the reference has no gradient of {name}"))?;
        let values = tensor.floats().unwrap_or_default();
        let (norm, projection) = fill::norm_and_projection(name, values);
        let scale = expected.norm + floor;
        worst.see(Measure {
            what: format!("gradient norm of {name}"),
            error: (norm - expected.norm).abs() / scale,
            allowed,
        });
        worst.see(Measure {
            what: format!("gradient projection of {name}"),
            error: (projection - expected.proj).abs() / scale,
            allowed: PROJECTION * allowed,
        });
    }
    Ok(())
}
