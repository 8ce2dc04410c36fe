//! The fine-tuning loop: epochs of steps, evaluation after each, commands between steps.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `step` | one optimiser step, and what it is worth |
//! | `epoch` | the end of an epoch: evaluation, best, summary |
//! | `control` | what steering asks of it |

mod control;
mod epoch;
mod step;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use super::checkpoint::{Checkpoint, Checkpoints, Kind};
use super::course::Course;
use super::optim::Optimiser;
use super::steering::{Flow, Steered};
use super::{Command, Cosine, Event, Outcome, Progress, Reporter, RunState, Task, TrainError};
use crate::nn::Network;

/// Trains until the last epoch is done or somebody says stop. Goes on from the last checkpoint if
/// there is one; on the CPU, the numbers are then those of a run that was never interrupted.
///
/// The reporter hears the states Running, Paused, Stopped and Finished from here. After an error the
/// caller says Failed, with the error as its reason.
///
/// # Errors
/// [`TrainError::NotFinite`] if a loss or gradient is not a number any more, and everything that can
/// go wrong with images, network and disk. Checkpoints written before stay as they are.
pub fn finetune(task: Task, reporter: &mut dyn Reporter) -> Result<Outcome, TrainError> {
    let mut trainer = Trainer::begin(task, reporter)?;
    trainer.course.state(RunState::Running);
    let flow = trainer.all_epochs()?;
    Ok(trainer.course.end(flow.end()))
}

/// A run at work.
struct Trainer<'a> {
    task: Task,
    course: Course<'a>,
    network: Network,
    optimiser: Optimiser,
    schedule: Cosine,
    /// Images of the batch that was staged ahead. The place in the run does not count it: a resumed run takes it again.
    staged: Option<usize>,
    /// Commands that arrived during an evaluation.
    waiting: VecDeque<Command>,
}

impl<'a> Trainer<'a> {
    fn begin(mut task: Task, reporter: &'a mut dyn Reporter) -> Result<Self, TrainError> {
        if task.epochs == 0 {
            let reason = "a run of 0 epochs trains nothing; give at least 1 (--epochs)";
            return Err(TrainError::BadTask(reason.to_owned()));
        }
        let checkpoints = Checkpoints::open(&task.checkpoints)?;
        let mut network = Network::on(&task.arch, task.placement)
            .map_err(network_error("building the network"))?;
        let mut optimiser = Optimiser::new(&task.optimiser, &mut network)
            .map_err(network_error("building the optimiser"))?;
        let progress = match checkpoints.read(Kind::Last)? {
            Some(checkpoint) => {
                let (progress, text) = resume(checkpoint, &mut network, &mut optimiser)?;
                reporter.event(Event::Note { text });
                progress
            }
            None => {
                let start = task.start.as_ref().ok_or_else(|| {
                    let reason = "there is neither a checkpoint nor a first state to begin with";
                    TrainError::BadTask(reason.to_owned())
                })?;
                network
                    .load(start)
                    .map_err(network_error("loading the first parameters"))?;
                Progress::new(task.lr)
            }
        };
        task.loaders
            .train
            .seek(u64::from(progress.epoch), progress.batch)
            .map_err(data_error("reading images to train on"))?;
        Ok(Self {
            network,
            optimiser,
            schedule: Cosine {
                base: progress.base_lr,
                epochs: task.epochs,
            },
            course: Course::new(
                reporter,
                checkpoints,
                progress,
                task.loaders.train.batches(),
            ),
            task,
            staged: None,
            waiting: VecDeque::new(),
        })
    }

    fn all_epochs(&mut self) -> Result<Flow, TrainError> {
        // A command that came while the run was starting must not wait for the first step.
        if self.obey()? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        if self.look_at_start()? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        while self.course.progress.epoch < self.task.epochs {
            if self.steps()? == Flow::Stop || self.finish_epoch()? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        self.final_test()
    }
}

/// Puts a checkpoint's tensors in place; gives the place in the run, and a note about it.
fn resume(
    checkpoint: Checkpoint,
    network: &mut Network,
    optimiser: &mut Optimiser,
) -> Result<(Progress, String), TrainError> {
    let Checkpoint {
        model,
        optimiser: moments,
        progress,
    } = checkpoint;
    network
        .load(&model)
        .map_err(network_error("loading the parameters from the checkpoint"))?;
    optimiser.load(&moments, network).map_err(network_error(
        "loading the optimiser's state from the checkpoint",
    ))?;
    let text = format!(
        "resumed after step {}, {} epochs and {} batches",
        progress.step, progress.epoch, progress.batch
    );
    Ok((progress, text))
}

fn network_error(doing: &'static str) -> impl FnOnce(crate::nn::NnError) -> TrainError {
    move |source| TrainError::Network { doing, source }
}

fn data_error(doing: &'static str) -> impl FnOnce(crate::data::DataError) -> TrainError {
    move |source| TrainError::Data { doing, source }
}
