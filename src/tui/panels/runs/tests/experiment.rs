//! The seeds of an experiment, taken together.

use super::*;

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
        test.column(super::super::curves::Value::Top1)
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
