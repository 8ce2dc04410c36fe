//! Tests of lists.

use super::*;
use crate::run::{EventLog, Lock};
use crate::train::{Event, Split};

fn home() -> (tempfile::TempDir, Home) {
    let keep = tempfile::tempdir().unwrap();
    let home = Home::at(keep.path());
    (keep, home)
}

fn run(home: &Home, created_ms: u64) -> RunDir {
    let request = Request {
        arch: "resnet18".into(),
        init: "rand".into(),
        created_ms,
        ..Request::default()
    };
    RunDir::create(home, &request).unwrap()
}

fn say(dir: &RunDir, events: &[Event]) {
    let log = EventLog::open(&dir.events()).unwrap();
    for event in events {
        log.event(event.clone());
    }
    log.close().unwrap();
}

fn state(state: RunState) -> Event {
    Event::State {
        state,
        reason: None,
    }
}

#[test]
fn no_folder_of_runs_means_no_runs() {
    let (_keep, home) = home();
    assert!(list(&home).unwrap().runs.is_empty());
}

#[test]
fn runs_come_newest_first_whatever_their_names() {
    let (_keep, home) = home();
    let made: Vec<_> = (1..=20).map(|i| run(&home, i).id().clone()).collect();
    let listed: Vec<_> = list(&home).unwrap().runs;
    let ids: Vec<_> = listed.iter().map(|s| s.id().clone()).collect();
    assert!(ids.iter().eq(made.iter().rev()));
}

#[test]
fn the_state_is_checked_against_the_lock() {
    let (_keep, home) = home();
    let dir = run(&home, 1);
    let status = || Summary::read(&dir).unwrap().status;
    assert_eq!(status(), Status::Queued);
    let lock = Lock::take(&dir, "cpu").unwrap();
    assert_eq!(status(), Status::Starting);
    say(&dir, &[state(RunState::Running)]);
    assert_eq!(status(), Status::Running);
    drop(lock);
    assert_eq!(status(), Status::Died);
    say(&dir, &[state(RunState::Finished)]);
    assert_eq!(status(), Status::Finished);
}

#[test]
fn a_lister_sees_what_changed_since() {
    let (_keep, home) = home();
    let (first, second) = (run(&home, 1), run(&home, 2));
    let mut lister = Lister::new(home.clone());
    assert_eq!(lister.refresh().unwrap().runs.len(), 2);
    let eval = Event::Eval {
        step: 3,
        epoch: 1.0,
        split: Split::Test,
        loss: 1.0,
        top1: 50.0,
        top5: None,
        images: 1,
        seconds: 0.0,
    };
    say(&first, &[state(RunState::Running), eval]);
    std::fs::remove_dir_all(second.path()).unwrap();
    let third = run(&home, 3);
    let runs = lister.refresh().unwrap().runs;
    assert_eq!([runs[0].id(), runs[1].id()], [third.id(), first.id()]);
    assert_eq!(runs[1].standing.best_test.unwrap().step, 3);
}

#[test]
fn a_damaged_run_does_not_hide_the_others() {
    let (_keep, home) = home();
    let (good, bad) = (run(&home, 1), run(&home, 2));
    std::fs::write(bad.request_file(), "arch = ").unwrap();
    std::fs::create_dir(home.runs_folder().join("notes\x1b[31m")).unwrap();
    std::fs::write(home.runs_folder().join("20260101-file"), "").unwrap();
    std::os::unix::fs::symlink("/etc", home.runs_folder().join("20260101-link")).unwrap();
    let listing = list(&home).unwrap();
    assert_eq!(listing.runs.len(), 1);
    assert_eq!(listing.runs[0].id(), good.id());
    assert_eq!(listing.damaged.len(), 1);
    assert_eq!(&listing.damaged[0].0, bad.id());
}
