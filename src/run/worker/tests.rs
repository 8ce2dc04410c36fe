//! Tests of being a worker, in this process.

use super::*;
use crate::run::{Home, Request, Status, Summary, Tail, control};

fn run() -> (tempfile::TempDir, RunDir) {
    let keep = tempfile::tempdir().unwrap();
    let dir = RunDir::create(&Home::at(keep.path()), &Request::default()).unwrap();
    (keep, dir)
}

fn begin(dir: &RunDir) -> Worker {
    Worker::begin(dir, "cpu", Terminal::Keep).unwrap()
}

fn next(worker: &mut Worker) -> Command {
    loop {
        if let Some(command) = worker.command() {
            return command;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_worker_hears_commands_and_notes_nonsense() {
    let (_keep, dir) = run();
    let mut worker = begin(&dir);
    std::fs::write(dir.control(), "dance \x1b[31m\n").unwrap();
    control::send(&dir, Command::Pause).unwrap();
    assert_eq!(next(&mut worker), Command::Pause);
    worker.sync().unwrap();
    let lines = Tail::new(&dir.events()).read().unwrap().lines;
    let note = lines.iter().find_map(|l| match &l.event {
        Event::Note { text } => Some(text.as_str()),
        _ => None,
    });
    let note = note.unwrap();
    assert!(note.contains("dance") && !note.contains('\x1b'), "{note:?}");
}

#[test]
fn a_worker_that_is_dropped_says_that_it_failed() {
    let (_keep, dir) = run();
    drop(begin(&dir));
    let summary = Summary::read(&dir).unwrap();
    assert_eq!(summary.status, Status::Failed);
    assert!(summary.standing.reason.unwrap().contains("worker.log"));
}

#[test]
fn the_reason_of_a_failure_is_kept() {
    let (_keep, dir) = run();
    begin(&dir).fail("no images in /data").unwrap();
    let summary = Summary::read(&dir).unwrap();
    assert_eq!(summary.status, Status::Failed);
    assert_eq!(
        summary.standing.reason.as_deref(),
        Some("no images in /data")
    );
}

#[test]
fn an_end_that_was_said_is_not_said_again() {
    let (_keep, dir) = run();
    let mut worker = begin(&dir);
    worker.event(Event::State {
        state: RunState::Finished,
        reason: None,
    });
    worker.finish().unwrap();
    let lines = Tail::new(&dir.events()).read().unwrap().lines;
    assert_eq!(lines.len(), 2);
    assert_eq!(Summary::read(&dir).unwrap().status, Status::Finished);
}

#[test]
fn a_log_that_cannot_be_written_stops_the_run() {
    let (_keep, dir) = run();
    let mut worker = begin(&dir);
    worker.log.pretend_failure();
    assert_eq!(next(&mut worker), Command::Stop);
    assert_eq!(worker.command(), None, "told once");
    assert!(
        worker
            .finish()
            .unwrap_err()
            .to_string()
            .contains("disk is full")
    );
}
