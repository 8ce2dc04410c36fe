//! One line for each split: what is known of it now.

use super::running::Running;
use crate::engine::protocol::{
    Accuracy, EvaluatedPart, EvaluationRecord, Part, PublishedAccuracy, published_accuracies,
};

/// A split.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub part: Part,
    /// None before the first network.
    pub predicted: Option<Accuracy>,
    /// Of the same networks with random parameters.
    pub random: Option<Accuracy>,
    /// Of published GHNs.
    pub published: Vec<PublishedAccuracy>,
    /// Networks evaluated.
    pub networks: usize,
    pub state: State,
}

/// How far the evaluation of a split is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Finished,
    /// So many networks in all, if that is known.
    Going(Option<usize>),
    NotEvaluated,
}

/// The splits of an evaluation that is kept, and the usual ones that it lacks.
#[must_use]
pub fn kept(record: &EvaluationRecord) -> Vec<Row> {
    let evaluated = |part: Part| record.evaluation.part(part);
    let parts = Part::ALL.into_iter();
    let parts = parts.filter(|part| Part::USUAL.contains(part) || evaluated(*part).is_some());
    let row = |part| match evaluated(part) {
        Some(found) => Row::of(record, part, Some(found), State::Finished),
        None => Row::of(record, part, None, State::NotEvaluated),
    };
    parts.map(row).collect()
}

/// The splits of the evaluation under way.
#[must_use]
pub fn going(running: &Running) -> Vec<Row> {
    let row = |&part: &Part| {
        let total = running.networks(part);
        let Some(record) = &running.record else {
            return Row::waiting(part);
        };
        let found = record.evaluation.part(part);
        let state = match (found, total) {
            (Some(found), Some(total)) if found.nets >= total => State::Finished,
            _ => State::Going(total),
        };
        Row::of(record, part, found, state)
    };
    running.spec.parts.iter().map(row).collect()
}

impl Row {
    fn of(
        record: &EvaluationRecord,
        part: Part,
        found: Option<&EvaluatedPart>,
        state: State,
    ) -> Self {
        Self {
            predicted: found.map(|found| found.predicted),
            random: found.and_then(|found| found.random),
            published: published_accuracies(&record.evaluation.setting, part),
            networks: found.map_or(0, |found| found.nets),
            state,
            part,
        }
    }

    const fn waiting(part: Part) -> Self {
        Self {
            part,
            predicted: None,
            random: None,
            published: Vec::new(),
            networks: 0,
            state: State::Going(None),
        }
    }

    /// How many networks, as `30` or `3/8`.
    #[must_use]
    pub fn networks_words(&self) -> String {
        match self.state {
            State::NotEvaluated | State::Going(None) => String::new(),
            State::Going(Some(total)) => format!("{}/{total}", self.networks),
            State::Finished => self.networks.to_string(),
        }
    }
}

/// The end of an axis on which all these have their place, each best network too: tens of percent.
#[must_use]
pub fn axis_end(rows: &[Row]) -> f64 {
    let highest = |row: &Row| {
        let ends = [row.predicted, row.random].into_iter().flatten();
        let ends = ends.map(|accuracy| accuracy.mean + accuracy.sem.unwrap_or(0.0));
        let published = row.published.iter().map(|published| published.top1);
        let best = row.predicted.map(|predicted| predicted.max);
        ends.chain(published).chain(best).fold(0.0, f64::max)
    };
    let highest = rows.iter().map(highest).fold(0.0, f64::max);
    ((highest / 10.0).ceil() * 10.0).clamp(10.0, 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::tests::ghns::record;

    #[test]
    fn usual_splits_that_were_not_evaluated_stand_among_the_others() {
        let mut record = record();
        let is_kept = |part: &EvaluatedPart| part.split == Part::Deep;
        record.evaluation.splits.retain(is_kept);
        let rows = kept(&record);
        let parts: Vec<Part> = rows.iter().map(|row| row.part).collect();
        assert_eq!(parts, Part::USUAL);
        assert_eq!(rows[2].state, State::Finished);
        assert_eq!(rows[0].state, State::NotEvaluated);
    }

    #[test]
    fn the_axis_ends_at_tens_above_everything() {
        let rows = kept(&record());
        assert_eq!(axis_end(&rows), 70.0, "published: 66.9");
        assert_eq!(axis_end(&[]), 10.0);
        let mut broken = rows[0].clone();
        broken.predicted = Some(Accuracy {
            mean: f64::NAN,
            sem: Some(f64::INFINITY),
            max: 0.0,
        });
        assert_eq!(axis_end(&[broken]), 70.0);
    }
}
