//! Training a GHN (Knyazev et al. 2021, equation 2; 2023, section 4): in every step networks are drawn, their
//! parameters predicted, all see the same images, and the derivatives of their losses go back through the
//! prediction into the GHN.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `recipe` | [`GhnRecipe`]: how a GHN is trained |
//! | `sample` | the networks of a step |
//! | `step` | one optimiser step |
//! | `optimiser` | Adam on the GHN's weights, and their running average |
//! | `muon` | the direction of Muon |
//! | `evaluate` | [`Evaluator`]: accuracy of predicted, untrained networks |
//! | `control` | what steering asks of the run |

mod control;
mod evaluate;
mod muon;
mod optimiser;
mod recipe;
mod sample;
mod step;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use super::checkpoint::{Checkpoints, Kind};
use super::course::Course;
use super::progress::EpochSums;
use super::steering::{Flow, Steered};
use super::{
    Best, EpochSummary, Event, Metrics, Outcome, Progress, Reporter, RunState, Split, TrainError,
};
use crate::arch::deepnets;
use crate::data::{DataError, DataSet, EvalLoader, Protocol, TrainLoader};
use crate::ghn::{Ghn, Gradient};
use crate::nn::Placement;
use evaluate::evaluate_predicted;
pub use evaluate::{
    Accuracy, BadEvaluation, EvaluatedNetwork, EvaluatedPart, EvaluationSetting, Evaluator,
    EvaluatorOptions, GhnEvaluation, Part, PredictedNetwork, PublishedAccuracy, USUAL_BATCH,
    USUAL_NETWORKS, USUAL_SIDE, published_accuracies,
};
use optimiser::Optimiser;
pub use recipe::{GhnOptimiserKind, GhnRecipe, GhnSchedule, Stage};
use sample::Sampler;
pub use sample::{Net, networks};
use step::Phases;

/// The share of left out networks at which training ends.
const MOST_SKIPPED: f64 = 0.02;
/// Networks before that share means anything.
const FEW_NETWORKS: u64 = 100;

/// A GHN's training, ready to begin.
pub struct GhnTask {
    pub recipe: GhnRecipe,
    /// The GHN to begin with. Its weights are overwritten if there is a checkpoint.
    pub ghn: Ghn,
    /// Where the networks run; the GHN itself runs on the CPU.
    pub placement: Placement,
    /// The training images: the data and the part of it, at the recipe's side.
    pub data: DataSet,
    pub protocol: Protocol,
    /// Held-out images, if there are any.
    pub val: Option<EvalLoader>,
    pub seed: u64,
    /// The run's folder `checkpoint`.
    pub checkpoints: PathBuf,
}

/// Trains until the last epoch is done or somebody says stop. Goes on from the last checkpoint if there is one;
/// on the CPU, the numbers are then those of a run that was never interrupted.
///
/// What the reporter hears is as with [`super::finetune`].
///
/// # Errors
/// [`TrainError::Diverged`] if too many networks had to be left out, and everything that can go wrong with
/// images, networks and disk. Checkpoints written before stay as they are.
pub fn train_ghn(task: GhnTask, reporter: &mut dyn Reporter) -> Result<Outcome, TrainError> {
    let mut trainer = Trainer::begin(task, reporter)?;
    trainer.course.state(RunState::Running);
    let flow = trainer.all_epochs()?;
    Ok(trainer.course.end(flow.end()))
}

/// A training at work.
struct Trainer<'a> {
    task: GhnTask,
    gradient: Gradient,
    optimiser: Optimiser,
    sampler: Sampler,
    loader: TrainLoader,
    /// Side of the loader's images.
    side: usize,
    course: Course<'a>,
    phases: Phases,
}

impl<'a> Trainer<'a> {
    fn begin(mut task: GhnTask, reporter: &'a mut dyn Reporter) -> Result<Self, TrainError> {
        let recipe = &task.recipe;
        recipe.check().map_err(TrainError::BadTask)?;
        let checkpoints = Checkpoints::open(&task.checkpoints)?;
        let mut optimiser = Optimiser::new(recipe, &mut task.ghn);
        let progress = match checkpoints.read(Kind::Last)? {
            Some(checkpoint) => {
                let states = [checkpoint.model, checkpoint.optimiser];
                if !optimiser.load(&mut task.ghn, states) {
                    return Err(TrainError::BadTask(format!(
                        "the checkpoint in {} is that of another GHN or optimiser; was the recipe changed?",
                        task.checkpoints.display()
                    )));
                }
                let progress = checkpoint.progress;
                let text = format!("resumed after step {}", progress.step);
                reporter.event(Event::Note { text });
                progress
            }
            None => Progress::new(recipe.lr),
        };
        let side = recipe.image;
        let loader = images(&task, side)?;
        let mut trainer = Self {
            gradient: task.ghn.gradient(),
            sampler: Sampler::of(recipe, task.seed),
            optimiser,
            course: Course::new(reporter, checkpoints, progress, loader.batches()),
            loader,
            side,
            phases: Phases::default(),
            task,
        };
        trainer.seek()?;
        Ok(trainer)
    }

    /// Steps of the whole training.
    fn all_steps(&self) -> u64 {
        u64::from(self.task.recipe.epochs) * self.loader.batches() as u64
    }

    /// The stage of the next step.
    fn stage(&self) -> Stage {
        self.task
            .recipe
            .stage(self.course.progress.step, self.all_steps())
    }

    fn lr(&self) -> f64 {
        let (base, step) = (self.course.progress.base_lr, self.course.progress.step);
        self.task.recipe.lr(base, step, self.all_steps())
    }

    /// Puts the loader at the next step's images, which may have another side than those before.
    fn seek(&mut self) -> Result<(), TrainError> {
        let side = self.stage().image;
        if side != self.side {
            self.loader = images(&self.task, side)?;
            self.side = side;
        }
        let (epoch, batch) = (
            u64::from(self.course.progress.epoch),
            self.course.progress.batch,
        );
        self.loader.seek(epoch, batch).map_err(reading)
    }

    fn all_epochs(&mut self) -> Result<Flow, TrainError> {
        // A command that came while the run was starting must not wait for the first step.
        if self.obey()? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        while self.course.progress.epoch < self.task.recipe.epochs {
            if self.epoch()? == Flow::Stop {
                return Ok(Flow::Stop);
            }
            self.finish_epoch()?;
        }
        Ok(Flow::On)
    }

    /// The steps of the current epoch that are left.
    fn epoch(&mut self) -> Result<Flow, TrainError> {
        while self.course.progress.batch < self.loader.batches() {
            if self.stage().image != self.side {
                self.seek()?;
            }
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

    /// Looks at some networks of the validation split, writes the checkpoints, tells of the epoch.
    fn finish_epoch(&mut self) -> Result<(), TrainError> {
        let train = self.course.trained();
        self.course.progress.sums = EpochSums::default();
        self.course.progress.last.train = Some(train);
        let lr = self.lr();
        self.course.progress.epoch += 1;
        self.course.progress.batch = 0;
        let epoch = self.course.progress.epoch;
        let val = self.look()?;
        if let Some(metrics) = val {
            let event = metrics.event(self.course.progress.step, f64::from(epoch), Split::Val);
            self.course.reporter.event(event);
            self.course.progress.last.val = Some(metrics);
        }
        let best = self
            .course
            .progress
            .best
            .map_or(f64::NEG_INFINITY, |b| b.top1);
        let best = val
            .filter(|metrics| metrics.top1 > best)
            .map(|metrics| Best {
                epoch,
                top1: metrics.top1,
                split: Split::Val,
            });
        self.course.progress.best = best.or(self.course.progress.best);
        self.save()?;
        if best.is_some() {
            self.course.checkpoints.promote()?;
        }
        self.course.reporter.epoch(&EpochSummary {
            epoch,
            step: self.course.progress.step,
            lr,
            train_loss: train.loss,
            train_top1: train.top1,
            val,
            test: None,
            images_per_s: train.images.max(1) as f64 / train.seconds.max(1e-9),
            seconds: self.course.progress.seconds,
        });
        Ok(())
    }

    /// Mean accuracy of some predicted networks on the held-out images.
    fn look(&mut self) -> Result<Option<Metrics>, TrainError> {
        let count = self.task.recipe.eval_networks;
        let Some(loader) = self.task.val.as_mut().filter(|_| count > 0) else {
            return Ok(None);
        };
        self.optimiser.exchange(&mut self.task.ghn);
        let names = deepnets::first_names(deepnets::Split::Val, count);
        let ghn = &self.task.ghn;
        let classes = self.task.recipe.ghn.num_classes;
        let begun = Instant::now();
        let mut all = Vec::new();
        for name in &names {
            let arch = evaluate::network(name, classes, self.task.recipe.image)?;
            let on = |_| ControlFlow::Continue(());
            let found = evaluate_predicted(ghn, &arch, loader, self.task.placement, on)?;
            all.extend(found.map(|net| net.metrics));
        }
        self.optimiser.exchange(&mut self.task.ghn);
        let finite: Vec<f64> = all
            .iter()
            .map(|m| m.loss)
            .filter(|l| l.is_finite())
            .collect();
        Ok(Some(Metrics {
            loss: finite.iter().sum::<f64>() / finite.len().max(1) as f64,
            top1: all.iter().map(|m| m.top1).sum::<f64>() / all.len() as f64,
            top5: None,
            images: all.iter().map(|m| m.images).sum(),
            seconds: begun.elapsed().as_secs_f64(),
        }))
    }

    fn tell_if_due(&mut self) {
        if self.course.is_due() {
            self.tell();
        }
        self.course.tell_of_process();
    }
}

/// The training images at a side.
fn images(task: &GhnTask, side: usize) -> Result<TrainLoader, TrainError> {
    let protocol = Protocol {
        side,
        ..task.protocol.clone()
    };
    TrainLoader::new(&task.data, &protocol, 0, 0).map_err(reading)
}

fn reading(source: DataError) -> TrainError {
    TrainError::Data {
        doing: "reading images to train on",
        source,
    }
}
