//! The end of an epoch: evaluation, the best checkpoint, the summary.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use super::{Flow, Steered, Trainer, network_error};
use crate::nn::Mode;
use crate::train::diagnose::culprit_in_state;
use crate::train::evaluate::evaluate_with;
use crate::train::progress::EpochSums;
use crate::train::{
    Best, Command, EpochSummary, Event, Metrics, Reporter, Split, TestTime, TrainError,
};

impl Trainer<'_> {
    /// Evaluates if it is time, writes the checkpoints, tells of the epoch.
    pub(super) fn finish_epoch(&mut self) -> Result<Flow, TrainError> {
        let mut summary = self.begin_summary();
        if self.evaluates_now() {
            if self.task.loaders.val.is_some() {
                summary.val = self.evaluate(Split::Val)?;
                if summary.val.is_none() {
                    return Ok(Flow::Stop);
                }
            }
            if self.task.evaluation.test == TestTime::Always {
                summary.test = self.evaluate(Split::Test)?;
                if summary.test.is_none() {
                    return Ok(Flow::Stop);
                }
            }
        }
        let best = self.note_best(&summary);
        self.course.progress.epoch += 1;
        self.course.progress.batch = 0;
        self.course.progress.sums = EpochSums::default();
        self.save()?;
        if best {
            self.course.checkpoints.promote()?;
        }
        summary.seconds = self.course.progress.seconds;
        self.course.reporter.epoch(&summary);
        Ok(Flow::On)
    }

    /// The pass over the test images after the last epoch, unless they were just used.
    pub(super) fn final_test(&mut self) -> Result<Flow, TrainError> {
        if self.task.evaluation.test == TestTime::Always {
            return Ok(Flow::On);
        }
        Ok(match self.evaluate(Split::Test)? {
            Some(_) => Flow::On,
            None => Flow::Stop,
        })
    }

    fn begin_summary(&mut self) -> EpochSummary {
        let train = self.course.trained();
        self.course.progress.last.train = Some(train);
        EpochSummary {
            epoch: self.course.progress.epoch + 1,
            step: self.course.progress.step,
            lr: self.schedule.lr(self.course.progress.epoch),
            train_loss: train.loss,
            train_top1: train.top1,
            images_per_s: train.images.max(1) as f64 / train.seconds.max(1e-9),
            ..EpochSummary::default()
        }
    }

    fn evaluates_now(&self) -> bool {
        let epoch = self.course.progress.epoch + 1;
        epoch == self.task.epochs || epoch.is_multiple_of(self.task.evaluation.every.max(1))
    }

    /// One pass over a split; again from its beginning after a pause. `None` means stop.
    fn evaluate(&mut self, split: Split) -> Result<Option<Metrics>, TrainError> {
        loop {
            if let Some(metrics) = self.try_evaluate(split)? {
                self.report(split, metrics)?;
                return Ok(Some(metrics));
            }
            if self.obey()? == Flow::Stop {
                return Ok(None);
            }
        }
    }

    /// One pass over a split; `None` if a command wants to be obeyed first.
    fn try_evaluate(&mut self, split: Split) -> Result<Option<Metrics>, TrainError> {
        let loaders = &mut self.task.loaders;
        let loader = match (split, &mut loaders.val) {
            (Split::Val, Some(val)) => val,
            _ => &mut loaders.test,
        };
        let (reporter, waiting) = (&mut *self.course.reporter, &mut self.waiting);
        let urgent = |_| urgent_command(reporter, waiting);
        evaluate_with(&mut self.network, loader, Mode::Eval, urgent)
    }

    /// Says what the first parameters are worth, if the run has just begun and wants to know.
    pub(super) fn look_at_start(&mut self) -> Result<Flow, TrainError> {
        let before = self.task.loaders.before.take();
        let Some(mut before) = before.filter(|_| self.course.progress.step == 0) else {
            return Ok(Flow::On);
        };
        loop {
            let (reporter, waiting) = (&mut *self.course.reporter, &mut self.waiting);
            let urgent = |_| urgent_command(reporter, waiting);
            let (network, images) = (&mut self.network, &mut before.images);
            if let Some(found) = evaluate_with(network, images, Mode::BatchStatistics, urgent)? {
                self.course.reporter.event(Event::Before {
                    split: before.split,
                    loss: found.loss,
                    top1: found.top1,
                    images: found.images,
                    seconds: found.seconds,
                });
                return Ok(Flow::On);
            }
            if self.obey()? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
    }

    fn report(&mut self, split: Split, metrics: Metrics) -> Result<(), TrainError> {
        if !metrics.loss.is_finite() {
            let state = self
                .network
                .state()
                .map_err(network_error("looking for what broke"))?;
            let error = TrainError::EvaluationNotFinite {
                split,
                epoch: self.course.progress.epoch + 1,
                loss: metrics.loss,
                culprit: culprit_in_state(&state),
            };
            self.course.note(error.to_string());
            return Err(error);
        }
        let slot = match split {
            Split::Val => &mut self.course.progress.last.val,
            Split::Test | Split::Train => &mut self.course.progress.last.test,
        };
        *slot = Some(metrics);
        let event: Event = metrics.event(self.course.progress.step, self.course.epoch_now(), split);
        self.course.reporter.event(event);
        Ok(())
    }

    /// Whether this epoch is the best so far: by the validation images, else by the test images,
    /// else by the training images. Of equal epochs the first counts.
    fn note_best(&mut self, summary: &EpochSummary) -> bool {
        let (split, top1) = match (&self.task.loaders.val, summary.val, summary.test) {
            (_, Some(val), _) => (Split::Val, val.top1),
            (None, None, Some(test)) => (Split::Test, test.top1),
            // An epoch between two evaluations cannot be compared with one that was evaluated.
            _ => return false,
        };
        if self
            .course
            .progress
            .best
            .is_some_and(|best| best.top1 >= top1)
        {
            return false;
        }
        self.course.progress.best = Some(Best {
            epoch: summary.epoch,
            top1,
            split,
        });
        true
    }
}

/// Fetches a command, and breaks off if one waits that should not wait for the end of a pass.
fn urgent_command(reporter: &mut dyn Reporter, waiting: &mut VecDeque<Command>) -> ControlFlow<()> {
    waiting.extend(reporter.command());
    let is_urgent = |c: &Command| matches!(c, Command::Stop | Command::Pause);
    if waiting.iter().any(is_urgent) {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}
