//! Pausing, resuming, stopping.

use super::*;

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
