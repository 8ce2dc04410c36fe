//! What steering asks of a fine-tuning run.

use super::{Command, Course, TrainError, Trainer, network_error};
use crate::train::steering::Steered;

impl<'a> Steered<'a> for Trainer<'a> {
    fn course(&mut self) -> &mut Course<'a> {
        &mut self.course
    }

    fn next_command(&mut self) -> Option<Command> {
        let waiting = self.waiting.pop_front();
        waiting.or_else(|| self.course.reporter.command())
    }

    fn tell(&mut self) {
        let lr = self.schedule.lr(self.course.progress.epoch);
        self.course.tell(lr);
    }

    fn save(&mut self) -> Result<(), TrainError> {
        let fetching = "fetching parameters and optimiser for a checkpoint";
        let model = self.network.state().map_err(network_error(fetching))?;
        let optimiser = self
            .optimiser
            .state(&mut self.network)
            .map_err(network_error(fetching))?;
        self.course.write(model, optimiser)
    }

    fn set_lr(&mut self, lr: f64) {
        self.schedule.set(self.course.progress.epoch, lr);
        self.course.progress.base_lr = self.schedule.base;
    }
}
