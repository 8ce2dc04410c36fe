//! The steps of an epoch.

use std::time::{Duration, Instant};

use super::{Flow, Steered, Trainer, data_error, network_error};
use crate::data::Batch;
use crate::nn::{Examples, Regularisation, StepOptions};
use crate::train::TrainError;
use crate::train::diagnose::culprit;
use crate::train::error::NotFinite;
use crate::train::meter::StepResult;

impl Trainer<'_> {
    /// The steps of the current epoch that are left.
    pub(super) fn steps(&mut self) -> Result<Flow, TrainError> {
        while self.batches_left() > 0 {
            self.step()?;
            self.tell_if_due();
            if self.obey()? == Flow::Stop {
                return Ok(Flow::Stop);
            }
            if self.course.is_checkpoint_due() {
                self.save()?;
            }
        }
        self.tell();
        Ok(Flow::On)
    }

    /// Batches of this epoch that were not trained on yet.
    pub(super) fn batches_left(&self) -> usize {
        let batches = self.task.loaders.train.batches();
        batches.saturating_sub(self.course.progress.batch)
    }

    /// One optimiser step. The next batch goes to the device while it runs.
    pub(super) fn step(&mut self) -> Result<(), TrainError> {
        let asked = Instant::now();
        let (images, waited) = match self.staged.take() {
            Some(images) => (images, Duration::ZERO),
            None => {
                let batch = self.next_batch()?;
                let waited = asked.elapsed();
                (self.stage(batch)?, waited)
            }
        };
        let step = self.course.progress.step + 1;
        let options = StepOptions {
            label_smoothing: self.task.label_smoothing as f32,
            regularisation: Regularisation::Seeded {
                seed: self.task.seed,
                step,
            },
        };
        let training = || network_error("training the network");
        self.network.begin_step(&options).map_err(training())?;
        // A batch that is not there yet is waited for when the step is done: what is lost then is the loader's fault. None
        // is staged across an evaluation.
        if self.batches_left() > 1 && self.task.loaders.train.is_ready() {
            let batch = self.next_batch()?;
            self.staged = Some(self.stage(batch)?);
        }
        let output = self.network.end_step().map_err(training())?;
        let grad_norm = self
            .network
            .clip_gradients(self.task.clip.unwrap_or(f64::INFINITY))
            .map_err(network_error("measuring the gradient"))?;
        if !(output.loss.is_finite() && grad_norm.is_finite()) {
            return Err(self.give_up(step, output.loss, grad_norm));
        }
        let lr = self.schedule.lr(self.course.progress.epoch);
        self.optimiser
            .step(&mut self.network, lr)
            .map_err(network_error("changing the parameters"))?;
        self.course.progress.step = step;
        self.course.progress.batch += 1;
        self.course.count(&StepResult {
            loss: output.loss,
            correct: output.correct,
            images,
            grad_norm,
            took: asked.elapsed(),
            waited,
        });
        Ok(())
    }

    pub(super) fn next_batch(&mut self) -> Result<Batch, TrainError> {
        let next = self.task.loaders.train.next();
        next.map_err(data_error("reading images to train on"))
    }

    /// Hands a batch to the network; gives the number of its images.
    pub(super) fn stage(&mut self, batch: Batch) -> Result<usize, TrainError> {
        let images = batch.batch;
        let examples = Examples {
            pixels: Box::new(batch.pixels),
            labels: batch.labels,
            batch: images,
        };
        self.network
            .stage(examples)
            .map_err(network_error("handing images to the network"))?;
        Ok(images)
    }

    /// Says where the numbers broke. Nothing is written over: the checkpoints are from before.
    fn give_up(&mut self, step: u64, loss: f64, grad_norm: f64) -> TrainError {
        let culprit = match culprit(&mut self.network) {
            Ok(culprit) => culprit,
            Err(error) => return network_error("looking for what broke")(error),
        };
        let broken = NotFinite {
            step,
            epoch: self.course.progress.epoch + 1,
            loss,
            grad_norm,
            culprit,
        };
        self.tell();
        self.course.note(broken.to_string());
        TrainError::NotFinite(broken)
    }

    fn tell_if_due(&mut self) {
        if self.course.is_due() {
            self.tell();
        }
        self.course.tell_of_process();
    }
}
