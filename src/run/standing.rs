//! What a log says about its run so far.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::line::{Parsed, looks_like_standing, parse, split_line};
use crate::private;
use crate::train::{Event, RunState, Split, StepPhases};

/// First piece of a log's end that is read, in bytes; then four times as much, up to [`MOST`].
const FIRST: u64 = 8 << 10;
/// The most of a log's end that is read, in bytes.
const MOST: u64 = 64 << 10;

/// Where a run stands, folded from its log line by line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Standing {
    /// The last state that was written; `None` before the first.
    pub state: Option<RunState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Optimiser steps done.
    pub step: u64,
    /// Fraction of epochs done.
    #[serde(deserialize_with = "nullable")]
    pub epoch: f64,
    pub train: Option<TrainPoint>,
    /// Of a GHN's training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phases: Option<StepPhases>,
    /// Memory of the worker, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_bytes: Option<u64>,
    /// What the first parameters were worth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<EvalPoint>,
    pub val: Option<EvalPoint>,
    pub test: Option<EvalPoint>,
    /// The evaluation with the largest top-1 accuracy.
    pub best_val: Option<EvalPoint>,
    pub best_test: Option<EvalPoint>,
    /// First line of the log, milliseconds since 1970; 0 before it.
    pub started_ms: u64,
    /// Last line of the log.
    pub updated_ms: u64,
    /// Time with a worker, in milliseconds: times between a worker's end and the next one's start do
    /// not count.
    pub active_ms: u64,
}

/// The last training values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainPoint {
    #[serde(deserialize_with = "nullable")]
    pub loss: f64,
    /// Percent.
    #[serde(deserialize_with = "nullable")]
    pub top1: f64,
    #[serde(deserialize_with = "nullable")]
    pub lr: f64,
    #[serde(deserialize_with = "nullable")]
    pub grad_norm: f64,
    #[serde(deserialize_with = "nullable")]
    pub images_per_s: f64,
    /// 0 to 1.
    #[serde(deserialize_with = "nullable")]
    pub data_wait: f64,
}

/// One evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EvalPoint {
    pub step: u64,
    #[serde(deserialize_with = "nullable")]
    pub epoch: f64,
    #[serde(deserialize_with = "nullable")]
    pub loss: f64,
    /// Percent.
    #[serde(deserialize_with = "nullable")]
    pub top1: f64,
    /// Percent; absent for fewer than six classes.
    pub top5: Option<f64>,
}

/// `null` stands for NaN.
fn nullable<'de, D: serde::Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::NAN))
}

impl Standing {
    /// Takes the next line of the log.
    pub fn fold(&mut self, t_ms: u64, event: &Event) {
        self.pass_time(t_ms, event);
        match event {
            Event::Train {
                step,
                epoch,
                loss,
                top1,
                lr,
                grad_norm,
                images_per_s,
                data_wait,
            } => {
                (self.step, self.epoch) = (*step, *epoch);
                self.train = Some(TrainPoint {
                    loss: *loss,
                    top1: *top1,
                    lr: *lr,
                    grad_norm: *grad_norm,
                    images_per_s: *images_per_s,
                    data_wait: *data_wait,
                });
            }
            Event::Eval {
                step,
                epoch,
                split,
                loss,
                top1,
                top5,
                ..
            } => {
                (self.step, self.epoch) = (*step, *epoch);
                let point = EvalPoint {
                    step: *step,
                    epoch: *epoch,
                    loss: *loss,
                    top1: *top1,
                    top5: *top5,
                };
                self.evaluated(*split, point);
            }
            Event::Before { loss, top1, .. } => {
                self.before = Some(EvalPoint {
                    loss: *loss,
                    top1: *top1,
                    ..EvalPoint::default()
                });
            }
            Event::State { state, reason } => {
                self.state = Some(*state);
                self.reason.clone_from(reason);
            }
            Event::Phases(phases) => self.phases = Some(*phases),
            Event::System { rss_bytes, .. } => self.rss_bytes = Some(*rss_bytes),
            Event::Note { .. } => {}
        }
    }

    fn pass_time(&mut self, t_ms: u64, event: &Event) {
        let first = self.started_ms == 0;
        let new_worker = matches!(
            event,
            Event::State {
                state: RunState::Starting,
                ..
            }
        );
        if first {
            self.started_ms = t_ms;
        } else if !new_worker {
            self.active_ms += t_ms.saturating_sub(self.updated_ms);
        }
        self.updated_ms = t_ms;
    }

    fn evaluated(&mut self, split: Split, point: EvalPoint) {
        let (last, best) = match split {
            Split::Val => (&mut self.val, &mut self.best_val),
            Split::Test => (&mut self.test, &mut self.best_test),
            Split::Train => return,
        };
        *last = Some(point);
        if best.is_none_or(|b| point.top1 > b.top1 || b.top1.is_nan()) {
            *best = Some(point);
        }
    }
}

/// The end of a log.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct LogEnd {
    pub standing: Standing,
    /// Of the last good line in the part that was read; 0 if there was none.
    pub seq: u64,
    /// Whole lines end here, in bytes; `None` if the part that was read has no end of a line.
    pub whole: Option<u64>,
    /// All there is, in bytes.
    pub len: u64,
}

/// Reads the end of the log at `path`, as far back as the last line that holds a standing.
///
/// # Errors
/// If the file exists and cannot be read; a log that does not exist is an empty one.
pub(super) fn read_end(path: &Path) -> io::Result<LogEnd> {
    let file = match private::open_read(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(LogEnd::default()),
        Err(e) => return Err(e),
    };
    end_of(&file)
}

/// As [`read_end`], of an open file.
pub(super) fn end_of(file: &File) -> io::Result<LogEnd> {
    let len = file.metadata()?.len();
    let mut window = FIRST;
    loop {
        let from = len.saturating_sub(window);
        let (end, complete) = read_from(file, from, len)?;
        if complete || from == 0 || window >= MOST {
            return Ok(end);
        }
        window = (4 * window).min(MOST);
    }
}

/// Folds the lines of `from..len`; true if they tell all (they begin with the log or hold a standing).
fn read_from(file: &File, from: u64, len: u64) -> io::Result<(LogEnd, bool)> {
    let mut bytes = vec![0; usize::try_from(len - from).unwrap_or(0)];
    let read = read_fully(file, &mut bytes, from)?;
    let mut rest = &bytes[..read];
    let mut complete = from == 0;
    // Most likely the end of a line that began before.
    let cut = from > 0 && split_line(&mut rest).is_none();
    let mut end = LogEnd {
        len: from + read as u64,
        ..LogEnd::default()
    };
    let mut lines: Vec<&[u8]> = Vec::new();
    while let Some(line) = split_line(&mut rest) {
        lines.push(line);
    }
    // Lines before the last standing say nothing that it does not.
    let last = lines.iter().rposition(|line| looks_like_standing(line));
    for line in &lines[last.unwrap_or(0)..] {
        match parse(line) {
            Parsed::Event(line) => {
                end.standing.fold(line.t_ms, &line.event);
                end.seq = line.seq;
            }
            Parsed::Standing { standing, seq, .. } => {
                (end.standing, end.seq) = (*standing, seq);
                complete = true;
            }
            Parsed::Unknown | Parsed::Damaged => {}
        }
    }
    end.whole = (!cut).then_some(end.len - rest.len() as u64);
    Ok((end, complete))
}

/// Reads until `bytes` is full or the file ends; gives the number of bytes read.
pub(super) fn read_fully(file: &File, bytes: &mut [u8], from: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < bytes.len() {
        match file.read_at(&mut bytes[done..], from + done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::line::{write_event, write_standing};

    fn eval(step: u64, top1: f64) -> Event {
        Event::Eval {
            step,
            epoch: step as f64,
            split: Split::Test,
            loss: 1.0,
            top1,
            top5: None,
            images: 10,
            seconds: 0.1,
        }
    }

    fn state(state: RunState) -> Event {
        Event::State {
            state,
            reason: None,
        }
    }

    #[test]
    fn the_best_evaluation_is_kept_beside_the_last() {
        let mut standing = Standing::default();
        for (step, top1) in [(1, f64::NAN), (2, 50.0), (3, 60.0), (4, 55.0)] {
            standing.fold(step, &eval(step, top1));
        }
        assert_eq!(standing.best_test.unwrap().step, 3);
        assert_eq!(standing.test.unwrap().step, 4);
        assert_eq!(standing.best_val, None);
    }

    #[test]
    fn time_without_a_worker_does_not_count() {
        let mut standing = Standing::default();
        standing.fold(1000, &state(RunState::Starting));
        standing.fold(3000, &state(RunState::Stopped));
        standing.fold(900_000, &state(RunState::Starting));
        standing.fold(901_000, &state(RunState::Running));
        assert_eq!(standing.active_ms, 3000);
        assert_eq!(standing.started_ms, 1000);
    }

    #[test]
    fn the_end_of_a_long_log_tells_as_much_as_the_whole() {
        let (mut bytes, mut whole) = (Vec::new(), Standing::default());
        let mut since = 0;
        for i in 1..5000 {
            let event = match i {
                1 => state(RunState::Starting),
                2 => state(RunState::Paused),
                _ => eval(i, (i % 100) as f64),
            };
            whole.fold(i, &event);
            let before = bytes.len();
            write_event(&mut bytes, i, i, &event);
            since += bytes.len() - before;
            if since > 8 << 10 {
                write_standing(&mut bytes, i, i, &whole);
                since = 0;
            }
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        bytes.extend(b"{\"t\":torn");
        std::fs::write(file.path(), &bytes).unwrap();
        let end = read_end(file.path()).unwrap();
        assert_eq!(end.standing, whole);
        assert_eq!(end.len, bytes.len() as u64);
        assert_eq!(end.whole, Some(end.len - 9));
        assert_eq!(end.seq, 4999);
    }

    #[test]
    fn a_standing_survives_a_loss_that_is_no_number() {
        let mut standing = Standing::default();
        standing.fold(1, &eval(1, f64::NAN));
        let mut bytes = Vec::new();
        write_standing(&mut bytes, 1, 1, &standing);
        let Parsed::Standing { standing, .. } = parse(&bytes) else {
            panic!("{}", String::from_utf8_lossy(&bytes))
        };
        assert!(standing.test.unwrap().top1.is_nan());
    }
}
