//! What every run has on its way, whatever it trains: where it stands, whom it tells, where its checkpoints lie.

use std::time::{Duration, Instant};

use super::checkpoint::{Checkpoint, Checkpoints};
use super::meter::{Meter, StepResult};
use super::process::Monitor;
use super::{End, Event, Metrics, Outcome, Progress, Reporter, RunState, TrainError};
use crate::nn::StateDict;

/// A checkpoint in the middle of a long epoch after this time.
const CHECKPOINT_S: u64 = 60;

/// A run's way.
pub struct Course<'a> {
    pub reporter: &'a mut dyn Reporter,
    pub progress: Progress,
    pub checkpoints: Checkpoints,
    /// Of an epoch.
    batches: usize,
    meter: Meter,
    monitor: Monitor,
    /// Until when [`Progress::seconds`] is counted.
    counted: Instant,
    /// When the last checkpoint was written.
    saved: Instant,
}

impl<'a> Course<'a> {
    pub fn new(
        reporter: &'a mut dyn Reporter,
        checkpoints: Checkpoints,
        progress: Progress,
        batches: usize,
    ) -> Self {
        Self {
            reporter,
            progress,
            checkpoints,
            batches,
            meter: Meter::new(),
            monitor: Monitor::new(),
            counted: Instant::now(),
            saved: Instant::now(),
        }
    }

    pub fn state(&mut self, state: RunState) {
        self.reporter.event(Event::State {
            state,
            reason: None,
        });
    }

    pub fn note(&mut self, text: String) {
        self.reporter.event(Event::Note { text });
    }

    /// Epochs done, as a fraction.
    pub fn epoch_now(&self) -> f64 {
        let batches = self.batches.max(1);
        f64::from(self.progress.epoch) + self.progress.batch as f64 / batches as f64
    }

    /// Counts what a step gave.
    pub fn count(&mut self, result: &StepResult) {
        self.meter.add(result);
        let sums = &mut self.progress.sums;
        sums.loss += result.loss * result.images as f64;
        sums.correct += result.correct as u64;
        sums.images += result.images as u64;
        sums.seconds += result.took.as_secs_f64();
    }

    /// Whether it is time for a train event.
    pub fn is_due(&self) -> bool {
        self.meter.is_due()
    }

    /// The train event over the steps since the last one.
    pub fn tell(&mut self, lr: f64) {
        let epoch = self.epoch_now();
        if let Some(event) = self.meter.take(self.progress.step, epoch, lr) {
            self.reporter.event(event);
        }
    }

    /// What the process uses, now and then.
    pub fn tell_of_process(&mut self) {
        let epoch = self.epoch_now();
        if let Some(event) = self.monitor.poll(self.progress.step, epoch) {
            self.reporter.event(event);
        }
    }

    /// The training images of the epoch so far, as they were trained on.
    pub fn trained(&self) -> Metrics {
        let sums = &self.progress.sums;
        let images = sums.images.max(1) as f64;
        Metrics {
            loss: sums.loss / images,
            top1: 100.0 * sums.correct as f64 / images,
            top5: None,
            images: sums.images,
            seconds: sums.seconds,
        }
    }

    /// Replaces the last checkpoint.
    pub fn write(&mut self, model: StateDict, optimiser: StateDict) -> Result<(), TrainError> {
        self.count_time();
        self.checkpoints.write(&Checkpoint {
            model,
            optimiser,
            progress: self.progress.clone(),
        })?;
        self.saved = Instant::now();
        Ok(())
    }

    /// Whether so much was done since the last checkpoint that it would be a pity to lose it.
    pub fn is_checkpoint_due(&self) -> bool {
        self.saved.elapsed() >= Duration::from_secs(CHECKPOINT_S)
    }

    /// Adds the time since the last call to the run's time.
    pub fn count_time(&mut self) {
        self.progress.seconds += self.counted.elapsed().as_secs_f64();
        self.forget_time();
    }

    /// The time since the last call was a pause, which does not count.
    pub fn forget_time(&mut self) {
        self.counted = Instant::now();
    }

    /// Says how it ended, and what it led to.
    pub fn end(mut self, end: End) -> Outcome {
        self.state(match end {
            End::Finished => RunState::Finished,
            End::Stopped => RunState::Stopped,
        });
        self.count_time();
        Outcome {
            end,
            epochs: self.progress.epoch,
            step: self.progress.step,
            last: self.progress.last,
            best: self.progress.best,
            seconds: self.progress.seconds,
        }
    }
}
