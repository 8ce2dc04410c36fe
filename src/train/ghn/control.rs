//! What steering asks of a GHN's training.

use std::time::Instant;

use super::{Checkpoint, Event, RunState, TrainError, Trainer};
use crate::train::Command;
use crate::train::steering::Steered;

impl Steered for Trainer<'_> {
    fn next_command(&mut self) -> Option<Command> {
        self.reporter.command()
    }

    fn steps_done(&self) -> u64 {
        self.progress.step
    }

    fn tell(&mut self) {
        let (step, epoch, lr) = (self.progress.step, self.epoch_now(), self.lr());
        if let Some(event) = self.meter.take(step, epoch, lr) {
            self.reporter.event(event);
        }
        if let Some(phases) = self.phases.take(step, epoch, self.progress.skipped) {
            self.reporter.event(Event::Phases(phases));
        }
    }

    fn save(&mut self) -> Result<(), TrainError> {
        self.count_time();
        let [model, optimiser] = self.optimiser.state(&mut self.task.ghn);
        self.checkpoints.write(&Checkpoint {
            model,
            optimiser,
            progress: self.progress.clone(),
        })?;
        self.saved = Instant::now();
        Ok(())
    }

    fn set_lr(&mut self, lr: f64) {
        let (step, steps) = (self.progress.step, self.all_steps());
        self.progress.base_lr = lr / self.task.recipe.lr(1.0, step, steps);
    }

    fn forget_time(&mut self) {
        self.counted = Instant::now();
    }

    fn state(&mut self, state: RunState) {
        self.reporter.event(Event::State {
            state,
            reason: None,
        });
    }

    fn note(&mut self, text: String) {
        self.reporter.event(Event::Note { text });
    }
}
