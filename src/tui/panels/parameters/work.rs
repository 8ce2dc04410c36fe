//! What the engine is asked to do one after another: predict, post-process, write.

use std::collections::VecDeque;

use crate::engine::protocol::{self, ArchSpec, PostSpec, Side};
use crate::tui::effect::Effect;
use crate::tui::selection::Selection;
use crate::tui::shared::Shared;

use super::results::Asked;

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Predict,
    Post,
    Write { path: String },
}

/// What is being done now.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    pub id: u64,
    pub step: Step,
    /// Whose parameters.
    pub spec: ArchSpec,
    /// How the prediction was asked for, as the recipe may change meanwhile.
    pub asked: Asked,
    pub cancelled: bool,
}

/// The step under way and those after it.
#[derive(Debug, Default)]
pub struct Work {
    pub job: Option<Job>,
    queue: VecDeque<Step>,
}

impl Work {
    /// Whether anything is under way or waits.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.job.is_some() || !self.queue.is_empty()
    }

    /// Whether this step is under way or waits.
    #[must_use]
    pub fn has(&self, step: &Step) -> bool {
        let doing = self.job.as_ref().filter(|job| !job.cancelled);
        doing.is_some_and(|job| job.step == *step) || self.queue.contains(step)
    }

    /// Replaces what waits by these steps; what is under way goes on unless [`Work::cancel`] ends it.
    pub fn plan(&mut self, steps: impl IntoIterator<Item = Step>) {
        self.queue = steps.into_iter().collect();
    }

    /// Asks the engine to end what is under way.
    pub fn cancel(&mut self, shared: &mut Shared) -> Option<Effect> {
        let job = self.job.as_mut().filter(|job| !job.cancelled)?;
        job.cancelled = true;
        let request = job.id;
        let (_, effect) = shared.ask(protocol::Command::Cancel { request });
        Some(effect)
    }

    /// Forgets everything: the engine is gone, or a step failed.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Begins the next step unless one is under way. `first` are the tensors that should be
    /// post-processed before the others, `side` what is written.
    pub fn next(
        &mut self,
        shared: &mut Shared,
        first: Vec<String>,
        side: Side,
    ) -> Option<(Job, Effect)> {
        if self.job.is_some() {
            return None;
        }
        let step = self.queue.pop_front()?;
        let selection = shared.selection.clone();
        let asked = Asked {
            ghn: selection.ghn.clone(),
            seed: selection.seed,
        };
        let (command, what) = match &step {
            Step::Predict => (
                protocol::Command::Predict {
                    arch: selection.arch.clone(),
                    ghn: selection.ghn.clone(),
                    seed: selection.seed,
                },
                "predicting",
            ),
            Step::Post => (
                protocol::Command::Post {
                    post: post(&selection),
                    first,
                },
                "post-processing",
            ),
            Step::Write { path } => (
                protocol::Command::Write {
                    side,
                    path: path.clone(),
                },
                "writing",
            ),
        };
        let (id, effect) = shared.ask(command);
        shared.begin_work(id, what);
        let job = Job {
            id,
            step,
            spec: selection.arch,
            asked,
            cancelled: false,
        };
        self.job = Some(job.clone());
        Some((job, effect))
    }
}

/// The selection's post-processing, with the selection's seed.
#[must_use]
pub fn post(selection: &Selection) -> PostSpec {
    PostSpec {
        seed: selection.seed,
        ..selection.post.clone()
    }
}
