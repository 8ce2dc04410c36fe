//! How fast a network trains and runs here: whole steps on made-up images, timed one by one.

use std::sync::Arc;
use std::time::Instant;

use super::{Optimiser, OptimiserKind, OptimiserSettings, TrainError};
use crate::arch::Arch;
use crate::init;
use crate::nn::{Examples, Images, Mode, Network, Placement, StepOptions, StepTime};

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Forward, cross-entropy, backward, and a step of SGD with momentum; the next batch is handed over meanwhile, as in
    /// training.
    Train,
    /// Forward with running statistics.
    Evaluate,
}

/// How finely it is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    Whole,
    /// Every step of the network as well, which on a GPU slows the whole down.
    EveryStep,
}

/// A measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Speed {
    /// Seconds of every step, the warm-up left out.
    pub seconds: Vec<f64>,
    /// What every step of the network took: the shortest of all passes.
    pub steps: Vec<StepTime>,
    /// Bytes of the executor's buffers for activations and their gradients.
    pub buffer_bytes: usize,
}

/// A learning rate that changes little: the numbers stay finite however long it is measured.
const LR: f64 = 1e-4;
const SEED: u64 = 0;
/// Steps that are not timed: a GPU chooses its algorithms in the first and records the third.
const WARM_UP: usize = 3;

/// Times `steps` steps with batches of `batch` images, after a few that warm up buffers and caches.
///
/// # Errors
/// If the network cannot run with such batches.
pub fn speed(
    arch: &Arch,
    placement: Placement,
    work: Work,
    timing: Timing,
    batch: usize,
    steps: usize,
) -> Result<Speed, TrainError> {
    let failed = |source| TrainError::Network {
        doing: "timing the network",
        source,
    };
    let mut network = Network::on(arch, placement).map_err(failed)?;
    network
        .load(&init::random::state(arch, SEED))
        .map_err(failed)?;
    if timing == Timing::EveryStep {
        network.time_steps();
    }
    let settings = OptimiserSettings::of(OptimiserKind::Sgd, 0.0);
    let mut optimiser = match work {
        Work::Train => Some(Optimiser::new(&settings, &mut network).map_err(failed)?),
        Work::Evaluate => None,
    };
    // Neither constant nor random: the same on every machine, with a mean near zero.
    let pixels: Arc<[f32]> = (0..batch * arch.input().len())
        .map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0)
        .collect();
    let labels: Vec<u32> = (0..batch).map(|i| (i % arch.classes()) as u32).collect();
    let images = Images {
        pixels: &pixels,
        batch,
    };
    let examples = || Examples {
        pixels: Box::new(Arc::clone(&pixels)),
        labels: labels.clone(),
        batch,
    };
    if work == Work::Train {
        network.stage(examples()).map_err(failed)?;
    }
    let mut seconds = Vec::with_capacity(steps);
    let mut step_times: Vec<StepTime> = Vec::new();
    for step in 0..WARM_UP + steps {
        let begun = Instant::now();
        match &mut optimiser {
            Some(optimiser) => {
                network
                    .begin_step(&StepOptions::default())
                    .map_err(failed)?;
                network.stage(examples()).map_err(failed)?;
                network.end_step().map_err(failed)?;
                optimiser.step(&mut network, LR).map_err(failed)?;
            }
            None => {
                network.forward(&images, Mode::Eval).map_err(failed)?;
            }
        }
        if step >= WARM_UP {
            seconds.push(begun.elapsed().as_secs_f64());
            keep_shortest(&mut step_times, network.step_times());
        }
    }
    Ok(Speed {
        seconds,
        steps: step_times,
        buffer_bytes: network.buffer_bytes(),
    })
}

fn keep_shortest(shortest: &mut Vec<StepTime>, times: Vec<StepTime>) {
    if shortest.is_empty() {
        *shortest = times;
        return;
    }
    for (best, time) in shortest.iter_mut().zip(times) {
        best.forward = best.forward.min(time.forward);
        best.backward = best.backward.min(time.backward);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::zoo::{self, Options};

    #[test]
    fn every_step_is_timed() {
        let arch = zoo::build("resnet18", &Options::for_images(10, 32)).unwrap();
        for work in [Work::Train, Work::Evaluate] {
            let speed = speed(&arch, Placement::default(), work, Timing::EveryStep, 2, 3).unwrap();
            assert_eq!(speed.seconds.len(), 3);
            assert!(speed.seconds.iter().all(|s| *s > 0.0) && speed.buffer_bytes > 0);
            let macs: u64 = speed.steps.iter().map(|s| s.macs).sum();
            assert_eq!(macs, arch.macs());
            let all = |f: fn(&StepTime) -> f64| speed.steps.iter().map(f).sum::<f64>();
            assert!(all(|s| s.forward) > 0.0);
            assert_eq!(all(|s| s.backward) > 0.0, work == Work::Train);
        }
    }
}
