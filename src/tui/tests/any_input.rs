//! Whatever arrives, in whatever order and at whatever size: no panic, no control character.

use std::time::Duration;

use proptest::prelude::*;

use super::harness::{Harness, SETTING, Setting, details, event, predicted, rows};
use crate::engine::protocol::{Body, DiversityRow, Histogram, Side, TensorDetail};
use crate::tui::glyphs::GlyphSet;
use crate::tui::msg::Msg;
use crate::tui::theme::Level;

const KEYS: &[&str] = &[
    "1",
    "2",
    "2",
    "2",
    "3",
    "up",
    "down",
    "left",
    "right",
    "enter",
    "esc",
    "tab",
    "space",
    "/",
    ":",
    "?",
    "g",
    "G",
    "p",
    "w",
    "f",
    "o",
    "s",
    "c",
    "i",
    "m",
    "z",
    "q",
    "y",
    "x",
    "5",
    "backspace",
    "ctrl-t",
    "ctrl-g",
    "ctrl-u",
    "ctrl-d",
    "ctrl-e",
];

#[derive(Clone, Debug)]
enum Step {
    Key(usize),
    Resize(u16, u16),
    Paste(String),
    /// An answer of this kind to the last request.
    Answer(usize),
    EngineGone,
    Tick(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0..KEYS.len()).prop_map(Step::Key),
        2 => (0_u16..230, 0_u16..70).prop_map(|(w, h)| Step::Resize(w, h)),
        1 => ".{0,12}".prop_map(Step::Paste),
        6 => (0_usize..10).prop_map(Step::Answer),
        1 => Just(Step::EngineGone),
        1 => (0_u64..100_000).prop_map(Step::Tick),
    ];
    proptest::collection::vec(step, 0..50)
}

/// Numbers as a broken engine could send them.
fn broken_row() -> DiversityRow {
    DiversityRow {
        name: "\u{1b}[31mx\u{202e}".into(),
        shape: vec![0, usize::MAX],
        effective_rank: f64::NAN,
        sigma_max: f64::INFINITY,
        sigma_min: -1.0,
        duplicate_fraction: f64::NAN,
        nan: u64::MAX,
        outline: vec![f32::NAN, -1.0, 1e30],
        ..rows().remove(0)
    }
}

fn broken_detail() -> TensorDetail {
    TensorDetail {
        singular_values: vec![f32::NAN, 0.0, -1.0],
        histogram: Histogram {
            low: f64::NAN,
            high: 0.0,
            counts: vec![u64::MAX, 0],
        },
        correlation: vec![0.0; 3],
        correlation_side: 1000,
    }
}

fn body(kind: usize, harness: &Harness) -> Body {
    use crate::engine::protocol::Command;
    let tensor = match harness.asked().map(|r| r.command) {
        Some(Command::Detail { tensor }) => tensor,
        _ => "conv1.weight".into(),
    };
    match kind {
        0 => predicted(),
        1 => Body::Row {
            side: Side::Before,
            row: rows().remove(0),
        },
        2 => Body::Row {
            side: Side::After,
            row: broken_row(),
        },
        3 => Body::Detail {
            tensor,
            before: details(0.1),
            after: None,
        },
        4 => Body::Detail {
            tensor,
            before: broken_detail(),
            after: Some(details(0.0)),
        },
        5 => Body::Progress {
            what: "w\u{7}".into(),
            done: 7,
            total: 3,
        },
        6 => Body::Warning {
            text: "layer4 is \u{1b}c rank-deficient".into(),
        },
        7 => Body::Failed {
            message: String::new(),
            cancelled: false,
        },
        8 => Body::Failed {
            message: "cancelled".into(),
            cancelled: true,
        },
        _ => Body::Done,
    }
}

fn take(harness: &mut Harness, step: Step) {
    match step {
        Step::Key(key) => harness.send(Msg::Key(event(KEYS[key]))),
        Step::Resize(columns, rows) => harness.send(Msg::Resize(columns, rows)),
        Step::Paste(text) => harness.send(Msg::Paste(text)),
        Step::Answer(kind) => {
            let id = harness.asked().map_or(0, |request| request.id);
            let body = body(kind, harness);
            harness.say(id, body);
        }
        Step::EngineGone => harness.send(Msg::EngineGone("\u{9b}gone".into())),
        Step::Tick(ms) => harness.send(Msg::Tick(Duration::from_millis(ms))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_input_is_survived(steps in steps(), ascii in any::<bool>(), level in 0_usize..4) {
        let mut harness = Harness::ready(Setting {
            level: Level::ALL[level],
            glyphs: if ascii { GlyphSet::Ascii } else { GlyphSet::Unicode },
            ..SETTING
        });
        for step in steps {
            take(&mut harness, step);
            let buf = harness.draw();
            let bad = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
            let found = buf.content.iter().find(|cell| cell.symbol().contains(bad));
            prop_assert!(found.is_none(), "{found:?}");
        }
    }
}
