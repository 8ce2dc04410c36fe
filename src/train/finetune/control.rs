//! What steering asks of a fine-tuning run.

use std::time::Instant;

use super::{Checkpoint, Command, Event, RunState, TrainError, Trainer, network_error};
use crate::train::steering::Steered;

impl Steered for Trainer<'_> {
    fn next_command(&mut self) -> Option<Command> {
        self.waiting.pop_front().or_else(|| self.reporter.command())
    }

    fn steps_done(&self) -> u64 {
        self.progress.step
    }

    fn tell(&mut self) {
        let lr = self.schedule.lr(self.progress.epoch);
        let event: Option<Event> = self.meter.take(self.progress.step, self.epoch_now(), lr);
        if let Some(event) = event {
            self.reporter.event(event);
        }
    }

    fn save(&mut self) -> Result<(), TrainError> {
        self.count_time();
        let fetching = "fetching parameters and optimiser for a checkpoint";
        let model = self.network.state().map_err(network_error(fetching))?;
        let optimiser = self
            .optimiser
            .state(&mut self.network)
            .map_err(network_error(fetching))?;
        self.checkpoints.write(&Checkpoint {
            model,
            optimiser,
            progress: self.progress.clone(),
        })?;
        self.saved = Instant::now();
        Ok(())
    }

    fn set_lr(&mut self, lr: f64) {
        self.schedule.set(self.progress.epoch, lr);
        self.progress.base_lr = self.schedule.base;
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
