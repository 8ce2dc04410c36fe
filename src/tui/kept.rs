//! Answers of the engine, kept by the questions that they answer.

use crate::text::Shown;

/// Why a question has no answer once the engine is gone.
const ENGINE_ENDED: &str = "The engine ended while it worked.";

/// At most so many answers, and the last failure.
#[derive(Debug)]
pub struct Kept<Question, Answer, const MOST: usize> {
    /// Oldest first.
    known: Vec<Known<Question, Answer>>,
    failed: Option<(Question, Shown)>,
}

#[derive(Debug)]
struct Known<Question, Answer> {
    question: Question,
    answer: Box<Answer>,
    /// Whether nothing better is to be had by asking again.
    is_final: bool,
}

impl<Question, Answer, const MOST: usize> Default for Kept<Question, Answer, MOST> {
    fn default() -> Self {
        Self {
            known: Vec::new(),
            failed: None,
        }
    }
}

impl<Question: PartialEq, Answer, const MOST: usize> Kept<Question, Answer, MOST> {
    /// What is known, final or not.
    #[must_use]
    pub fn answer(&self, question: &Question) -> Option<&Answer> {
        let known = self.known.iter().find(|known| known.question == *question);
        known.map(|known| &*known.answer)
    }

    /// Why there is no answer.
    #[must_use]
    pub fn failure(&self, question: &Question) -> Option<&Shown> {
        let failed = self.failed.as_ref().filter(|(q, _)| q == question);
        failed.map(|(_, reason)| reason)
    }

    /// Whether it has neither failed nor a final answer.
    #[must_use]
    pub fn is_open(&self, question: &Question) -> bool {
        let mut known = self.known.iter();
        self.failure(question).is_none()
            && !known.any(|known| known.is_final && known.question == *question)
    }

    /// Takes an answer in, in the place of an earlier one.
    pub fn keep(&mut self, question: Question, answer: Box<Answer>, is_final: bool) {
        self.known.retain(|known| known.question != question);
        self.known.push(Known {
            question,
            answer,
            is_final,
        });
        let surplus = self.known.len().saturating_sub(MOST);
        self.known.drain(..surplus);
    }

    /// Says whether the answer that is known is final.
    pub fn set_final(&mut self, question: &Question, is_final: bool) {
        let known = self.known.iter_mut();
        for known in known.filter(|known| known.question == *question) {
            known.is_final = is_final;
        }
    }

    /// There will be no answer.
    pub fn fail(&mut self, question: Question, reason: &str) {
        self.failed = Some((question, Shown::new(reason)));
    }

    /// The engine died while it worked on the question.
    pub fn engine_gone(&mut self, question: Question) {
        self.fail(question, ENGINE_ENDED);
    }

    /// Forgets a failure, so that the question is asked again. False if there was none.
    pub fn try_again(&mut self) -> bool {
        self.failed.take().is_some()
    }
}
