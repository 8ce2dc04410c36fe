//! One line of an event log, out and in.
//!
//! A line is `{"t":ms,"seq":N,"kind":...}` and the fields of its [`Event`]. Besides the kinds of events
//! there is `standing`: what the log said up to there, written now and then by the log itself, so that
//! a list of runs needs to read only the end of each log. Numbers that are not finite are written as
//! `null` (JSON has no others) and read as NaN.

use std::borrow::Cow;
use std::io::BufRead;

use serde::{Deserialize, Serialize};

use super::Standing;
use crate::train::{Event, RunState, Split, StepPhases};

/// One event with its time and its place in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Milliseconds since 1970.
    pub t_ms: u64,
    /// Counts the lines of the log from 1, also over resumes.
    pub seq: u64,
    pub event: Event,
}

impl Serialize for Line {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Written {
            t: self.t_ms,
            seq: self.seq,
            body: &self.event,
        }
        .serialize(to)
    }
}

#[derive(Serialize)]
struct Written<'a, B: Serialize> {
    t: u64,
    seq: u64,
    #[serde(flatten)]
    body: &'a B,
}

#[derive(Serialize)]
struct StandingBody<'a> {
    kind: &'static str,
    standing: &'a Standing,
}

/// Appends the event's line to `out`.
pub(super) fn write_event(out: &mut Vec<u8>, t: u64, seq: u64, event: &Event) {
    write(
        out,
        &Written {
            t,
            seq,
            body: event,
        },
    );
}

/// Appends a line with the standing to `out`.
pub(super) fn write_standing(out: &mut Vec<u8>, t: u64, seq: u64, standing: &Standing) {
    let body = StandingBody {
        kind: "standing",
        standing,
    };
    write(
        out,
        &Written {
            t,
            seq,
            body: &body,
        },
    );
}

fn write(out: &mut Vec<u8>, line: &impl Serialize) {
    let start = out.len();
    match serde_json::to_writer(&mut *out, line) {
        Ok(()) => out.push(b'\n'),
        // Plain data into memory does not fail; if it did, half a line would be the worst outcome.
        Err(_) => out.truncate(start),
    }
}

/// What one line turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Parsed {
    Event(Line),
    Standing {
        t_ms: u64,
        seq: u64,
        standing: Box<Standing>,
    },
    /// JSON of a kind or shape that this version does not know.
    Unknown,
    /// No JSON.
    Damaged,
}

/// Reads one line, with or without its newline.
pub(super) fn parse(line: &[u8]) -> Parsed {
    if let Ok(fields) = serde_json::from_slice::<Fields<'_>>(line) {
        return fields.parsed().unwrap_or(Parsed::Unknown);
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(line) {
        Ok(_) => Parsed::Unknown,
        Err(_) => Parsed::Damaged,
    }
}

/// Whether a line may hold a standing: a look at its beginning, where the log writes its kind.
pub(super) fn looks_like_standing(line: &[u8]) -> bool {
    const KIND: &[u8] = br#""kind":"standing""#;
    const WITHIN: usize = 80;
    let beginning = &line[..line.len().min(WITHIN)];
    beginning.windows(KIND.len()).any(|part| part == KIND)
}

/// Splits the first line off `bytes`, newline included; `None` if none is complete.
pub(super) fn split_line<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut rest = *bytes;
    let len = rest.skip_until(b'\n').ok()?; // reading from memory does not fail
    let (line, rest) = bytes.split_at(len);
    if line.last() != Some(&b'\n') {
        return None;
    }
    *bytes = rest;
    Some(line)
}

/// The fields of all kinds at once. Much faster to read than a tagged enum, which has to buffer a line
/// before it knows its kind.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    t: u64,
    #[serde(default)]
    seq: u64,
    step: Option<u64>,
    epoch: Option<f64>,
    loss: Option<f64>,
    top1: Option<f64>,
    top5: Option<f64>,
    lr: Option<f64>,
    grad_norm: Option<f64>,
    images_per_s: Option<f64>,
    data_wait: Option<f64>,
    split: Option<Split>,
    images: Option<u64>,
    seconds: Option<f64>,
    graph: Option<f64>,
    predict: Option<f64>,
    forward: Option<f64>,
    backward: Option<f64>,
    update: Option<f64>,
    skipped: Option<u64>,
    rss_bytes: Option<u64>,
    cpu_percent: Option<f64>,
    state: Option<RunState>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    standing: Option<Box<Standing>>,
}

/// What was written as `null`.
fn number(value: Option<f64>) -> f64 {
    value.unwrap_or(f64::NAN)
}

impl Fields<'_> {
    /// `None` for an unknown kind, or if a field is missing without which the event says nothing.
    fn parsed(self) -> Option<Parsed> {
        let (t_ms, seq) = (self.t, self.seq);
        if self.kind == "standing" {
            let standing = self.standing?;
            return Some(Parsed::Standing {
                t_ms,
                seq,
                standing,
            });
        }
        let event = self.event()?;
        Some(Parsed::Event(Line { t_ms, seq, event }))
    }

    fn event(self) -> Option<Event> {
        Some(match &*self.kind {
            "train" => Event::Train {
                step: self.step?,
                epoch: number(self.epoch),
                loss: number(self.loss),
                top1: number(self.top1),
                lr: number(self.lr),
                grad_norm: number(self.grad_norm),
                images_per_s: number(self.images_per_s),
                data_wait: number(self.data_wait),
            },
            "eval" => Event::Eval {
                step: self.step?,
                epoch: number(self.epoch),
                split: self.split?,
                loss: number(self.loss),
                top1: number(self.top1),
                top5: self.top5,
                images: self.images.unwrap_or(0),
                seconds: number(self.seconds),
            },
            "before" => Event::Before {
                split: self.split?,
                loss: number(self.loss),
                top1: number(self.top1),
                images: self.images.unwrap_or(0),
                seconds: number(self.seconds),
            },
            "phases" => Event::Phases(StepPhases {
                step: self.step?,
                epoch: number(self.epoch),
                graph: number(self.graph),
                predict: number(self.predict),
                forward: number(self.forward),
                backward: number(self.backward),
                update: number(self.update),
                skipped: self.skipped.unwrap_or(0),
            }),
            "system" => Event::System {
                step: self.step.unwrap_or(0),
                epoch: number(self.epoch),
                rss_bytes: self.rss_bytes.unwrap_or(0),
                cpu_percent: number(self.cpu_percent),
            },
            "state" => Event::State {
                state: self.state?,
                reason: self.reason.map(Cow::into_owned),
            },
            "note" => Event::Note {
                text: self.text?.into_owned(),
            },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events() -> Vec<Event> {
        vec![
            Event::Train {
                step: 7,
                epoch: 0.5,
                loss: 2.25,
                top1: 12.5,
                lr: 0.1,
                grad_norm: 3.5,
                images_per_s: 100.0,
                data_wait: 0.25,
            },
            Event::Eval {
                step: 7,
                epoch: 1.0,
                split: Split::Test,
                loss: 2.0,
                top1: 20.0,
                top5: Some(60.0),
                images: 10_000,
                seconds: 1.5,
            },
            Event::Before {
                split: Split::Val,
                loss: 2.5,
                top1: 38.5,
                images: 1000,
                seconds: 0.75,
            },
            Event::Phases(StepPhases {
                step: 7,
                epoch: 1.0,
                graph: 0.125,
                predict: 0.25,
                forward: 0.5,
                backward: 1.5,
                update: 0.0625,
                skipped: 3,
            }),
            Event::System {
                step: 7,
                epoch: 1.0,
                rss_bytes: 1 << 30,
                cpu_percent: 180.0,
            },
            Event::State {
                state: RunState::Failed,
                reason: Some("the loss is \"NaN\"\n\x1b[31m".into()),
            },
            Event::Note {
                text: "änderung".into(),
            },
        ]
    }

    #[test]
    fn every_event_is_read_as_it_was_written() {
        for event in events() {
            let mut bytes = Vec::new();
            write_event(&mut bytes, 5, 9, &event);
            assert_eq!(bytes.iter().filter(|&&b| b == b'\n').count(), 1);
            let line = Line {
                t_ms: 5,
                seq: 9,
                event,
            };
            assert_eq!(parse(&bytes), Parsed::Event(line.clone()));
            assert_eq!(serde_json::to_vec(&line).unwrap(), bytes[..bytes.len() - 1]);
        }
    }

    #[test]
    fn a_loss_that_is_no_number_comes_back_as_one() {
        let mut event = events().remove(0);
        if let Event::Train { loss, .. } = &mut event {
            *loss = f64::NAN;
        }
        let mut bytes = Vec::new();
        write_event(&mut bytes, 5, 9, &event);
        let Parsed::Event(line) = parse(&bytes) else {
            panic!("{}", String::from_utf8_lossy(&bytes))
        };
        assert!(matches!(line.event, Event::Train { loss, step: 7, .. } if loss.is_nan()));
    }

    #[test]
    fn other_versions_and_damage_are_told_apart() {
        for unknown in [
            r#"{"t":1,"seq":2,"kind":"gradient","norms":[1,2]}"#,
            r#"{"t":1,"seq":2,"kind":"state","state":"migrating"}"#,
            r#"{"t":1,"seq":2,"kind":"train","step":"seven"}"#,
            r#"{"t":1}"#,
            "[]",
        ] {
            assert_eq!(parse(unknown.as_bytes()), Parsed::Unknown, "{unknown}");
        }
        for damaged in ["", "{\"t\":1,\"seq\"", "\0\0\0\0", "}{", "\u{7f}ELF"] {
            assert_eq!(parse(damaged.as_bytes()), Parsed::Damaged, "{damaged:?}");
        }
        let more = r#"{"t":1,"seq":2,"kind":"note","text":"x","mood":{"deep":[1]}}"#;
        assert!(matches!(parse(more.as_bytes()), Parsed::Event(_)));
    }

    #[test]
    fn only_whole_lines_are_split_off() {
        let mut bytes: &[u8] = b"a\n\nbc";
        assert_eq!(split_line(&mut bytes), Some(&b"a\n"[..]));
        assert_eq!(split_line(&mut bytes), Some(&b"\n"[..]));
        assert_eq!(split_line(&mut bytes), None);
        assert_eq!(bytes, b"bc");
    }
}
