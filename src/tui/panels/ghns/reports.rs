//! What the engine was asked and said about GHNs.

use super::UNTRAINED;
use crate::engine::protocol::{self, Body, GhnReport};
use crate::text::Shown;
use crate::tui::effect::Effect;
use crate::tui::engine_state::Health;
use crate::tui::kept::Kept;
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

/// Reports by question, one question at a time.
#[derive(Debug, Default)]
pub struct Reports {
    kept: Kept<Question, GhnReport, KEPT>,
    asked: Option<(u64, Question)>,
}

impl Reports {
    #[must_use]
    pub fn report(&self, question: &Question) -> Option<&GhnReport> {
        self.kept.answer(question)
    }

    /// Why there is none.
    #[must_use]
    pub fn failure(&self, question: &Question) -> Option<&Shown> {
        self.kept.failure(question)
    }

    /// Asks unless the answer is known, or another one is awaited.
    pub fn want(&mut self, question: &Question, shared: &mut Shared) -> Option<Effect> {
        if self.asked.is_some()
            || !self.kept.is_open(question)
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
            Body::Ghn(report) => self.kept.keep(question, report.clone(), true),
            Body::Warning { text } => shared.say(Severity::Warning, text),
            Body::Done => self.asked = None,
            Body::Failed { message, .. } => {
                self.asked = None;
                self.kept.fail(question, message);
            }
            _ => {}
        }
    }

    /// There is news of this GHN: it is asked for again, and what is known is shown until then.
    pub fn renew(&mut self, question: &Question) {
        self.kept.set_final(question, false);
        self.kept.try_again();
    }

    /// The engine died: what was asked failed.
    pub fn engine_gone(&mut self) {
        if let Some((_, question)) = self.asked.take() {
            self.kept.engine_gone(question);
        }
    }

    /// Another engine lives: what the last one was asked gets no answer.
    pub fn engine_began(&mut self) {
        self.asked = None;
    }
}
