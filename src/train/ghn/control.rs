//! What steering asks of a GHN's training.

use super::{Course, Event, TrainError, Trainer};
use crate::train::steering::Steered;

impl<'a> Steered<'a> for Trainer<'a> {
    fn course(&mut self) -> &mut Course<'a> {
        &mut self.course
    }

    fn tell(&mut self) {
        let lr = self.lr();
        self.course.tell(lr);
        let epoch = self.course.epoch_now();
        let progress = &self.course.progress;
        if let Some(phases) = self.phases.take(progress.step, epoch, progress.skipped) {
            self.course.reporter.event(Event::Phases(phases));
        }
    }

    fn save(&mut self) -> Result<(), TrainError> {
        let [model, optimiser] = self.optimiser.state(&mut self.task.ghn);
        self.course.write(model, optimiser)
    }

    fn set_lr(&mut self, lr: f64) {
        let (step, steps) = (self.course.progress.step, self.all_steps());
        self.course.progress.base_lr = lr / self.task.recipe.lr(1.0, step, steps);
    }
}
