//! One optimiser step of a GHN.

use std::time::Instant;

use super::{FEW_NETWORKS, MOST_SKIPPED, Net, Trainer, reading};
use crate::data::Batch;
use crate::init::random::complete;
use crate::nn::{Images, Network, NnError, Regularisation, StateDict, StepOptions, StepOutput};
use crate::train::meter::StepResult;
use crate::train::{StepPhases, TrainError};

/// Sums over the steps since the last event.
#[derive(Clone, Copy, Debug, Default)]
pub struct Phases {
    steps: u64,
    seconds: StepPhases,
}

impl Phases {
    /// The event over everything since the last one, which begins anew; none if there was no step.
    pub fn take(&mut self, step: u64, epoch: f64, skipped: u64) -> Option<StepPhases> {
        let Self { steps, seconds } = std::mem::take(self);
        let mean = |seconds: f64| seconds / steps as f64;
        (steps > 0).then(|| StepPhases {
            step,
            epoch,
            graph: mean(seconds.graph),
            predict: mean(seconds.predict),
            forward: mean(seconds.forward),
            backward: mean(seconds.backward),
            update: mean(seconds.update),
            skipped,
        })
    }
}

/// Adds the time since the last lap to one phase after another.
struct Laps(Instant);

impl Laps {
    fn add(&mut self, phase: &mut f64) {
        *phase += self.0.elapsed().as_secs_f64();
        self.0 = Instant::now();
    }
}

/// What a step's networks gave together.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    loss: f64,
    correct: usize,
    networks: usize,
}

impl Trainer<'_> {
    /// One optimiser step.
    pub(super) fn step(&mut self) -> Result<(), TrainError> {
        let begun = Instant::now();
        let batch = self.loader.next().map_err(reading)?;
        let waited = begun.elapsed();
        let mut laps = Laps(Instant::now());
        let stage = self.stage();
        let count = self.task.recipe.meta_batch;
        let nets = self
            .sampler
            .meta_batch(self.course.progress.step, count, &stage);
        laps.add(&mut self.phases.seconds.graph);
        self.gradient.clear();
        let mut sums = Sums::default();
        for net in &nets {
            self.learn_from(net, &batch, &mut laps, &mut sums)?;
        }
        let grad_norm = self.update(sums.networks);
        laps.add(&mut self.phases.seconds.update);
        self.phases.steps += 1;
        self.count(&StepResult {
            // Not a number where every network was left out.
            loss: sums.loss / sums.networks as f64,
            correct: sums.correct / sums.networks.max(1),
            images: batch.batch,
            grad_norm,
            took: begun.elapsed(),
            waited,
        });
        self.give_up_if_diverged()
    }

    /// One network's part of the gradient. One whose numbers leave the range of floats is left out.
    fn learn_from(
        &mut self,
        net: &Net,
        batch: &Batch,
        laps: &mut Laps,
        sums: &mut Sums,
    ) -> Result<(), TrainError> {
        let (ghn, seed) = (&self.task.ghn, self.task.seed);
        let predicted = ghn.predict_noting(&net.graph, &net.parameters, seed);
        let (tensors, notes) = predicted.map_err(TrainError::Ghn)?;
        let pull = (self.task.recipe.penalty > 0.0).then(|| tensors.clone());
        let mut network = Network::on(&net.arch, self.task.placement).map_err(training)?;
        network
            .load(&complete(&net.arch, tensors, seed))
            .map_err(training)?;
        laps.add(&mut self.phases.seconds.predict);
        let (output, mut by_parameters) = self.run(&mut network, batch).map_err(training)?;
        // The rest of the lap is the way back. A device does not time its steps: there it is all of it.
        let forward: f64 = network.step_times().iter().map(|t| t.forward).sum();
        self.phases.seconds.forward += forward;
        self.phases.seconds.backward -= forward;
        let is_finite = |state: &StateDict| {
            let mut tensors = state.iter();
            tensors.all(|(_, t)| length(t.floats().unwrap_or_default()).is_finite())
        };
        if !output.loss.is_finite() || !is_finite(&by_parameters) {
            self.course.progress.skipped += 1;
            laps.add(&mut self.phases.seconds.backward);
            return Ok(());
        }
        if let Some(tensors) = pull {
            shrink(&mut by_parameters, &tensors, self.task.recipe.penalty);
        }
        let ghn = &self.task.ghn;
        ghn.backward(&notes, &by_parameters, &mut self.gradient);
        sums.loss += output.loss;
        sums.correct += output.correct;
        sums.networks += 1;
        laps.add(&mut self.phases.seconds.backward);
        Ok(())
    }

    /// A network's loss on the images, and its derivatives by the parameters.
    fn run(
        &self,
        network: &mut Network,
        batch: &Batch,
    ) -> Result<(StepOutput, StateDict), NnError> {
        let images = Images {
            pixels: &batch.pixels,
            batch: batch.batch,
        };
        let options = StepOptions {
            label_smoothing: self.task.recipe.label_smoothing as f32,
            regularisation: Regularisation::Seeded {
                seed: self.task.seed,
                step: self.course.progress.step,
            },
        };
        let output = network.train_step(&images, &batch.labels, &options)?;
        Ok((output, network.gradients()?))
    }

    /// Changes the weights by the mean gradient of so many networks; gives its norm.
    fn update(&mut self, networks: usize) -> f64 {
        let mut weights = self.gradient.weights_mut();
        let square: f64 = weights.iter().map(|w| length(w).powi(2)).sum();
        let norm = square.sqrt() / networks.max(1) as f64;
        if networks == 0 || !norm.is_finite() {
            return norm;
        }
        let shrunk = (self.task.recipe.clip / (norm + 1e-6)).min(1.0);
        let factor = (shrunk / networks as f64) as f32;
        for weight in &mut weights {
            weight.iter_mut().for_each(|g| *g *= factor);
        }
        let lr = self.lr();
        self.optimiser
            .step(&mut self.task.ghn, &mut self.gradient, lr);
        norm
    }

    fn count(&mut self, result: &StepResult) {
        self.course.progress.step += 1;
        self.course.progress.batch += 1;
        if !result.loss.is_finite() {
            return;
        }
        self.course.count(result);
    }

    /// Some networks may leave the range of floats; when many do, the GHN is lost.
    fn give_up_if_diverged(&mut self) -> Result<(), TrainError> {
        let networks = self.course.progress.step * self.task.recipe.meta_batch as u64;
        let skipped = self.course.progress.skipped;
        if networks < FEW_NETWORKS || skipped as f64 <= MOST_SKIPPED * networks as f64 {
            return Ok(());
        }
        Err(TrainError::Diverged {
            step: self.course.progress.step,
            skipped,
            networks,
        })
    }
}

/// Euclidean length.
fn length(values: &[f32]) -> f64 {
    let square: f64 = values.iter().map(|v| f64::from(*v).powi(2)).sum();
    square.sqrt()
}

/// Keeps the direction of a tensor of zeros finite.
const SHORTEST: f64 = 1e-12;

/// Adds the derivatives of the penalty, `weight` times the sum of the parameters' lengths.
fn shrink(by_parameters: &mut StateDict, parameters: &StateDict, weight: f64) {
    for (name, tensor) in parameters.iter() {
        let values = tensor.floats().unwrap_or_default();
        let by = by_parameters.get_mut(name).and_then(|t| t.floats_mut());
        let factor = (weight / length(values).max(SHORTEST)) as f32;
        for (by, value) in by.into_iter().flatten().zip(values) {
            *by += factor * value;
        }
    }
}

fn training(source: NnError) -> TrainError {
    TrainError::Network {
        doing: "training a predicted network",
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Tensor;

    #[test]
    fn the_penalty_pulls_along_each_tensor_whatever_its_length() {
        let parameters: StateDict = [("a", [3.0, 4.0]), ("b", [0.0, 0.0])]
            .map(|(name, values)| (name.to_owned(), Tensor::new(vec![2], values.to_vec())))
            .into_iter()
            .collect();
        let mut by = parameters.clone();
        shrink(&mut by, &parameters, 10.0);
        assert_eq!(by.get("a").unwrap().floats().unwrap(), [9.0, 12.0]);
        assert_eq!(by.get("b").unwrap().floats().unwrap(), [0.0, 0.0]);
    }
}
