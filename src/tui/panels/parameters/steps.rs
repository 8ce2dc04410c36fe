//! The steps that are asked of the engine, and what it answers.

use super::layout::Layout;
use super::work::{self, Step};
use super::{Pane, ParametersPanel};
use crate::engine::protocol::{self, Answer, Body, Side};
use crate::text::Shown;
use crate::tui::effect::Effect;
use crate::tui::shared::{Severity, Shared};
use crate::tui::widgets::number;

impl ParametersPanel {
    /// Plans steps; what is under way is not disturbed if it is the same.
    pub(super) fn ask_for(&mut self, steps: Vec<Step>, shared: &mut Shared) {
        if self.work.is_busy() {
            shared.say(
                Severity::Warning,
                "The engine is at work; Esc cancels what it does.",
            );
            return;
        }
        self.failure = None;
        self.work.plan(steps);
    }

    /// Post-processes; predicts before if the engine does not hold what the recipe says.
    pub(super) fn post_process(&mut self, shared: &mut Shared) {
        let post = &shared.selection.post;
        if !post.noise && !post.orth {
            shared.say(
                Severity::Warning,
                "Noise and orth are both off: there is nothing to do. Switch one on in the recipe.",
            );
            return;
        }
        if self.work.has(&Step::Predict) {
            self.work.plan([Step::Post]);
            shared.say(Severity::Good, "Post-processing follows the prediction.");
            return;
        }
        let steps = if self.holds_selection(shared) {
            vec![Step::Post]
        } else {
            vec![Step::Predict, Step::Post]
        };
        self.ask_for(steps, shared);
    }

    /// Whether the engine holds the prediction that the recipe describes.
    pub(super) fn holds_selection(&self, shared: &Shared) -> bool {
        let selection = &shared.selection;
        self.held.as_ref() == Some(&selection.arch)
            && self.current(shared).is_some_and(|results| {
                results.predicted.as_ref().is_some_and(|(asked, _)| {
                    asked.ghn == selection.ghn && asked.seed == selection.seed
                })
            })
    }

    pub(super) fn cancel(&mut self, shared: &mut Shared) -> Vec<Effect> {
        self.work.plan([]);
        self.work.cancel(shared).into_iter().collect()
    }

    /// Begins the next planned step.
    pub(super) fn next_step(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let page = Layout::of(shared.area, Pane::Table).table_rows();
        let first = self
            .current(shared)
            .map(|results| self.table.visible(results, page))
            .unwrap_or_default();
        let side = self.newest_side(shared);
        let Some((job, effect)) = self.work.next(shared, first, side) else {
            return Vec::new();
        };
        shared.dirty = true;
        if job.step == Step::Post
            && let Some(results) = self.results.iter_mut().find(|r| r.spec == job.spec)
        {
            results.expect_post(work::post(&shared.selection));
            self.awaits_change = true;
        }
        vec![effect]
    }

    pub(super) fn newest_side(&self, shared: &Shared) -> Side {
        match self.current(shared) {
            Some(results) if results.post.is_some() => Side::After,
            _ => Side::Before,
        }
    }

    pub(super) fn answer(&mut self, answer: &Answer, shared: &mut Shared) -> Vec<Effect> {
        if let Body::Hello { .. } = answer.body {
            let (id, effect) = shared.ask(protocol::Command::Ghns);
            self.ghns_asked = Some(id);
            return vec![effect];
        }
        if self.ghns_asked == Some(answer.id) {
            if let Body::Ghns { ghns } = &answer.body {
                self.ghns.clone_from(ghns);
            }
            return Vec::new();
        }
        if self.details.answer(answer.id, &answer.body) {
            return Vec::new();
        }
        if self
            .work
            .job
            .as_ref()
            .is_some_and(|job| job.id == answer.id)
        {
            self.step_answer(&answer.body, shared);
        }
        Vec::new()
    }

    /// News about the step under way.
    fn step_answer(&mut self, body: &Body, shared: &mut Shared) {
        let Some(job) = self.work.job.clone() else {
            return;
        };
        let results = self.results.iter_mut().find(|r| r.spec == job.spec);
        match body {
            Body::Predicted(predicted) => {
                self.held = Some(job.spec);
                self.details.clear();
                if let Some(results) = results {
                    results.begin(job.asked, predicted.clone());
                }
            }
            Body::Row { side, row } => {
                if let Some(results) = results {
                    results.take(*side, row);
                }
                if *side == Side::After {
                    self.see_change(&row.name, shared);
                }
            }
            Body::Warning { text } => {
                if let Some(results) = results {
                    results.warnings.push(Shown::new(text));
                }
            }
            Body::Written { path, bytes } => {
                let size = number::bytes(*bytes);
                shared.say(Severity::Good, &format!("Wrote {path}, {size}"));
            }
            Body::Done => self.step_done(&job.step, shared),
            Body::Failed { message, cancelled } => {
                self.work.job = None;
                if !job.cancelled && !cancelled {
                    self.work.clear();
                    self.failure = Some(Shown::new(message));
                    shared.say(Severity::Bad, message);
                } else if !self.work.is_busy() {
                    shared.say(Severity::Warning, "Cancelled.");
                    if let Some(results) = results {
                        results.finish_post();
                    }
                }
            }
            _ => {}
        }
    }

    /// Once after each post-processing, moves to the first tensor that it changed if none on the screen is
    /// among those: on a small screen the first layers, which it leaves alone, hide its effect.
    fn see_change(&mut self, changed: &str, shared: &Shared) {
        if !std::mem::take(&mut self.awaits_change) {
            return;
        }
        let page = Layout::of(shared.area, Pane::Table).table_rows();
        let Some(results) = self.current(shared) else {
            return;
        };
        if self
            .table
            .visible(results, page)
            .iter()
            .any(|name| name == changed)
        {
            return;
        }
        let is_changed = |at: &usize| results.rows[*at].tensor == changed;
        if let Some(at) = self.table.order.iter().position(is_changed) {
            // At the top, with one row of context: what it changed as well follows below.
            self.table.cursor.top = at.saturating_sub(1);
            self.table.cursor.at = at;
            self.table.settle(page);
        }
    }

    fn step_done(&mut self, step: &Step, shared: &Shared) {
        let spec = self.work.job.take().map(|job| job.spec);
        if *step == Step::Post {
            self.details.clear();
            if let Some(results) = self
                .results
                .iter_mut()
                .find(|r| Some(&r.spec) == spec.as_ref())
            {
                results.finish_post();
            }
        }
        self.refresh_table(shared);
    }

    pub(super) fn engine_gone(&mut self, shared: &Shared) -> Vec<Effect> {
        if self.work.is_busy() {
            self.failure = Some(Shown::new(
                "The engine ended while it worked. What is on the screen stays; Enter predicts again.",
            ));
        }
        self.work.clear();
        self.held = None;
        self.details.clear();
        for results in &mut self.results {
            results.finish_post();
        }
        self.refresh_table(shared);
        Vec::new()
    }
}
