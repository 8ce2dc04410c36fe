//! A run's points, as tables of series.

mod spread;

use crate::run::{Event, Line, RunState, Split};
use crate::text::Shown;
use crate::tui::charts::{Series, Smoothed, XUnit};

pub use spread::Spread;

/// What a point can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    Loss,
    /// Percent.
    Top1,
    LearningRate,
    /// Images per second.
    Speed,
}

impl Value {
    const ALL: [Self; 4] = [Self::Loss, Self::Top1, Self::LearningRate, Self::Speed];
    const EVALUATED: [Self; 2] = [Self::Loss, Self::Top1];
}

/// The points of one kind of event: where they lie on the three x axes, and their values.
#[derive(Clone, Debug)]
pub struct Table {
    step: Vec<f64>,
    epoch: Vec<f64>,
    seconds: Vec<f64>,
    columns: Vec<(Value, Series)>,
    /// Of the columns that are smoothed at all.
    smoothed: Vec<(Value, Smoothed)>,
}

impl Table {
    fn new(values: &[Value]) -> Self {
        Self {
            step: Vec::new(),
            epoch: Vec::new(),
            seconds: Vec::new(),
            columns: values.iter().map(|&v| (v, Series::new())).collect(),
            smoothed: Vec::new(),
        }
    }

    /// Appends a point. A worker that resumes from a checkpoint says again what was said after it: those
    /// earlier points give way.
    fn push(&mut self, place: Place, values: &[f64]) {
        let step = place.step as f64;
        if self.step.last().is_some_and(|&last| last >= step) {
            self.truncate(self.step.partition_point(|&earlier| earlier < step));
        }
        self.step.push(step);
        // Axes never fall and hold numbers only, whatever a damaged log says.
        let not_below = |x: f64, earlier: &[f64]| {
            let least = earlier.last().copied().unwrap_or(f64::NEG_INFINITY);
            if x.is_finite() {
                x.max(least)
            } else {
                least.max(0.0)
            }
        };
        self.epoch.push(not_below(place.epoch, &self.epoch));
        self.seconds.push(not_below(place.seconds, &self.seconds));
        for ((_, column), &value) in self.columns.iter_mut().zip(values) {
            column.push(value);
        }
    }

    fn truncate(&mut self, len: usize) {
        for axis in [&mut self.step, &mut self.epoch, &mut self.seconds] {
            axis.truncate(len);
        }
        for (_, column) in &mut self.columns {
            column.truncate(len);
        }
        // Smoothed values depend on all before them: they are made again.
        for (_, smooth) in &mut self.smoothed {
            *smooth = Smoothed::new(smooth.decay());
        }
    }

    fn smooth(&mut self, decay: f64) {
        let kept = self.smoothed.first().map(|(_, smooth)| smooth.decay());
        if kept != Some(decay) {
            self.smoothed = self
                .columns
                .iter()
                .filter(|(value, _)| decay > 0.0 && *value != Value::LearningRate)
                .map(|(value, _)| (*value, Smoothed::new(decay)))
                .collect();
        }
        for (value, smooth) in &mut self.smoothed {
            if let Some((_, raw)) = self.columns.iter().find(|(v, _)| v == value) {
                smooth.follow(raw);
            }
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.step.is_empty()
    }

    /// Where the points lie on an axis.
    #[must_use]
    pub fn x(&self, unit: XUnit) -> &[f64] {
        match unit {
            XUnit::Step | XUnit::Index => &self.step,
            XUnit::Epoch => &self.epoch,
            XUnit::Time => &self.seconds,
        }
    }

    #[must_use]
    pub fn column(&self, value: Value) -> Option<&Series> {
        let found = self.columns.iter().find(|(v, _)| *v == value);
        found.map(|(_, series)| series)
    }

    #[must_use]
    pub fn smoothed(&self, value: Value) -> Option<&Series> {
        let found = self.smoothed.iter().find(|(v, _)| *v == value);
        found.map(|(_, smooth)| smooth.series())
    }
}

#[derive(Clone, Copy, Debug)]
struct Place {
    step: u64,
    epoch: f64,
    seconds: f64,
}

/// Something that happened in a run, for its log.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Milliseconds since 1970.
    pub t_ms: u64,
    pub text: Shown,
    pub bad: bool,
}

/// Most entries that are kept of one run; the oldest go first.
const MOST_ENTRIES: usize = 10_000;

/// Everything that one event log says.
#[derive(Clone, Debug)]
pub struct Curves {
    pub train: Table,
    pub val: Table,
    pub test: Table,
    pub entries: Vec<Entry>,
    /// The first line's time, milliseconds since 1970.
    began_ms: Option<u64>,
    /// Whether the log was read to its end once.
    pub complete: bool,
    /// Damaged lines of the log, which were skipped.
    pub lost: u64,
}

impl Default for Curves {
    fn default() -> Self {
        Self {
            train: Table::new(&Value::ALL),
            val: Table::new(&Value::EVALUATED),
            test: Table::new(&Value::EVALUATED),
            entries: Vec::new(),
            began_ms: None,
            complete: false,
            lost: 0,
        }
    }
}

impl Curves {
    /// Takes in further lines of the log.
    pub fn extend(&mut self, lines: &[Line], decay: f64) {
        for line in lines {
            self.take(line);
        }
        self.smooth(decay);
    }

    /// Smooths the values of single steps; those of whole evaluations are means already.
    pub fn smooth(&mut self, decay: f64) {
        self.train.smooth(decay);
    }

    fn take(&mut self, line: &Line) {
        let began = *self.began_ms.get_or_insert(line.t_ms);
        let seconds = line.t_ms.saturating_sub(began) as f64 / 1000.0;
        match &line.event {
            Event::Train {
                step,
                epoch,
                loss,
                top1,
                lr,
                images_per_s,
                ..
            } => {
                let place = Place {
                    step: *step,
                    epoch: *epoch,
                    seconds,
                };
                self.train.push(place, &[*loss, *top1, *lr, *images_per_s]);
            }
            Event::Eval {
                step,
                epoch,
                split,
                loss,
                top1,
                ..
            } => {
                let place = Place {
                    step: *step,
                    epoch: *epoch,
                    seconds,
                };
                let Some((table, name)) = self.table_of(*split) else {
                    return;
                };
                table.push(place, &[*loss, *top1]);
                let text = format!("epoch {epoch:.0}: {name} accuracy {top1:.2} %, loss {loss:.4}");
                self.note(line.t_ms, &text, !loss.is_finite());
            }
            Event::Before {
                split,
                loss,
                top1,
                images,
                ..
            } => {
                let place = Place {
                    step: 0,
                    epoch: 0.0,
                    seconds,
                };
                let Some((table, _)) = self.table_of(*split) else {
                    return;
                };
                table.push(place, &[*loss, *top1]);
                let text = format!(
                    "before training: {top1:.2} % of {images} {} images, loss {loss:.4}",
                    split.word()
                );
                self.note(line.t_ms, &text, !loss.is_finite());
            }
            Event::State { state, reason } => {
                let mut text = state_word(*state).to_owned();
                if let Some(reason) = reason {
                    text += ": ";
                    text += reason;
                }
                self.note(line.t_ms, &text, *state == RunState::Failed);
            }
            Event::Note { text } => self.note(line.t_ms, text, false),
            Event::Phases(_) | Event::System { .. } => {}
        }
    }

    /// Where a split's evaluations go, and its name; none for the training images: a second look at them is not what
    /// the steps themselves say.
    const fn table_of(&mut self, split: Split) -> Option<(&mut Table, &'static str)> {
        match split {
            Split::Val => Some((&mut self.val, "val")),
            Split::Test => Some((&mut self.test, "test")),
            Split::Train => None,
        }
    }

    fn note(&mut self, t_ms: u64, text: &str, bad: bool) {
        if self.entries.len() >= MOST_ENTRIES {
            self.entries.drain(..MOST_ENTRIES / 10);
        }
        self.entries.push(Entry {
            t_ms,
            text: Shown::new(text),
            bad,
        });
    }
}

fn state_word(state: RunState) -> &'static str {
    match state {
        RunState::Queued => "queued",
        RunState::Starting => "starting",
        RunState::Running => "running",
        RunState::Paused => "paused",
        RunState::Stopped => "stopped",
        RunState::Finished => "finished",
        RunState::Failed => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn train(step: u64, loss: f64) -> Line {
        Line {
            t_ms: 1000 * step,
            seq: step,
            event: Event::Train {
                step,
                epoch: step as f64 / 10.0,
                loss,
                top1: 10.0,
                lr: 0.1,
                grad_norm: 1.0,
                images_per_s: 100.0,
                data_wait: 0.0,
            },
        }
    }

    #[test]
    fn a_resumed_worker_replaces_the_steps_that_it_repeats() {
        let mut curves = Curves::default();
        let first: Vec<Line> = (1..=30).map(|step| train(step, 1.0)).collect();
        let again: Vec<Line> = (21..=25).map(|step| train(step, 2.0)).collect();
        curves.extend(&first, 0.5);
        curves.extend(&again, 0.5);
        assert_eq!(curves.train.x(XUnit::Step).len(), 25);
        let losses = curves.train.column(Value::Loss).unwrap().values();
        assert_eq!((losses[19], losses[20]), (1.0, 2.0));
        assert_eq!(curves.train.smoothed(Value::Loss).unwrap().len(), 25);
    }

    #[test]
    fn axes_never_fall_and_hold_numbers_only() {
        let mut curves = Curves::default();
        let mut lines: Vec<Line> = (1..=4).map(|step| train(step, 1.0)).collect();
        lines[2].t_ms = 0;
        if let Event::Train { epoch, .. } = &mut lines[3].event {
            *epoch = f64::NAN;
        }
        curves.extend(&lines, 0.0);
        for unit in [XUnit::Step, XUnit::Epoch, XUnit::Time] {
            let x = curves.train.x(unit);
            assert!(
                x.is_sorted() && x.iter().all(|x| x.is_finite()),
                "{unit:?} {x:?}"
            );
        }
    }

    #[test]
    fn a_change_of_smoothing_smooths_all_points_anew() {
        let mut curves = Curves::default();
        let lines: Vec<Line> = (1..=20).map(|step| train(step, step as f64)).collect();
        curves.extend(&lines, 0.0);
        assert!(curves.train.smoothed(Value::Loss).is_none());
        curves.smooth(0.9);
        let (late, early) = (curves.train.smoothed(Value::Loss).unwrap().clone(), &lines);
        let mut other = Curves::default();
        other.extend(early, 0.9);
        assert_eq!(
            late.values(),
            other.train.smoothed(Value::Loss).unwrap().values()
        );
        assert!(curves.train.smoothed(Value::LearningRate).is_none());
    }
}
