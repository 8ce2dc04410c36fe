//! `hyperscope check exec`: logits and gradients of networks with parameters that follow from their
//! names, against PyTorch in float64.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

use super::Case;
use super::fill;
use super::measure::{Measure, Worst};
use crate::arch::{self, onnx, zoo};
use crate::cli::arch::takes_images;
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
/// Part of the whole gradient's norm below which a tensor's own does not matter.
const FLOOR: f64 = 1e-6;

/// Behind batch norms over a few values, and where some of millions of activations lie within rounding
/// of a ReLU's kink, PyTorch's own deviation is one draw of many: a nudge of one part in ten million
/// moves its 32-bit gradients of Inception by a sixth. So a network that fails is asked how far nudges
/// of its images move its numbers, and is allowed twice that.
const NUDGE: f32 = 1.0 / (1 << 18) as f32;
const NUDGES: usize = 3;
const TIMES_MOVED: f64 = 2.0;

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
            if !known.contains(&name.as_str()) && !onnx::is_name(name) {
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
        ..arch::usual_options(name)?
    };
    let arch = arch::build(name, &options)?;
    takes_images(&arch, reference.image_size)?;
    let mut network = Network::on(&arch, placement)?;
    let least = Tolerances::of(placement.precision);
    network.load(&fill::state(&arch))?;
    let batch = reference.batch;
    let pixels = fill::images("input", batch, reference.image_size);
    let mut worst = Worst::default();

    let logits = fill::logits_error(&mut network, &pixels, batch, &reference.eval.logits)?;
    worst.see(Measure {
        what: "logits".to_owned(),
        error: logits,
        allowed: least.logits.max(TIMES_TORCH * reference.torch_f32.logits),
    });

    let labels = fill::labels(batch, 0);
    let ours = Outcome::of(&mut network, &pixels, &labels)?;
    let plain = against(&ours, reference, &least, &Moved::default(), worst.clone())?;
    if plain.passes() {
        return Ok(plain);
    }
    let mut moved = Moved::default();
    for nudge in 0..NUDGES {
        let nudged = nudge_images(&pixels, nudge, reference);
        moved.see(&ours, &Outcome::of(&mut network, &nudged, &labels)?);
    }
    against(&ours, reference, &least, &moved, worst)
}

/// Images that differ from `pixels` by about what rounding does.
fn nudge_images(pixels: &[f32], number: usize, reference: &Reference) -> Vec<f32> {
    let name = format!("nudge {number}");
    let noise = fill::images(&name, reference.batch, reference.image_size);
    let nudged = pixels.iter().zip(noise).map(|(p, u)| p * (1.0 + NUDGE * u));
    nudged.collect()
}

/// What a training step comes to.
struct Outcome {
    loss: f64,
    /// Norm and projection of every gradient.
    gradients: Vec<(String, f64, f64)>,
}

impl Outcome {
    fn of(network: &mut Network, pixels: &[f32], labels: &[u32]) -> anyhow::Result<Self> {
        let images = Images {
            pixels,
            batch: labels.len(),
        };
        let step = network.train_step(&images, labels, &StepOptions::default())?;
        let gradients = network.gradients()?;
        let gradients = gradients.iter().map(|(name, tensor)| {
            let values = tensor.floats().unwrap_or_default();
            let (norm, projection) = fill::norm_and_projection(name, values);
            (name.to_owned(), norm, projection)
        });
        Ok(Self {
            loss: step.loss,
            gradients: gradients.collect(),
        })
    }

    /// What a gradient's deviations are measured by, besides its own norm.
    fn floor(&self) -> f64 {
        let squares = self.gradients.iter().map(|(_, norm, _)| norm * norm);
        FLOOR * squares.sum::<f64>().sqrt()
    }
}

/// How far nudges of the images move the numbers, relative to them: the furthest gradient stands for
/// all, since every nudge takes other activations across a kink.
#[derive(Debug, Default)]
struct Moved {
    loss: f64,
    norm: f64,
    projection: f64,
}

impl Moved {
    fn see(&mut self, still: &Outcome, nudged: &Outcome) {
        let floor = still.floor();
        self.loss = self.loss.max((nudged.loss / still.loss - 1.0).abs());
        for ((_, norm, projection), (_, to_norm, to_projection)) in
            still.gradients.iter().zip(&nudged.gradients)
        {
            let scale = norm + floor;
            self.norm = self.norm.max((to_norm - norm).abs() / scale);
            let by = (to_projection - projection).abs() / scale;
            self.projection = self.projection.max(by);
        }
    }
}

fn against(
    ours: &Outcome,
    reference: &Reference,
    least: &Tolerances,
    moved: &Moved,
    mut worst: Worst,
) -> anyhow::Result<Worst> {
    let (expected, torch) = (&reference.train, &reference.torch_f32);
    worst.see(Measure {
        what: "loss".to_owned(),
        error: (ours.loss - expected.loss).abs() / expected.loss.abs(),
        allowed: least
            .loss
            .max(TIMES_TORCH * torch.loss)
            .max(TIMES_MOVED * moved.loss),
    });
    anyhow::ensure!(
        ours.gradients.len() == expected.grads.len(),
        "{} gradients instead of {}",
        ours.gradients.len(),
        expected.grads.len()
    );
    let squares = expected.grads.values().map(|g| g.norm * g.norm);
    let floor = FLOOR * squares.sum::<f64>().sqrt();
    let allowed = least.gradient.max(TIMES_TORCH * torch.grad_norm);
    for (name, norm, projection) in &ours.gradients {
        let expected = expected
            .grads
            .get(name)
            .with_context(|| format!("the reference has no gradient of {name}"))?;
        let scale = expected.norm + floor;
        worst.see(Measure {
            what: format!("gradient norm of {name}"),
            error: (norm - expected.norm).abs() / scale,
            allowed: allowed.max(TIMES_MOVED * moved.norm),
        });
        worst.see(Measure {
            what: format!("gradient projection of {name}"),
            error: (projection - expected.proj).abs() / scale,
            allowed: (PROJECTION * allowed).max(TIMES_MOVED * moved.projection),
        });
    }
    Ok(worst)
}
