//! Nothing there, or nothing that can be read.

use super::*;

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
