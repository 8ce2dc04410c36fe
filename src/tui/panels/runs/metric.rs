//! What is drawn: which values of which runs.

use super::curves::{Curves, Table, Value};
use crate::tui::charts::{Series, XUnit};

/// One chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Metric {
    Accuracy,
    Loss,
    LearningRate,
    Speed,
}

impl Metric {
    pub const ALL: [Self; 4] = [Self::Accuracy, Self::Loss, Self::LearningRate, Self::Speed];

    #[must_use]
    pub fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()]
    }

    #[must_use]
    pub fn previous(self) -> Self {
        Self::ALL[(self as usize + Self::ALL.len() - 1) % Self::ALL.len()]
    }

    fn value(self) -> Value {
        match self {
            Self::Accuracy => Value::Top1,
            Self::Loss => Value::Loss,
            Self::LearningRate => Value::LearningRate,
            Self::Speed => Value::Speed,
        }
    }

    /// What the chart is called if it shows these parts.
    #[must_use]
    pub fn title(self, parts: &[Part]) -> String {
        let name = match self {
            Self::Accuracy => "accuracy %",
            Self::Loss => "loss",
            Self::LearningRate => return "learning rate".to_owned(),
            Self::Speed => return "images/s".to_owned(),
        };
        match parts {
            [part] => format!("{} {name}", part.word()),
            _ => name.to_owned(),
        }
    }
}

/// Which images accuracy and loss are of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// All for a single run; for several, what compares them best.
    #[default]
    Auto,
    Test,
    Val,
    Train,
    All,
}

impl Which {
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Auto => Self::Test,
            Self::Test => Self::Val,
            Self::Val => Self::Train,
            Self::Train => Self::All,
            Self::All => Self::Auto,
        }
    }

    /// In words, for the line that says what a key did.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Auto => "all curves of one run, one curve each of several",
            Self::Test => "test images",
            Self::Val => "validation images",
            Self::Train => "training images",
            Self::All => "training, validation and test images",
        }
    }
}

/// One kind of curve within a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Train,
    Val,
    Test,
}

impl Part {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }

    #[must_use]
    pub fn table(self, curves: &Curves) -> &Table {
        match self {
            Self::Train => &curves.train,
            Self::Val => &curves.val,
            Self::Test => &curves.test,
        }
    }
}

/// The kinds of curves that a chart shows, in the order in which they are drawn.
#[must_use]
pub fn parts(metric: Metric, which: Which, runs: &[&Curves]) -> Vec<Part> {
    let has = |part: Part| runs.iter().any(|curves| !part.table(curves).is_empty());
    let points = |part: Part| -> usize {
        let tables = runs.iter().map(|curves| part.table(curves));
        tables.map(|table| table.x(XUnit::Step).len()).sum()
    };
    let those = |parts: &[Part]| -> Vec<Part> {
        let there: Vec<Part> = parts.iter().copied().filter(|&part| has(part)).collect();
        // Before the first point, the title says what is waited for.
        if there.is_empty() {
            parts[parts.len() - 1..].to_vec()
        } else {
            there
        }
    };
    let all = [Part::Train, Part::Val, Part::Test];
    match (metric, which) {
        (Metric::LearningRate | Metric::Speed, _) => vec![Part::Train],
        (_, Which::Test) => vec![Part::Test],
        (_, Which::Val) => vec![Part::Val],
        (_, Which::Train) => vec![Part::Train],
        (_, Which::All) => those(&all),
        (_, Which::Auto) if runs.len() <= 1 => those(&all),
        (Metric::Loss, Which::Auto) => vec![Part::Train],
        // A single test after the last epoch is no curve.
        (Metric::Accuracy, Which::Auto) if points(Part::Val) > points(Part::Test) => {
            vec![Part::Val]
        }
        (Metric::Accuracy, Which::Auto) => vec![Part::Test],
    }
}

/// A metric's values, and their smoothed form if they are smoothed.
#[derive(Clone, Copy)]
pub struct Values<'a> {
    pub raw: &'a Series,
    pub smooth: Option<&'a Series>,
}

/// The values of a metric in a table, if it has them.
#[must_use]
pub fn values(metric: Metric, table: &Table) -> Option<Values<'_>> {
    let value = metric.value();
    Some(Values {
        raw: table.column(value)?,
        smooth: table.smoothed(value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Event, Line, Split};

    /// Evaluated after one step, the next, and so on.
    fn evaluated(splits: &[Split]) -> Curves {
        let mut curves = Curves::default();
        for (&split, step) in splits.iter().zip(1..) {
            let event = Event::Eval {
                step,
                epoch: step as f64,
                split,
                loss: 1.0,
                top1: 50.0,
                top5: None,
                images: 10,
                seconds: 1.0,
            };
            let line = Line {
                t_ms: step,
                seq: step,
                event,
            };
            curves.extend(&[line], 0.0);
        }
        curves
    }

    #[test]
    fn one_run_shows_all_that_it_has() {
        let run = evaluated(&[Split::Val]);
        assert_eq!(parts(Metric::Accuracy, Which::Auto, &[&run]), [Part::Val]);
        let none = Curves::default();
        assert_eq!(parts(Metric::Accuracy, Which::Auto, &[&none]), [Part::Test]);
    }

    #[test]
    fn several_runs_are_compared_by_what_they_have() {
        let (val, test) = (evaluated(&[Split::Val]), evaluated(&[Split::Test]));
        let once = evaluated(&[Split::Val, Split::Val, Split::Test]);
        assert_eq!(
            parts(Metric::Accuracy, Which::Auto, &[&once, &once]),
            [Part::Val]
        );
        assert_eq!(
            parts(Metric::Accuracy, Which::Auto, &[&val, &val]),
            [Part::Val]
        );
        assert_eq!(
            parts(Metric::Accuracy, Which::Auto, &[&val, &test]),
            [Part::Test]
        );
        assert_eq!(
            parts(Metric::Loss, Which::Auto, &[&val, &test]),
            [Part::Train]
        );
    }
}
