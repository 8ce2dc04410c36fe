//! A run's values in order.

use super::Line;
use crate::train::{Event, Split};

/// The lines without those that a later part of the log says again: a worker that resumes from a
/// checkpoint repeats the steps that its predecessor did after it. The later value counts.
#[must_use]
pub fn without_repeats(lines: Vec<Line>) -> Vec<Line> {
    let mut lowest = [u64::MAX; SERIES];
    let mut kept: Vec<Line> = lines
        .into_iter()
        .rev()
        .filter(|line| {
            let Some((series, step)) = place(&line.event) else {
                return true;
            };
            let counts = step < lowest[series];
            lowest[series] = step.min(lowest[series]);
            counts
        })
        .collect();
    kept.reverse();
    kept
}

/// Training, and one evaluation for each split.
const SERIES: usize = 4;

/// Which series an event belongs to, and its step there.
fn place(event: &Event) -> Option<(usize, u64)> {
    match event {
        Event::Train { step, .. } => Some((0, *step)),
        Event::Eval { step, split, .. } => Some((of_split(*split), *step)),
        Event::Before { split, .. } => Some((of_split(*split), 0)),
        _ => None,
    }
}

const fn of_split(split: Split) -> usize {
    match split {
        Split::Train => 1,
        Split::Val => 2,
        Split::Test => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn train(seq: u64, step: u64) -> Line {
        Line {
            t_ms: seq,
            seq,
            event: Event::Train {
                step,
                epoch: 0.0,
                loss: 0.0,
                top1: 0.0,
                lr: 0.0,
                grad_norm: 0.0,
                images_per_s: 0.0,
                data_wait: 0.0,
            },
        }
    }

    #[test]
    fn repeated_steps_count_once_with_their_later_value() {
        let note = Line {
            t_ms: 4,
            seq: 4,
            event: Event::Note { text: "x".into() },
        };
        let lines = vec![
            train(1, 10),
            train(2, 20),
            train(3, 30),
            note,
            train(5, 20),
            train(6, 40),
        ];
        let seqs: Vec<_> = without_repeats(lines).iter().map(|l| l.seq).collect();
        assert_eq!(seqs, [1, 4, 5, 6]);
    }
}
