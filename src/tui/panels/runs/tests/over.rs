//! What lies over the charts.

use super::*;

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
