//! `hyperscope check ops`: every op of the chosen device against a plain one in 64 bits.
//!
//! An op stands in a small network between a convolution and a linear layer. The network's logits are
//! compared with those of plain loops in f64, in inference and in training, and so is the gradient of
//! every parameter: along a random direction with the slope of the plain loss, found by differences. The
//! gradient of the convolution before the op has passed through the op. Nothing here is shared with the
//! executor but the architecture.

mod networks;
mod plain;

use super::Case;
use super::fill;
use super::measure::{Measure, Worst};
use crate::arch::Arch;
use crate::nn::{Images, Mode, Network, Placement, Precision, StateDict, StepOptions, Tensor};
use crate::train::{Optimiser, OptimiserKind, OptimiserSettings};
use networks::Small;
use plain::{Plain, Statistics};

/// Images of a batch: neither even nor a power of two.
const BATCH: usize = 3;
/// Rounding in f64 spoils a slope below this step, curvature above.
const STEP: f64 = 1e-5;
const SMOOTHING: f32 = 0.1;
/// Gradients whose length is less than this share of the longest are little but rounding.
const SHORT: f64 = 1e-2;

/// Relative errors that are allowed.
struct Allowed {
    logits: f64,
    gradient: f64,
}

impl Allowed {
    const fn of(precision: Precision) -> Self {
        match precision {
            // Sums of a few hundred terms in 32 bits.
            Precision::F32 => Self {
                logits: 2e-5,
                gradient: 2e-4,
            },
            // Every activation is rounded by up to 1/512, half a dozen times each way; clamps may switch.
            Precision::Bf16 => Self {
                logits: 0.03,
                gradient: 0.1,
            },
        }
    }
}

/// A case for every op and every optimiser.
pub fn cases(placement: Placement) -> Vec<Case> {
    let mut cases = Vec::new();
    for small in networks::all() {
        let case = compare(&small.arch, placement).map_or_else(
            |e| Case::failed(&small.name, &e),
            |worst| worst.into_case(&small.name),
        );
        cases.push(noted(case, &small));
    }
    for kind in OptimiserKind::ALL {
        let small = networks::plain();
        let name = format!("{kind}, clipped");
        let case = optimiser(&small.arch, kind, placement)
            .map_or_else(|e| Case::failed(&name, &e), |worst| worst.into_case(&name));
        cases.push(noted(case, &small));
    }
    cases
}

/// The shapes before whatever else there is to say.
fn noted(case: Case, small: &Small) -> Case {
    Case {
        note: format!("{:<22} {}", small.shapes, case.note),
        ..case
    }
}

/// A network on the device with its parameters, and a batch.
struct Trial {
    network: Network,
    state: StateDict,
    pixels: Vec<f32>,
    labels: Vec<u32>,
}

impl Trial {
    fn new(arch: &Arch, placement: Placement) -> anyhow::Result<Self> {
        let mut network = Network::on(arch, placement)?;
        let state = fill::state(arch);
        network.load(&state)?;
        let pixels = fill::unit("pixels", BATCH * arch.input().len());
        Ok(Self {
            network,
            state,
            pixels: pixels.map(|v| v as f32).collect(),
            labels: (0..BATCH)
                .map(|i| (i * 2 % arch.classes()) as u32)
                .collect(),
        })
    }

    fn images(&self) -> Images<'_> {
        Images {
            pixels: &self.pixels,
            batch: BATCH,
        }
    }

    fn plain<'a>(&'a self, arch: &'a Arch) -> Plain<'a> {
        Plain {
            arch,
            pixels: &self.pixels,
            batch: BATCH,
        }
    }
}

const OPTIONS: StepOptions = StepOptions {
    label_smoothing: SMOOTHING,
    regularisation: crate::nn::Regularisation::Off,
};

fn compare(arch: &Arch, placement: Placement) -> anyhow::Result<Worst> {
    let allowed = Allowed::of(placement.precision);
    let mut trial = Trial::new(arch, placement)?;
    let mut worst = Worst::default();
    let images = Images {
        pixels: &trial.pixels.clone(),
        batch: BATCH,
    };
    for (mode, statistics) in [
        (Mode::Eval, Statistics::Running),
        (Mode::BatchStatistics, Statistics::Batch),
    ] {
        let got = trial.network.forward(&images, mode)?.to_vec();
        let expected = trial.plain(arch).logits(&trial.state, statistics);
        worst.see(Measure {
            what: format!("logits, statistics of the {}", statistics.word()),
            error: logits_error(&got, &expected),
            allowed: allowed.logits,
        });
    }
    let labels = trial.labels.clone();
    let step = trial.network.train_step(&images, &labels, &OPTIONS)?;
    let expected = trial.plain(arch).loss(&trial.state, &labels, SMOOTHING);
    worst.see(Measure {
        what: "loss".to_owned(),
        error: (step.loss - expected).abs() / expected.abs(),
        allowed: allowed.logits,
    });
    let gradients = trial.network.gradients()?;
    slopes(&trial, arch, &gradients, &allowed, &mut worst);
    Ok(worst)
}

fn logits_error(got: &[f32], expected: &[f64]) -> f64 {
    let largest = expected.iter().fold(0f64, |a, b| a.max(b.abs()));
    let pairs = got.iter().zip(expected);
    pairs.fold(0.0, |worst, (g, e)| {
        fill::larger(worst, (f64::from(*g) - e).abs() / largest)
    })
}

fn length(values: &[f32]) -> f64 {
    let squares = values.iter().map(|v| f64::from(*v).powi(2));
    squares.sum::<f64>().sqrt()
}

/// Every gradient along a random direction, against the slope of the plain loss.
fn slopes(trial: &Trial, arch: &Arch, gradients: &StateDict, allowed: &Allowed, worst: &mut Worst) {
    let floats = |t: &Tensor| t.floats().unwrap_or_default().to_vec();
    let lengths = gradients.iter().map(|(_, g)| length(&floats(g)));
    let longest = lengths.fold(0.0, f64::max);
    let plain = trial.plain(arch);
    for (name, gradient) in gradients.iter() {
        let gradient = floats(gradient);
        let direction: Vec<f64> = fill::unit(&format!("{name} way"), gradient.len()).collect();
        let along = |step: f64| {
            plain.loss_moved(
                &trial.state,
                &trial.labels,
                SMOOTHING,
                name,
                &direction,
                step,
            )
        };
        let slope = (along(STEP) - along(-STEP)) / (2.0 * STEP);
        let pairs = gradient.iter().zip(&direction);
        let computed: f64 = pairs.map(|(g, d)| f64::from(*g) * d).sum();
        // A random direction has a root mean square of a third's root.
        let scale = length(&gradient).max(SHORT * longest) / 3f64.sqrt();
        worst.see(Measure {
            what: format!("gradient of {name}"),
            error: (slope - computed).abs() / scale,
            allowed: allowed.gradient,
        });
    }
}

/// Two steps with clipping, from the gradients that the device itself finds, against the rules in f64.
fn optimiser(arch: &Arch, kind: OptimiserKind, placement: Placement) -> anyhow::Result<Worst> {
    const LR: f64 = 0.05;
    const DECAY: f64 = 0.1;
    const MAX_NORM: f64 = 0.5;
    let mut trial = Trial::new(arch, placement)?;
    let settings = OptimiserSettings::of(kind, DECAY);
    let mut optimiser = Optimiser::new(&settings, &mut trial.network)?;
    let mut rule = plain::Rule::new(kind, &trial.state);
    let mut worst = Worst::default();
    for step in 1..=2 {
        let (images, labels) = (trial.pixels.clone(), trial.labels.clone());
        let images = Images {
            pixels: &images,
            ..trial.images()
        };
        trial.network.train_step(&images, &labels, &OPTIONS)?;
        let gradients = trial.network.gradients()?;
        let norm = trial.network.clip_gradients(MAX_NORM)?;
        let squares = gradients.iter().filter_map(|(_, t)| t.floats());
        let expected = squares.map(|g| length(g).powi(2)).sum::<f64>().sqrt();
        worst.see(Measure {
            what: format!("norm of step {step}"),
            error: (norm - expected).abs() / expected,
            allowed: 1e-6,
        });
        optimiser.step(&mut trial.network, LR)?;
        let clip = (MAX_NORM / (expected + 1e-6)).min(1.0);
        rule.step(&gradients, clip, LR, DECAY);
        let after = trial.network.state()?;
        for (name, expected) in rule.values() {
            let got = after.get(name).and_then(Tensor::floats).unwrap_or_default();
            worst.see(Measure {
                what: format!("{name} after step {step}"),
                error: logits_error(got, expected),
                allowed: 1e-5,
            });
        }
    }
    Ok(worst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_op_of_the_processor_agrees_with_its_plain_form() {
        for case in cases(Placement::default()) {
            assert!(case.ok, "{}: {}", case.name, case.note);
        }
    }
}
