//! A run's curves as TensorBoard reads them: an event file.
//!
//! Such a file is a row of records, each a length, a message and checksums of both (TFRecord). The messages are
//! protocol buffers, of which only what scalars need is written here. TensorBoard takes every folder below its
//! `--logdir` that has a file with `tfevents` in its name for a run.

use prost::Message;

use super::Line;
use crate::train::{Event, Split};

/// The first record says this.
const VERSION: &str = "brain.Event:2";

#[derive(Clone, PartialEq, Message)]
struct EventProto {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<SummaryProto>,
}

#[derive(Clone, PartialEq, Message)]
struct SummaryProto {
    #[prost(message, repeated, tag = "1")]
    value: Vec<ValueProto>,
}

#[derive(Clone, PartialEq, Message)]
struct ValueProto {
    #[prost(string, tag = "1")]
    tag: String,
    /// One of several kinds of values: written even if it is zero.
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

/// The name of the event file of a run's lines, with the second in which they began.
#[must_use]
pub fn file_name(lines: &[Line]) -> String {
    format!("events.out.tfevents.{}.hyperscope", began_ms(lines) / 1000)
}

fn began_ms(lines: &[Line]) -> u64 {
    lines.first().map_or(0, |line| line.t_ms)
}

/// The scalars of a run's lines. Accuracies are in percent, times in seconds, memory in GiB.
#[must_use]
pub fn event_file(lines: &[Line]) -> Vec<u8> {
    let mut file = Vec::new();
    let version = EventProto {
        wall_time: seconds(began_ms(lines)),
        file_version: Some(VERSION.to_owned()),
        ..EventProto::default()
    };
    record(&mut file, &version);
    for line in lines {
        let Some((step, value)) = scalars(&line.event) else {
            continue;
        };
        let event = EventProto {
            wall_time: seconds(line.t_ms),
            step: i64::try_from(step).unwrap_or(i64::MAX),
            file_version: None,
            summary: Some(SummaryProto { value }),
        };
        record(&mut file, &event);
    }
    file
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// An event's step and its numbers by TensorBoard's tags, if it has any.
fn scalars(event: &Event) -> Option<(u64, Vec<ValueProto>)> {
    let tagged = |group: &str, values: &[(&str, f64)]| {
        let value = |(name, value): &(&str, f64)| ValueProto {
            tag: format!("{group}/{name}"),
            simple_value: Some(*value as f32),
        };
        values.iter().map(value).collect()
    };
    Some(match event {
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
            let values = [
                ("loss", *loss),
                ("top1", *top1),
                ("lr", *lr),
                ("grad_norm", *grad_norm),
                ("images_per_s", *images_per_s),
                ("data_wait", *data_wait),
                ("epoch", *epoch),
            ];
            (*step, tagged("train", &values))
        }
        Event::Eval {
            step,
            split,
            loss,
            top1,
            top5,
            ..
        } => {
            let mut values = vec![("loss", *loss), ("top1", *top1)];
            values.extend(top5.map(|top5| ("top5", top5)));
            (*step, tagged(group(*split), &values))
        }
        Event::Before {
            split, loss, top1, ..
        } => {
            let values = [("loss", *loss), ("top1", *top1)];
            (0, tagged(group(*split), &values))
        }
        Event::Phases(phases) => {
            let values = [
                ("graph", phases.graph),
                ("predict", phases.predict),
                ("forward", phases.forward),
                ("backward", phases.backward),
                ("update", phases.update),
                ("skipped", phases.skipped as f64),
            ];
            (phases.step, tagged("step", &values))
        }
        Event::System {
            step,
            rss_bytes,
            cpu_percent,
            ..
        } => {
            let memory = *rss_bytes as f64 / f64::from(1 << 30);
            let values = [("memory_gib", memory), ("cpu_percent", *cpu_percent)];
            (*step, tagged("system", &values))
        }
        Event::State { .. } | Event::Note { .. } => return None,
    })
}

/// Evaluations on training images stand beside what the steps say of them.
const fn group(split: Split) -> &'static str {
    match split {
        Split::Train => "train_eval",
        Split::Val => "val",
        Split::Test => "test",
    }
}

/// Appends a record.
fn record(file: &mut Vec<u8>, event: &EventProto) {
    let message = event.encode_to_vec();
    let length = (message.len() as u64).to_le_bytes();
    file.extend(length);
    file.extend(masked(&length).to_le_bytes());
    file.extend(&message);
    file.extend(masked(&message).to_le_bytes());
}

/// The checksum of a record's part: CRC-32C, turned and shifted, since sums over data that holds sums are weak.
fn masked(part: &[u8]) -> u32 {
    const SHIFT: u32 = 0xa282_ead8;
    crc32c::crc32c(part).rotate_right(15).wrapping_add(SHIFT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(step: u64, event: Event) -> Line {
        Line {
            t_ms: 1_700_000_000_000 + step,
            seq: step,
            event,
        }
    }

    /// The messages of a file whose lengths and checksums are right.
    fn read(mut file: &[u8]) -> Vec<EventProto> {
        let mut events = Vec::new();
        while !file.is_empty() {
            let (length, rest) = file.split_at(8);
            let (sum, rest) = rest.split_at(4);
            assert_eq!(sum, masked(length).to_le_bytes());
            let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
            let (message, rest) = rest.split_at(length);
            let (sum, rest) = rest.split_at(4);
            assert_eq!(sum, masked(message).to_le_bytes());
            events.push(EventProto::decode(message).unwrap());
            file = rest;
        }
        events
    }

    #[test]
    fn checksums_are_those_of_tensorflow() {
        // The first eight bytes of any record of 24 bytes, as TensorFlow writes it.
        assert_eq!(
            masked(&24u64.to_le_bytes()).to_le_bytes(),
            [0xa3, 0x7f, 0x4b, 0x22]
        );
    }

    #[test]
    fn every_number_stands_at_its_step() {
        let lines = [
            at(
                1,
                Event::Before {
                    split: Split::Val,
                    loss: 2.3,
                    top1: 0.0,
                    images: 10,
                    seconds: 1.0,
                },
            ),
            at(
                2,
                Event::Note {
                    text: "nothing to draw".to_owned(),
                },
            ),
            at(
                7,
                Event::Eval {
                    step: 7,
                    epoch: 1.0,
                    split: Split::Val,
                    loss: f64::NAN,
                    top1: 25.0,
                    top5: Some(75.0),
                    images: 10,
                    seconds: 1.0,
                },
            ),
        ];
        let events = read(&event_file(&lines));
        assert_eq!(events[0].file_version.as_deref(), Some(VERSION));
        let said: Vec<(i64, Vec<(String, f32)>)> = events[1..]
            .iter()
            .map(|event| {
                let values = &event.summary.as_ref().unwrap().value;
                let values = values
                    .iter()
                    .map(|v| (v.tag.clone(), v.simple_value.unwrap()));
                (event.step, values.collect())
            })
            .collect();
        assert_eq!(said.len(), 2);
        let named = |name: &str, value| (name.to_owned(), value);
        assert_eq!(
            said[0],
            (0, vec![named("val/loss", 2.3), named("val/top1", 0.0)])
        );
        assert_eq!(said[1].0, 7);
        assert!(said[1].1[0].1.is_nan());
        assert_eq!(
            said[1].1[1..],
            [named("val/top1", 25.0), named("val/top5", 75.0)]
        );
        assert!((events[2].wall_time - 1_700_000_000.007).abs() < 1e-6);
    }
}
