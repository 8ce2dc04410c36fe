//! The panel without a terminal: news and keys in, state, effects and cells out.

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

// Nothing there, or nothing that can be read.

#[test]
fn before_the_first_run_the_panel_says_what_to_do() {
    let mut harness = Harness::at_runs(SETTING);
    assert!(harness.text().contains("Looking for runs."));
    harness.list(&[]);
    let text = harness.text();
    assert!(
        text.contains("No runs yet.") && text.contains("Press 2"),
        "{text}"
    );
    assert!(text.contains("hyperscope finetune"), "{text}");
    harness.hear(RunsMsg::ListFailed("reading runs: not a directory".into()));
    assert!(harness.text().contains("reading runs: not a directory"));
}

#[test]
fn without_runs_no_key_vanishes_into_a_filter() {
    let mut harness = Harness::at_runs(SETTING);
    harness.list(&[]);
    harness.press("/ 2");
    assert_eq!(harness.app.shared.front, PanelId::Parameters);
}

#[test]
fn a_folder_that_can_no_longer_be_read_is_told_once_and_the_list_stays() {
    let (mut harness, _) = three(SETTING);
    let failed = || RunsMsg::ListFailed("the disk went away".into());
    harness.hear(failed());
    assert!(harness.text().contains("the disk went away"));
    assert!(harness.text().contains("convnext_tiny"));
    harness.press("down");
    harness.hear(failed());
    assert_eq!(notice(&harness), "", "the same is not said again");
}

#[test]
fn a_log_that_cannot_be_read_stands_in_place_of_its_curves() {
    let (mut harness, runs) = three(WIDE);
    assert!(harness.text().contains("loss"));
    let id = runs[0].summary.id().clone();
    harness.hear(RunsMsg::PointsFailed(id, "permission denied".into()));
    let text = harness.text();
    assert!(text.contains("permission denied"), "{text}");
    assert!(
        !text.contains("learning rate"),
        "nothing lies below the words:\n{text}"
    );
    harness.hear(points(&runs[0], &[]));
    assert!(harness.text().contains("learning rate"));
}

#[test]
fn damaged_lines_of_a_log_are_told_with_their_number() {
    let (mut harness, runs) = three(WIDE);
    assert!(!harness.text().contains("damaged"));
    harness.hear(RunsMsg::Points(Points {
        run: runs[0].summary.id().clone(),
        lines: Arc::new([]),
        fresh: false,
        more: false,
        lost: 3,
    }));
    assert!(harness.text().contains("3 damaged lines in its log"));
    harness.press("o");
    assert!(find(&harness.draw(), "3 damaged lines · Log of").is_some());
}

// The list.

#[test]
fn each_state_is_a_glyph_and_a_word() {
    let folder = Folder::new();
    let states = [
        (Status::Queued, "○ queued"),
        (Status::Starting, "○ starting"),
        (Status::Running, "● running"),
        (Status::Paused, "▮ paused"),
        (Status::Stopped, "○ stopped"),
        (Status::Finished, "✓ finished"),
        (Status::Failed, "✗ failed"),
        (Status::Died, "✗ died"),
    ];
    let runs: Vec<MadeRun> = states
        .iter()
        .map(|(status, word)| {
            let name = format!("20261123-0914-{}", &word[4..]);
            folder.run(&name, *status, request("vit", "rand"), Vec::new())
        })
        .collect();
    let mut harness = Harness::at_runs(WIDE);
    let damaged = "20261123-0914-odd-0001".parse().unwrap();
    harness.hear(RunsMsg::Listed(Arc::new(Listing {
        runs: runs.iter().map(|run| run.summary.clone()).collect(),
        damaged: vec![(damaged, "request.toml: line 2".into())],
    })));
    let text = harness.text();
    for (_, word) in states {
        assert!(text.contains(word), "{word}\n{text}");
    }
    assert!(text.contains("✗ damaged request.toml: line 2"), "{text}");
    assert!(text.contains("died its worker ended"), "{text}");
}

#[test]
fn the_reason_of_a_failure_is_told_whole_also_at_the_reference_size() {
    let (mut harness, _) = three(SETTING);
    harness.press("down");
    let buf = harness.draw();
    let theme = &harness.app.shared.look.theme;
    for part in ["the loss is not a number at", " step 250"] {
        let place = find(&buf, part).unwrap_or_else(|| panic!("{part}\n{}", harness.text()));
        assert_eq!(buf[(place.x + 1, place.y)].style().fg, theme.bad.fg);
    }
}

#[test]
fn progress_is_never_cut_within_a_number() {
    let (harness, _) = three(Setting {
        size: (60, 16),
        ..SETTING
    });
    let text = harness.text();
    assert!(
        text.contains("● running e 41 ") && !text.contains("e 41…"),
        "{text}"
    );
}

#[test]
fn the_filter_narrows_the_list_while_it_is_typed_and_esc_shows_all() {
    let (mut harness, _) = three(SETTING);
    harness.press("/");
    harness.type_text("state:fail");
    let text = harness.text();
    assert!(
        text.contains("1 of 3 listed") && text.contains("/ state:fail"),
        "{text}"
    );
    assert!(!text.contains("rand"), "{text}");
    harness.press("enter");
    assert!(!panel(&harness).takes_text() && harness.text().contains("1 of 3 listed"));
    harness.press("esc");
    assert!(harness.text().contains("rand"));
    harness.press("/");
    harness.type_text("nothing like it");
    harness.press("enter");
    let text = harness.text();
    assert!(
        text.contains("No run matches.") && text.contains("Esc back"),
        "{text}"
    );
}

#[test]
fn space_overlays_runs_and_asks_only_for_points_that_are_missing() {
    let (mut harness, runs) = three(SETTING);
    let names: Vec<&str> = runs.iter().map(|run| run.summary.id().as_str()).collect();
    assert_eq!(drawn(&harness), [names[0]]);
    harness.press("space down");
    assert_eq!(
        drawn(&harness),
        [names[0], names[1]],
        "the selected one lies on top"
    );
    let Some(Effect::Runs(RunsEffect::Poll { curves })) = harness.effects.last() else {
        panic!("{:?} asks for no points", harness.effects.last())
    };
    assert!(curves.iter().any(|dir| dir.id().as_str() == names[1]));
    harness.answer_polls(&runs);
    assert!(harness.text().contains("2 of 3 drawn"));
    harness.press("up down");
    assert_eq!(
        polls(&harness),
        0,
        "points that are there are not asked for again"
    );
    harness.press("u");
    assert_eq!(drawn(&harness), [names[1]]);
    harness.press("space space");
    assert_eq!(drawn(&harness), [names[1]], "marked and unmarked");
}

#[test]
fn no_more_runs_are_marked_than_can_be_told_apart() {
    let folder = Folder::new();
    let make = |i| {
        let name = format!("20261123-0914-run-{i:04}");
        folder.run(&name, Status::Finished, request("vit", "rand"), Vec::new())
    };
    let runs: Vec<MadeRun> = (0..=MOST_MARKED).map(make).collect();
    let mut harness = Harness::with_runs(SETTING, &runs);
    for _ in 0..=MOST_MARKED {
        assert_eq!(notice(&harness), "");
        harness.press("space");
        if notice(&harness).is_empty() {
            harness.press("down");
        }
    }
    assert!(
        notice(&harness).contains("could not be told apart"),
        "{}",
        notice(&harness)
    );
    let slots = drawn(&harness);
    let slots = slots.iter().map(|id| panel(&harness).colours.slot(id));
    let different: std::collections::HashSet<_> = slots.collect();
    assert!(different.len() >= MOST_MARKED);
}

#[test]
fn a_run_that_was_started_here_is_selected_as_soon_as_it_is_listed() {
    let runs = Folder::new().three();
    let mut harness = Harness::with_runs(SETTING, &runs[1..]);
    let path = runs[0].summary.dir.path().to_owned();
    harness.send(Msg::Launched(Ok(path)));
    harness.list(&runs);
    let selected = panel(&harness).list.selected().unwrap();
    assert_eq!(selected.id, *runs[0].summary.id());
}

#[test]
fn the_cursor_stays_with_its_run_when_a_newer_one_appears() {
    let runs = Folder::new().three();
    let mut harness = Harness::with_runs(SETTING, &runs[1..]);
    harness.press("down");
    harness.list(&runs);
    let selected = panel(&harness).list.selected().unwrap();
    assert_eq!(selected.id, *runs[2].summary.id());
}

#[test]
fn a_run_has_one_colour_and_one_marker_in_list_and_chart() {
    let (mut harness, runs) = three(WIDE);
    harness.press("space down space down space");
    harness.answer_polls(&runs);
    let buf = harness.draw();
    let mut colours: Vec<Option<Color>> = Vec::new();
    // Names in the list, last accuracies in the chart.
    for (name, value) in [
        ("resnet50  ghn+noise", "43.74"),
        ("convnext_tiny", "14.76"),
        ("resnet50  rand", "60.13"),
    ] {
        let (list, chart) = (find(&buf, name).unwrap(), find(&buf, value).unwrap());
        let (list, chart) = (&buf[(list.x - 2, list.y)], &buf[(chart.x - 2, chart.y)]);
        assert_eq!(list.symbol(), chart.symbol(), "{name}");
        assert_eq!(list.fg, chart.fg, "{name}");
        assert!(!colours.contains(&Some(list.fg)), "{name} shares a colour");
        colours.push(Some(list.fg));
    }
    harness.press("up up space");
    let buf = harness.draw();
    let name = find(&buf, "resnet50  rand").unwrap();
    assert_eq!(
        Some(buf[(name.x - 2, name.y)].fg),
        colours[2],
        "it keeps its colour"
    );
}

// Steering.

#[test]
fn p_and_r_pause_and_resume_the_worker() {
    let (mut harness, run) = one(Status::Running);
    harness.press("p");
    let tell = |order| vec![RunsEffect::Tell(run.summary.dir.clone(), order)];
    assert_eq!(orders(&harness), tell(Order::Pause));
    assert!(harness.text().contains("p pause"));

    let (mut harness, run) = one(Status::Paused);
    assert!(harness.text().contains("r resume"));
    harness.press("p");
    assert!(orders(&harness).is_empty() && notice(&harness).contains("paused already"));
    harness.press("r");
    let tell = vec![RunsEffect::Tell(run.summary.dir, Order::Resume)];
    assert_eq!(orders(&harness), tell);
}

#[test]
fn r_starts_a_new_worker_for_a_run_that_ended_early_and_for_no_other() {
    for status in [
        Status::Stopped,
        Status::Failed,
        Status::Died,
        Status::Queued,
    ] {
        let (mut harness, run) = one(status);
        harness.press("r");
        assert_eq!(
            orders(&harness),
            [RunsEffect::Start(run.summary.dir)],
            "{status}"
        );
    }
    for status in [Status::Running, Status::Starting, Status::Finished] {
        let (mut harness, _) = one(status);
        harness.press("r");
        assert!(
            orders(&harness).is_empty() && !notice(&harness).is_empty(),
            "{status}"
        );
    }
}

#[test]
fn stopping_asks_by_name_and_no_means_no() {
    let (mut harness, run) = one(Status::Running);
    let name = run.summary.id().as_str();
    for no in ["n", "esc", "q"] {
        harness.press("s");
        assert!(
            harness.text().contains(&format!("Stop run {name}?")),
            "{}",
            harness.text()
        );
        harness.press("x enter space");
        assert!(
            harness.app.shared.confirm.is_some(),
            "only yes and no are answers"
        );
        harness.press(no);
        assert!(
            harness.app.shared.confirm.is_none() && orders(&harness).is_empty(),
            "{no}"
        );
    }
    harness.press("s y");
    let stop = RunsEffect::Tell(run.summary.dir.clone(), Order::Stop);
    assert_eq!(orders(&harness), [stop]);
}

#[test]
fn a_run_without_a_worker_is_not_stopped() {
    for status in [
        Status::Finished,
        Status::Failed,
        Status::Died,
        Status::Queued,
    ] {
        let (mut harness, _) = one(status);
        harness.press("s");
        assert!(harness.app.shared.confirm.is_none() && orders(&harness).is_empty());
        assert!(notice(&harness).contains("no worker to stop"), "{status}");
    }
}

#[test]
fn the_outcome_of_a_command_is_told_by_the_runs_name() {
    let (mut harness, run) = one(Status::Running);
    let id = run.summary.id();
    harness.hear(RunsMsg::Told(id.clone(), "pause", Ok(())));
    assert_eq!(notice(&harness), format!("{id}: pause was asked for"));
    harness.hear(RunsMsg::Told(
        id.clone(),
        "pause",
        Err("it has no worker".into()),
    ));
    let notice = harness.app.shared.notice.as_ref().unwrap();
    assert_eq!(
        (notice.severity, notice.text.as_str()),
        (Severity::Bad, "it has no worker")
    );
}

#[test]
fn y_copies_the_runs_directory() {
    let (mut harness, run) = one(Status::Finished);
    harness.press("y");
    let path = run.summary.dir.path().display().to_string();
    assert!(harness.effects.contains(&Effect::Copy(path)));
}

// Looking at curves.

#[test]
fn the_cursor_reads_values_off_and_esc_takes_it_away() {
    let (mut harness, _) = one(Status::Running);
    harness.press("right");
    assert_eq!(
        panel(&harness).sight.cursor,
        Some(10.0),
        "it begins at the newest point"
    );
    let value = |harness: &Harness| {
        let text = harness.text();
        let at = text.find(" test").unwrap();
        text[..at].rsplit(' ').next().unwrap().to_owned()
    };
    let last = value(&harness);
    harness.press("left left");
    let cursor = panel(&harness).sight.cursor.unwrap();
    assert!(cursor < 10.0);
    assert_ne!(value(&harness), last, "another point has another value");
    harness.press("esc");
    assert_eq!(panel(&harness).sight.cursor, None);
    assert_eq!(value(&harness), last);
}

#[test]
fn a_zoomed_view_says_so_and_stays_when_points_arrive_until_all_is_shown() {
    let (mut harness, run) = one(Status::Running);
    harness.press("+");
    let zoom = panel(&harness).sight.zoom;
    assert!(zoom.is_some() && harness.text().contains("zoomed"));
    let more = log(20, 50.0, (RunState::Running, None));
    harness.hear(points(&run, &more[run.lines.len()..]));
    assert_eq!(panel(&harness).sight.zoom, zoom);
    harness.press(">");
    assert_ne!(panel(&harness).sight.zoom, zoom);
    harness.press("0");
    assert!(panel(&harness).sight.zoom.is_none() && !harness.text().contains("zoomed"));
    harness.press("+ esc");
    assert!(panel(&harness).sight.zoom.is_none());
}

#[test]
fn smoothing_is_named_in_the_title_and_the_last_step_is_none() {
    let (mut harness, _) = one(Status::Running);
    for note in ["smooth 0.9 ", "smooth 0.98", "", "smooth 0.6"] {
        let text = harness.text();
        assert!(text.contains(note), "{note}\n{text}");
        assert_eq!(text.contains("smooth 0"), !note.is_empty(), "{text}");
        harness.press("m");
    }
}

#[test]
fn log_axes_are_the_focused_charts_own_upright_and_common_along() {
    let (mut harness, _) = one(Status::Running);
    harness.press("tab L");
    let sight = &panel(&harness).sight;
    assert!(sight.log_y(Metric::Loss) && !sight.log_y(Metric::Accuracy));
    assert_eq!(harness.text().matches("log y").count(), 1);
    harness.press("L X");
    let text = harness.text();
    assert!(!text.contains("log y"), "{text}");
    assert!(text.contains("log x"), "{text}");
}

#[test]
fn the_x_axis_names_its_unit() {
    let (mut harness, _) = one(Status::Running);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let unit = panel(&harness).sight.unit;
        assert!(!seen.contains(&unit));
        let text = harness.text();
        assert!(text.contains(unit.name()), "{unit:?}\n{text}");
        seen.push(unit);
        harness.press("x");
    }
    assert_eq!(panel(&harness).sight.unit, XUnit::Epoch, "it goes round");
}

#[test]
fn tab_chooses_the_metric_and_enter_gives_it_all_the_room() {
    let small = Setting {
        size: (60, 16),
        ..SETTING
    };
    let (mut harness, _) = three(small);
    for metric in Metric::ALL {
        assert_eq!(panel(&harness).sight.focus, metric);
        let title = match metric {
            Metric::Accuracy => "accuracy %",
            Metric::Loss => "loss",
            Metric::LearningRate => "learning rate",
            Metric::Speed => "images/s",
        };
        assert!(
            harness.text().contains(title),
            "{title}\n{}",
            harness.text()
        );
        harness.press("tab");
    }
    let (mut harness, _) = three(WIDE);
    harness.press("tab enter");
    let text = harness.text();
    assert!(
        text.contains("loss") && !text.contains("accuracy"),
        "{text}"
    );
    harness.press("esc");
    assert!(harness.text().contains("accuracy"));
}

#[test]
fn t_chooses_whose_images_and_says_so() {
    let (mut harness, _) = three(WIDE);
    harness.press("t");
    assert_eq!(panel(&harness).sight.which, Which::Test);
    assert!(notice(&harness).contains("test images"));
    let text = harness.text();
    assert!(
        text.contains("test accuracy") && text.contains("test loss"),
        "{text}"
    );
}

#[test]
fn numbers_that_are_none_are_counted_before_anything_else_in_the_title() {
    let (mut harness, runs) = three(SETTING);
    harness.press("down");
    harness.answer_polls(&runs);
    let text = harness.text();
    assert!(text.contains("loss ─ 1 not finite"), "{text}");
}

// What lies over the charts.

#[test]
fn a_comparison_lists_what_differs_and_needs_another_run() {
    let (mut harness, runs) = three(WIDE);
    harness.press("d");
    let text = harness.text();
    assert!(text.contains("Requests compared"), "{text}");
    for words in [
        "resnet50",
        "convnext_tiny",
        "ghn+noise+orth",
        "other values are equal",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    assert!(
        !text.contains("training.lr"),
        "equal values are not listed\n{text}"
    );
    harness.press("esc");
    assert!(!harness.text().contains("Requests compared"));

    // Marked runs come before the one below, the first of them first.
    for (marks, other) in [("down down space up up", "0b9e"), ("down space up", "51c0")] {
        harness.press(marks);
        harness.press("d");
        assert!(harness.text().contains(other), "{}", harness.text());
        harness.press("esc");
    }

    let mut alone = Harness::with_runs(WIDE, &runs[..1]);
    alone.press("d");
    assert!(notice(&alone).contains("Mark another run"));
}

#[test]
fn a_comparison_follows_the_cursor_and_marked_runs() {
    let (mut harness, runs) = three(WIDE);
    let shown = |harness: &Harness| {
        let Cover::Diff(Some(diff)) = &panel(harness).cover else {
            panic!("nothing is compared");
        };
        diff.names().each_ref().map(ToString::to_string)
    };
    let id = |at: usize| runs[at].summary.id().as_str().to_owned();
    harness.press("d");
    assert_eq!(shown(&harness), [id(0), id(1)]);
    harness.press("down");
    assert_eq!(shown(&harness), [id(1), id(2)]);
    // The last one has none below it.
    harness.press("down");
    assert_eq!(shown(&harness), [id(2), id(1)]);
    harness.press("up up space down");
    assert_eq!(shown(&harness), [id(1), id(0)]);
}

#[test]
fn no_marker_of_a_line_is_a_glyph_of_a_state() {
    use crate::tui::glyphs::{GlyphSet, Glyphs};
    for (set, charts) in [
        (GlyphSet::Unicode, crate::tui::charts::Glyphs::Braille),
        (GlyphSet::Ascii, crate::tui::charts::Glyphs::Ascii),
    ] {
        let states = Glyphs::of(set);
        let states = [
            states.running,
            states.paused,
            states.done,
            states.failed,
            states.waiting,
        ];
        for marker in (0..SERIES).map(|index| charts.marker(index).to_string()) {
            assert!(!states.contains(&marker.as_str()), "{marker}");
        }
    }
}

#[test]
fn a_comparison_without_room_says_how_much_is_missing() {
    let folder = Folder::new();
    let one = folder.run(
        "20261123-0914-a-0001",
        Status::Finished,
        request("resnet50", "ghn"),
        Vec::new(),
    );
    let other = folder.run(
        "20261123-0914-b-0002",
        Status::Finished,
        crate::run::Request::default(),
        Vec::new(),
    );
    let small = Setting {
        size: (60, 16),
        ..SETTING
    };
    let mut harness = Harness::with_runs(small, &[one, other]);
    harness.press("d");
    let text = harness.text();
    assert!(text.contains("more differ"), "{text}");
}

#[test]
fn the_log_shows_events_then_the_workers_words_and_follows_until_it_is_moved() {
    let (mut harness, runs) = three(SETTING);
    harness.press("down");
    harness.answer_polls(&runs);
    harness.press("o");
    let failed = &runs[1].summary;
    let asked = Effect::Runs(RunsEffect::ReadLog(failed.dir.clone()));
    assert!(harness.effects.contains(&asked));
    let words = (0..30).map(|i| Shown::new(&format!("word {i}"))).collect();
    harness.hear(RunsMsg::Log(failed.id().clone(), Ok(words)));
    assert!(harness.text().contains("word 29"), "the end is shown");
    harness.press("up up up");
    let before = harness.text();
    assert!(
        before.contains("word 26") && !before.contains("word 27"),
        "{before}"
    );
    harness.hear(points(&runs[1], &[note("later")]));
    assert_eq!(harness.text(), before, "what is read stays in its place");
    harness.press("g down");
    let before = find(&harness.draw(), "epoch 1:");
    assert!(before.is_some());
    harness.hear(points(&runs[1], &[note("later still")]));
    let after = find(&harness.draw(), "epoch 1:");
    assert_eq!(after, before, "events stay in their place, too");
    harness.press("g");
    assert!(harness.text().contains("starting"));
    harness.press("G");
    assert!(harness.text().contains("word 29"));
    let other = runs[0].summary.id().clone();
    harness.hear(RunsMsg::Log(other, Err("not asked for".into())));
    assert!(!harness.text().contains("not asked for"));
    harness.press("esc");
    assert!(!harness.text().contains("Log of"));
}

// Outside text, news and time.

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

// The seeds of an experiment, taken together.

/// The app with an experiment in its list, the cursor on the newest run, which is no part of it.
fn experiment() -> (Harness, Vec<MadeRun>) {
    let runs = Folder::new().experiment();
    (Harness::with_runs(WIDE, &runs), runs)
}

/// Seeds in each mean, by start.
fn means(harness: &Harness) -> Vec<(String, usize)> {
    let drawn = panel(harness).drawn();
    let means = drawn.iter().filter_map(|d| d.spread);
    means
        .map(|(spread, start)| (start.to_owned(), spread.runs))
        .collect()
}

#[test]
fn seeds_are_taken_together_start_by_start_without_failed_runs() {
    let (mut harness, runs) = experiment();
    harness.press("down down b");
    harness.answer_polls(&runs);
    // The selected run's start lies on top.
    assert_eq!(
        means(&harness),
        [("rand".into(), 2), ("ghn+orth".into(), 2)]
    );
    assert_eq!(drawn(&harness).len(), 4);
    let text = harness.text();
    assert!(text.contains("mean, 1 sd of 2"), "{text}");
    harness.press("b");
    assert_eq!(means(&harness), []);
    assert_eq!(drawn(&harness).len(), 1);
}

#[test]
fn a_run_outside_of_experiments_has_no_seeds_to_take_together() {
    let (mut harness, _) = experiment();
    harness.press("b");
    assert!(notice(&harness).contains("part of no experiment"));
    assert_eq!(means(&harness), []);
    // Passing over such a run on the way draws it alone, and the bands come back after it.
    harness.press("down down b up up");
    assert_eq!(drawn(&harness).len(), 1);
    harness.press("down down");
    assert_eq!(drawn(&harness).len(), 4);
}

#[test]
fn seeds_of_one_start_share_a_colour_that_no_other_start_has() {
    let (mut harness, _) = experiment();
    harness.press("down down b");
    let panel = panel(&harness);
    let slots: Vec<_> = panel
        .list
        .rows()
        .iter()
        .filter_map(|row| {
            Some((
                row.init.to_string(),
                panel.colours.slot(panel.list.colour_key(row)?),
            ))
        })
        .collect();
    assert_eq!(slots.len(), 4);
    for (start, slot) in &slots {
        for (other, theirs) in &slots {
            assert_eq!(start == other, slot == theirs);
        }
    }
}

#[test]
fn means_follow_new_points_and_smoothing() {
    let (mut harness, runs) = experiment();
    harness.press("down down b");
    harness.answer_polls(&runs);
    let last = |harness: &Harness| {
        let drawn = panel(harness).drawn();
        let test = &drawn[0].curves.test;
        test.column(super::curves::Value::Top1)
            .unwrap()
            .values()
            .to_vec()
    };
    let before = last(&harness);
    let more = |run: &MadeRun| {
        let mut lines = run.lines[run.lines.len() - 2..].to_vec();
        if let Logged::Eval { step, epoch, .. } = &mut lines[0].event {
            (*step, *epoch) = (6020, 301.0);
        }
        points(run, &lines[..1])
    };
    for run in runs.iter().filter(|run| run.summary.request.init == "rand") {
        harness.hear(more(run));
    }
    harness.hear(RunsMsg::Polled);
    assert_eq!(last(&harness).len(), before.len() + 1);
    harness.press("tab enter");
    assert!(harness.text().contains("smooth 0.9"), "{}", harness.text());
    harness.press("m m");
    assert!(!harness.text().contains("smooth"));
}
