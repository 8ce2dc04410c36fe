//! The evaluation under way.

use crate::engine::protocol::{self, EvaluationRecord, EvaluationSpec, Part};
use crate::tui::effect::Effect;
use crate::tui::shared::Shared;

/// An evaluation, as far as it is.
#[derive(Debug)]
pub struct Running {
    pub id: u64,
    pub spec: EvaluationSpec,
    /// The parts that have begun; none before the first network.
    pub record: Option<EvaluationRecord>,
    /// Networks that each part will have, once that is known.
    totals: Vec<(Part, usize)>,
    is_cancelled: bool,
}

impl Running {
    /// Asks the engine for it.
    pub fn begin(spec: EvaluationSpec, shared: &mut Shared) -> (Self, Effect) {
        let (id, effect) = shared.ask(protocol::Command::Evaluate(spec.clone()));
        shared.begin_background(id, "evaluating the GHN");
        let running = Self {
            id,
            spec,
            record: None,
            totals: Vec::new(),
            is_cancelled: false,
        };
        (running, effect)
    }

    /// Asks the engine to end it.
    pub fn cancel(&mut self, shared: &mut Shared) -> Option<Effect> {
        if std::mem::replace(&mut self.is_cancelled, true) {
            return None;
        }
        let request = self.id;
        let (_, effect) = shared.ask(protocol::Command::Cancel { request });
        Some(effect)
    }

    /// Takes in a part as far as it is evaluated.
    pub fn take(&mut self, news: &EvaluationRecord, networks: usize) {
        let record = self.record.get_or_insert_with(|| {
            let mut empty = news.clone();
            empty.evaluation.splits.clear();
            empty
        });
        for part in &news.evaluation.splits {
            self.totals.retain(|(of, _)| *of != part.split);
            self.totals.push((part.split, networks));
            record.evaluation.take(part.clone());
        }
    }

    /// Networks that a part will have, if that is known.
    #[must_use]
    pub fn networks(&self, part: Part) -> Option<usize> {
        let total = self.totals.iter().find(|(of, _)| *of == part);
        total.map(|(_, networks)| *networks)
    }
}
