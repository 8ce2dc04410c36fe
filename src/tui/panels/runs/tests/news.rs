//! Outside text, news and time.

use super::*;

#[test]
fn no_name_reason_or_log_line_reaches_the_terminal_raw() {
    let nasty = "a\u{1b}]52;c;x\u{7}\u{202e}b\u{200d}c\u{2066}\u{9b}31m";
    let mut asked = request(nasty, nasty);
    asked.device = nasty.into();
    asked.data.name = nasty.into();
    asked.training.optimizer = nasty.into();
    asked.created = nasty.into();
    let lines = log(2, 20.0, (RunState::Failed, Some(nasty)));
    let folder = Folder::new();
    let run = folder.run("20261123-0914-x-0001", Status::Failed, asked, lines);
    let plain = folder.run(
        "20261123-0914-y-0002",
        Status::Finished,
        request("vit", "rand"),
        Vec::new(),
    );
    let id = run.summary.id().clone();
    let mut harness = Harness::with_runs(WIDE, &[run.clone(), plain]);
    let clean = |harness: &Harness, what: &str| {
        let bad = |c: char| {
            c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        };
        let buf = harness.draw();
        let found = buf.content.iter().find(|cell| cell.symbol().contains(bad));
        assert!(found.is_none(), "{what}: {found:?}");
    };
    clean(&harness, "list and details");
    harness.press("d");
    clean(&harness, "comparison");
    harness.press("esc o");
    harness.hear(points(&run, &[note(nasty)]));
    harness.hear(RunsMsg::Log(id.clone(), Err(nasty.into())));
    clean(&harness, "log");
    harness.press("esc");
    harness.hear(RunsMsg::PointsFailed(id.clone(), nasty.into()));
    harness.hear(RunsMsg::Told(id, "pause", Err(nasty.into())));
    clean(&harness, "notices");
    harness.press("/");
    harness.send(Msg::Paste(nasty.into()));
    clean(&harness, "filter while typed");
    harness.press("enter");
    clean(&harness, "filter in force");
}

#[test]
fn news_draws_only_what_is_in_front() {
    let (mut harness, runs) = three(SETTING);
    let seen = |harness: &mut Harness, msg: RunsMsg| {
        harness.app.shared.dirty = false;
        harness.hear(msg);
        harness.app.shared.dirty
    };
    assert!(seen(&mut harness, points(&runs[0], &[note("x")])));
    assert!(!seen(&mut harness, RunsMsg::Polled));
    harness.press("1");
    assert!(!seen(&mut harness, points(&runs[0], &[note("x")])));
}

#[test]
fn a_tick_looks_at_the_files_once_at_a_time_and_only_in_front() {
    let (mut harness, _) = three(SETTING);
    assert_eq!(harness.app.wakes_every_ms(), Some(LIVE_TICK_MS));
    let tick = || Msg::Tick(Duration::from_secs(1));
    harness.send(tick());
    harness.send(tick());
    assert_eq!(polls(&harness), 1, "the first look is not done yet");
    harness.hear(RunsMsg::Polled);
    harness.send(tick());
    assert_eq!(polls(&harness), 2);
    harness.hear(RunsMsg::Polled);
    harness.press("1");
    harness.send(tick());
    assert_eq!(polls(&harness), 2);
}

#[test]
fn a_log_that_begins_anew_replaces_its_curves() {
    let (mut harness, run) = one(Status::Running);
    let id = run.summary.id().clone();
    assert_eq!(panel(&harness).curves[&id].train.x(XUnit::Step).len(), 20);
    harness.hear(RunsMsg::Points(Points {
        run: id.clone(),
        lines: log(3, 50.0, (RunState::Running, None)).into(),
        fresh: true,
        more: false,
        lost: 0,
    }));
    assert_eq!(panel(&harness).curves[&id].train.x(XUnit::Step).len(), 6);
}
