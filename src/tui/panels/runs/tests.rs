//! The panel without a terminal: news and keys in, state, effects and cells out.

mod curves;
mod experiment;
mod list;
mod news;
mod nothing;
mod over;
mod steering;

use std::sync::Arc;
use std::time::Duration;

use ratatui::style::Color;

use super::list::MOST_MARKED;
use super::messages::Points;
use super::metric::{Metric, Which};
use super::*;
use crate::run::{Command as Order, Event as Logged, Line, Listing, RunState};
use crate::tui::charts::XUnit;
use crate::tui::msg::Msg;
use crate::tui::shared::Severity;
use crate::tui::tests::harness::{Harness, SETTING, Setting, find};
use crate::tui::tests::made_runs::{BEGUN_MS, Folder, MadeRun, log, request};

const WIDE: Setting = Setting {
    size: (120, 36),
    ..SETTING
};

/// The first of the three runs goes on, the second failed, the third finished.
fn three(setting: Setting) -> (Harness, Vec<MadeRun>) {
    let runs = Folder::new().three();
    (Harness::with_runs(setting, &runs), runs)
}

/// One run in this state.
fn one(status: Status) -> (Harness, MadeRun) {
    let run = Folder::new().run(
        "20261123-0914-vit-ghn-0001",
        status,
        request("vit_b_16", "ghn"),
        log(10, 50.0, (RunState::Running, None)),
    );
    let harness = Harness::with_runs(WIDE, std::slice::from_ref(&run));
    (harness, run)
}

fn panel(harness: &Harness) -> &RunsPanel {
    &harness.app.runs
}

fn drawn(harness: &Harness) -> Vec<String> {
    let drawn = panel(harness).list.drawn();
    drawn.iter().map(|row| row.id.to_string()).collect()
}

fn notice(harness: &Harness) -> String {
    let notice = harness.app.shared.notice.as_ref();
    notice.map_or_else(String::new, |notice| notice.text.to_string())
}

/// What was asked of workers.
fn orders(harness: &Harness) -> Vec<RunsEffect> {
    let effects = harness.effects.iter().filter_map(|effect| match effect {
        Effect::Runs(asked @ (RunsEffect::Tell(..) | RunsEffect::Start(_))) => Some(asked.clone()),
        _ => None,
    });
    effects.collect()
}

fn polls(harness: &Harness) -> usize {
    let is_poll = |e: &&Effect| matches!(e, Effect::Runs(RunsEffect::Poll { .. }));
    harness.effects.iter().filter(is_poll).count()
}

fn points(run: &MadeRun, lines: &[Line]) -> RunsMsg {
    RunsMsg::Points(Points {
        run: run.summary.id().clone(),
        lines: lines.into(),
        fresh: false,
        more: false,
        lost: 0,
    })
}

fn note(text: &str) -> Line {
    Line {
        t_ms: BEGUN_MS,
        seq: 1,
        event: Logged::Note { text: text.into() },
    }
}
