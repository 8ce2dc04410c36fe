//! What the engine was asked and said about GHNs.

use super::UNTRAINED;
use crate::engine::protocol::{self, Body, GhnReport};
use crate::text::Shown;
use crate::tui::effect::Effect;
use crate::tui::engine_state::Health;
use crate::tui::shared::{Severity, Shared};

/// Reports that are kept.
const KEPT: usize = 32;

/// What a report depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    name: String,
    /// Zero unless the weights are drawn from it.
    seed: u64,
}

impl Question {
    #[must_use]
    pub fn of(name: &str, shared: &Shared) -> Self {
        let is_drawn = name == UNTRAINED;
        Self {
            name: name.to_owned(),
            seed: if is_drawn { shared.selection.seed } else { 0 },
        }
    }
}

#[derive(Debug)]
struct Known {
    question: Question,
    report: Box<GhnReport>,
    /// Something changed since; it is shown until the next one is there.
    is_old: bool,
}

/// Reports by question, one question at a time.
#[derive(Debug, Default)]
pub struct Reports {
    /// Oldest first.
    known: Vec<Known>,
    asked: Option<(u64, Question)>,
    failed: Option<(Question, Shown)>,
}

impl Reports {
    #[must_use]
    pub fn report(&self, question: &Question) -> Option<&GhnReport> {
        let known = self.known.iter().find(|known| known.question == *question);
        known.map(|known| &*known.report)
    }

    /// Why there is none.
    #[must_use]
    pub fn failure(&self, question: &Question) -> Option<&Shown> {
        let failed = self.failed.as_ref().filter(|(q, _)| q == question);
        failed.map(|(_, reason)| reason)
    }

    /// Asks unless the answer is known, or another one is awaited.
    pub fn want(&mut self, question: &Question, shared: &mut Shared) -> Option<Effect> {
        let is_known = |known: &Known| known.question == *question && !known.is_old;
        if self.asked.is_some()
            || self.failure(question).is_some()
            || self.known.iter().any(is_known)
            || matches!(shared.engine.health, Health::Gone(_))
        {
            return None;
        }
        let (id, effect) = shared.ask(protocol::Command::Ghn {
            name: question.name.clone(),
            seed: question.seed,
        });
        self.asked = Some((id, question.clone()));
        Some(effect)
    }

    /// Takes an answer in, if it is to a question asked here.
    pub fn answer(&mut self, id: u64, body: &Body, shared: &mut Shared) {
        let Some((_, question)) = self.asked.clone().filter(|(asked, _)| *asked == id) else {
            return;
        };
        match body {
            Body::Ghn(report) => self.keep(question, report.clone()),
            Body::Warning { text } => shared.say(Severity::Warning, text),
            Body::Done => self.asked = None,
            Body::Failed { message, .. } => {
                self.asked = None;
                self.failed = Some((question, Shown::new(message)));
            }
            _ => {}
        }
    }

    fn keep(&mut self, question: Question, report: Box<GhnReport>) {
        self.known.retain(|known| known.question != question);
        self.known.push(Known {
            question,
            report,
            is_old: false,
        });
        let surplus = self.known.len().saturating_sub(KEPT);
        self.known.drain(..surplus);
    }

    /// There is news of this GHN: it is asked for again.
    pub fn renew(&mut self, question: &Question) {
        for known in &mut self.known {
            known.is_old |= known.question == *question;
        }
        self.failed = None;
    }

    /// The engine died: what was asked failed.
    pub fn engine_gone(&mut self) {
        if let Some((_, question)) = self.asked.take() {
            let reason = "The engine ended while it worked.";
            self.failed = Some((question, Shown::new(reason)));
        }
    }

    /// Another engine lives: what the last one was asked gets no answer.
    pub fn engine_began(&mut self) {
        self.asked = None;
    }
}
