//! The steps of an epoch.

use std::time::Instant;

use super::{Flow, Steered, Trainer, data_error, network_error};
use crate::data::Batch;
use crate::nn::{Images, Regularisation, StepOptions};
use crate::train::TrainError;
use crate::train::diagnose::culprit;
use crate::train::error::NotFinite;
use crate::train::meter::StepResult;

impl Trainer<'_> {
    /// The steps of the current epoch that are left.
    pub(super) fn steps(&mut self) -> Result<Flow, TrainError> {
        let batches = self.task.loaders.train.batches();
        while self.course.progress.batch < batches {
            let asked = Instant::now();
            let batch = self
                .task
                .loaders
                .train
                .next()
                .map_err(data_error("reading images to train on"))?;
            self.step(&batch, asked)?;
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

    /// One optimiser step; `asked` is when its images were asked for.
    fn step(&mut self, batch: &Batch, asked: Instant) -> Result<(), TrainError> {
        let waited = asked.elapsed();
        let step = self.course.progress.step + 1;
        let images = Images {
            pixels: &batch.pixels,
            batch: batch.batch,
        };
        let options = StepOptions {
            label_smoothing: self.task.label_smoothing as f32,
            regularisation: Regularisation::Seeded {
                seed: self.task.seed,
                step,
            },
        };
        let output = self
            .network
            .train_step(&images, &batch.labels, &options)
            .map_err(network_error("training the network"))?;
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
            images: batch.batch,
            grad_norm,
            took: asked.elapsed(),
            waited,
        });
        Ok(())
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
