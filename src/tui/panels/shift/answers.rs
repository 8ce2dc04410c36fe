//! What the engine was asked and said about shift.

use crate::engine::protocol::{self, ArchSpec, Body, ShiftReport};
use crate::text::Shown;
use crate::tui::effect::Effect;
use crate::tui::engine_state::Health;
use crate::tui::kept::Kept;
use crate::tui::shared::Shared;

/// Reports that are kept.
const KEPT: usize = 24;

/// What a report depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub arch: ArchSpec,
    pub ghn: String,
    pub seed: u64,
}

/// A question under way.
#[derive(Clone, Debug)]
struct Asked {
    id: u64,
    question: Question,
    cancelled: bool,
}

/// Reports by question, one question at a time.
#[derive(Debug, Default)]
pub struct Answers {
    /// Those without what the GHN sees yet are not final.
    kept: Kept<Question, ShiftReport, KEPT>,
    asked: Option<Asked>,
}

impl Answers {
    /// The report, as far as it is known.
    #[must_use]
    pub fn report(&self, question: &Question) -> Option<&ShiftReport> {
        self.kept.answer(question)
    }

    /// Why there is none.
    #[must_use]
    pub fn failure(&self, question: &Question) -> Option<&Shown> {
        self.kept.failure(question)
    }

    /// Whether the engine is at work for this question.
    #[must_use]
    pub fn is_asked(&self, question: &Question) -> bool {
        let asked = self.asked.as_ref();
        asked.is_some_and(|asked| asked.question == *question && !asked.cancelled)
    }

    /// Asks for the first of these that is not known, and ends what is none of them.
    pub fn want(&mut self, questions: &[Question], shared: &mut Shared) -> Option<Effect> {
        if let Some(asked) = &mut self.asked {
            if asked.cancelled || questions.contains(&asked.question) {
                return None;
            }
            asked.cancelled = true;
            let request = asked.id;
            let (_, effect) = shared.ask(protocol::Command::Cancel { request });
            return Some(effect);
        }
        if matches!(shared.engine.health, Health::Gone(_)) {
            return None;
        }
        let mut questions = questions.iter();
        let question = questions.find(|q| self.kept.is_open(q))?.clone();
        let (id, effect) = shared.ask(protocol::Command::Shift {
            arch: question.arch.clone(),
            ghn: question.ghn.clone(),
            seed: question.seed,
        });
        shared.begin_work(id, "comparing");
        self.asked = Some(Asked {
            id,
            question,
            cancelled: false,
        });
        Some(effect)
    }

    /// Takes an answer in, if it is to a question asked here.
    pub fn answer(&mut self, id: u64, body: &Body) {
        let Some(asked) = self.asked.clone().filter(|asked| asked.id == id) else {
            return;
        };
        match body {
            Body::Shift(report) => self.kept.keep(asked.question, report.clone(), false),
            Body::Done => {
                self.asked = None;
                self.kept.set_final(&asked.question, true);
            }
            Body::Failed { message, cancelled } => {
                self.asked = None;
                if !cancelled && !asked.cancelled {
                    self.kept.fail(asked.question, message);
                }
            }
            _ => {}
        }
    }

    /// The engine died: what was asked failed.
    pub fn engine_gone(&mut self) {
        if let Some(asked) = self.asked.take() {
            self.kept.engine_gone(asked.question);
        }
    }

    /// Forgets a failure, so that the question is asked again. False if there was none.
    pub fn try_again(&mut self) -> bool {
        self.kept.try_again()
    }
}
