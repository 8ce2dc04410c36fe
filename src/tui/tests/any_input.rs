//! Whatever arrives, in whatever order and at whatever size: no panic, no control character.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use proptest::prelude::*;

use super::harness::{Harness, SETTING, Setting, details, event, predicted, rows};
use super::made_runs::{Folder, MadeRun, log, request};
use crate::engine::protocol::{Body, DiversityRow, Histogram, ShiftReport, Side, TensorDetail};
use crate::run::{Event, Line, Listing, RunState, Split, Status};
use crate::tui::glyphs::GlyphSet;
use crate::tui::msg::Msg;
use crate::tui::panels::runs::{Points, RunsMsg};
use crate::tui::theme::Level;

const KEYS: &[&str] = &[
    "1",
    "2",
    "2",
    "2",
    "3",
    "4",
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
    "5",
    "e",
    "backspace",
    "r",
    "d",
    "u",
    "t",
    "+",
    "-",
    "<",
    "L",
    "X",
    "0",
    "n",
    "N",
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
    /// News of this kind about run files, and about which run.
    Runs(usize, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0..KEYS.len()).prop_map(Step::Key),
        2 => (0_u16..230, 0_u16..70).prop_map(|(w, h)| Step::Resize(w, h)),
        1 => ".{0,12}".prop_map(Step::Paste),
        7 => (0_usize..16).prop_map(Step::Answer),
        1 => Just(Step::EngineGone),
        1 => (0_u64..100_000).prop_map(Step::Tick),
        8 => (0_usize..10, 0_usize..4).prop_map(|(kind, run)| Step::Runs(kind, run)),
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

/// A report with numbers that are none and text that is none.
fn broken_report() -> Box<ShiftReport> {
    let mut report = super::shift::report("convnext_base");
    let nasty = "\u{1b}[31mx\u{202e}";
    report.arch = nasty.into();
    report.summary = nasty.into();
    report.params = u64::MAX;
    report.measures.truncate(3);
    for measure in &mut report.measures {
        measure.value = f64::NAN;
        measure.standing.percentile = f64::INFINITY;
        measure.histogram.low = f64::NAN;
        measure.histogram.counts = vec![u64::MAX, 0];
    }
    report.measures[1].histogram.counts.clear();
    for bar in &mut report.features[0].bars {
        (bar.share, bar.reference, bar.label) = (f64::NAN, -1.0, nasty.into());
    }
    report.unseen[0].what = nasty.into();
    report.unseen[0].tensors.clear();
    report.unseen[1].tensors = vec![nasty.into()];
    report.tiling.values = 0;
    report
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
        9 => Body::Shift(super::shift::report("resnet18")),
        10 => Body::Shift(broken_report()),
        11 => super::ghns::broken_list(),
        12 => super::ghns::broken_report(),
        13 => super::ghns::report("default", vec![super::ghns::record()]),
        14 => super::ghns::broken_evaluation(),
        _ => Body::Done,
    }
}

/// The three usual runs, and one whose request and log are hostile.
static RUNS: LazyLock<Vec<MadeRun>> = LazyLock::new(|| {
    let folder = Folder::new();
    let mut runs = folder.three();
    let nasty = "\u{1b}[31mx\u{202e}\u{200d}";
    let mut asked = request(nasty, nasty);
    asked.device = nasty.into();
    asked.training.lr = f64::NAN;
    asked.training.epochs = u32::MAX;
    let lines = log(3, f64::NAN, (RunState::Failed, Some(nasty)));
    runs.push(folder.run("20261123-0914-odd-0001", Status::Failed, asked, lines));
    runs
});

/// Lines as a damaged log could hold them: nothing in order, nothing finite.
fn broken_lines() -> Vec<Line> {
    let train = |step, epoch, loss| Event::Train {
        step,
        epoch,
        loss,
        top1: -1e300,
        lr: f64::INFINITY,
        grad_norm: 0.0,
        images_per_s: 0.0,
        data_wait: 0.0,
    };
    let eval = Event::Eval {
        step: 0,
        epoch: f64::NAN,
        split: Split::Val,
        loss: f64::NEG_INFINITY,
        top1: f64::NAN,
        top5: None,
        images: 0,
        seconds: -1.0,
    };
    let events = [
        train(u64::MAX, 1e300, f64::NAN),
        train(3, -5.0, 1e-300),
        train(4, f64::INFINITY, -1.0),
        eval,
    ];
    let times = [u64::MAX, 0, 5, 1];
    let lines = events.into_iter().zip(times);
    lines
        .map(|(event, t_ms)| Line {
            t_ms,
            seq: 0,
            event,
        })
        .collect()
}

fn news(kind: usize, run: &MadeRun) -> RunsMsg {
    let id = run.summary.id().clone();
    let points = |lines: &[Line], fresh, more| {
        RunsMsg::Points(Points {
            run: id.clone(),
            lines: lines.into(),
            fresh,
            more,
            lost: 7,
        })
    };
    let listed = |runs: &[MadeRun], damaged| {
        let runs = runs.iter().map(|run| run.summary.clone()).collect();
        RunsMsg::Listed(Arc::new(Listing { runs, damaged }))
    };
    let nasty = "\u{9b}31m\u{202e}".to_owned();
    match kind {
        0 => listed(&RUNS, Vec::new()),
        1 => listed(&RUNS[2..], vec![(id, nasty)]),
        2 => listed(&[], Vec::new()),
        3 => points(&run.lines, true, false),
        4 => points(&broken_lines(), false, true),
        5 => RunsMsg::PointsFailed(id, nasty),
        6 => RunsMsg::ListFailed(nasty),
        7 => RunsMsg::Told(id, "stop", Err(nasty)),
        8 => RunsMsg::Log(id, Ok(vec![nasty.as_str().into()])),
        _ => RunsMsg::Polled,
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
        Step::Runs(kind, run) => harness.send(Msg::Runs(news(kind, &RUNS[run]))),
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
