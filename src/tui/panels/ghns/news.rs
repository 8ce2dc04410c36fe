//! Asking for evaluations, and what the engine says.

use super::reports::Question;
use super::running::Running;
use super::{GhnsPanel, Pane, form};
use crate::engine::protocol::{self, Answer, Body, GhnSummary};
use crate::tui::effect::Effect;
use crate::tui::panels::PanelId;
use crate::tui::selection::RANDOM;
use crate::tui::shared::{Severity, Shared};

impl GhnsPanel {
    pub(super) fn ask_how(&mut self, shared: &mut Shared) {
        if self.running.is_some() {
            let text = "An evaluation is under way; c cancels it.";
            return shared.say(Severity::Warning, text);
        }
        self.form = self
            .chosen()
            .map(|chosen| form::open(&chosen.name, &self.values));
    }

    pub(super) fn begin(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let (Some(chosen), Some(form)) = (self.ghns.get(self.list.at), &mut self.form) else {
            return Vec::new();
        };
        let values = form.values();
        match form::spec(&chosen.name, shared.selection.seed, &values) {
            Err(message) => {
                form.fail(&message);
                Vec::new()
            }
            Ok(spec) => {
                let (running, effect) = Running::begin(spec, shared);
                self.begin_anew();
                self.running = Some(running);
                self.values = values;
                self.form = None;
                self.pane = Pane::Splits;
                vec![effect]
            }
        }
    }

    /// News of the evaluation under way.
    fn evaluation_answer(&mut self, body: &Body, shared: &mut Shared) {
        match body {
            Body::Evaluated { record, networks } => {
                if let Some(running) = &mut self.running {
                    running.take(record, *networks);
                }
            }
            Body::Done => {
                self.end_of_evaluation(shared);
                shared.say(Severity::Good, "The evaluation is finished.");
            }
            Body::Failed { cancelled, .. } if *cancelled => {
                self.end_of_evaluation(shared);
                let text = "The evaluation was cancelled; splits that were finished are kept.";
                shared.say(Severity::Warning, text);
            }
            Body::Failed { message, .. } => {
                // What was typed may be wrong: it can be changed at once.
                let is_looked_at = shared.front == PanelId::Ghns && self.running_here().is_some();
                match self.chosen().filter(|_| is_looked_at) {
                    Some(chosen) => {
                        let mut form = form::open(&chosen.name, &self.values);
                        form.fail(message);
                        self.form = Some(form);
                    }
                    None => shared.say(Severity::Bad, message),
                }
                self.end_of_evaluation(shared);
            }
            _ => {}
        }
    }

    /// What was found is asked for as it is kept.
    pub(super) fn end_of_evaluation(&mut self, shared: &Shared) {
        if let Some(running) = self.running.take() {
            self.reports.renew(&Question::of(&running.spec.ghn, shared));
            self.evaluation = 0;
        }
    }

    pub(super) fn answer(&mut self, answer: &Answer, shared: &mut Shared) {
        match &answer.body {
            Body::Hello { .. } => {
                self.reports.engine_began();
                self.asked = None;
                self.end_of_evaluation(shared);
            }
            // Whoever asked: it is the same list.
            Body::Ghns { ghns } => self.list_anew(ghns),
            body if self.running.as_ref().is_some_and(|r| r.id == answer.id) => {
                self.evaluation_answer(body, shared);
            }
            Body::Done | Body::Failed { .. } if self.asked == Some(answer.id) => self.asked = None,
            body => self.reports.answer(answer.id, body, shared),
        }
    }

    pub(super) fn ask_which(&mut self, shared: &mut Shared) -> Vec<Effect> {
        if self.asked.is_some() {
            return Vec::new();
        }
        let (id, effect) = shared.ask(protocol::Command::Ghns);
        self.asked = Some(id);
        vec![effect]
    }

    /// Takes a list in; the cursor stays on its GHN.
    fn list_anew(&mut self, ghns: &[GhnSummary]) {
        let name = self.chosen().map(|chosen| chosen.name.clone());
        let known = ghns.iter().filter(|ghn| ghn.name != RANDOM);
        self.ghns = known.cloned().collect();
        let at = self
            .ghns
            .iter()
            .position(|ghn| Some(&ghn.name) == name.as_ref());
        self.list.at = at.unwrap_or(0);
    }
}
