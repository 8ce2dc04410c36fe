//! Workers here are this test program again, told to run only [`child`].

use super::*;
use crate::run::{EventLog, Home, Request, Status, Summary, Tail, Terminal, Worker, control};
use crate::train::{Command as ToWorker, Event, Reporter, RunState};

use rustix::process::{Pid, Signal, kill_process};

/// Names the run's directory to the child; without it, the child does nothing.
const RUN: &str = "HYPERSCOPE_TEST_RUN";
/// What the child does: `work`, `die` or `finish`.
const ACT: &str = "HYPERSCOPE_TEST_ACT";

fn run() -> (tempfile::TempDir, RunDir) {
    let keep = tempfile::tempdir().unwrap();
    let dir = RunDir::create(&Home::at(keep.path()), &Request::default()).unwrap();
    (keep, dir)
}

fn actor(dir: &RunDir, act: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["run::launch::tests::child", "--exact", "--ignored"])
        .arg("--nocapture")
        .env(RUN, dir.path())
        .env(ACT, act);
    command
}

#[test]
#[ignore = "not a test: the worker that other tests start"]
fn child() {
    let Some(path) = std::env::var_os(RUN) else {
        return;
    };
    let act = std::env::var(ACT).unwrap();
    if act == "die" {
        eprintln!("first line\nerror: no such data set \x1b[31mred");
        std::process::exit(3);
    }
    let dir = RunDir::open(path.as_ref()).unwrap();
    let mut worker = match Worker::begin(&dir, "cpu", Terminal::Leave) {
        Ok(worker) => worker,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::exit(1);
        }
    };
    worker.stop_on_signals().unwrap();
    let mut step = 0;
    while act == "work" && worker.command() != Some(ToWorker::Stop) {
        step += 1;
        worker.event(train(step));
        std::thread::sleep(Duration::from_micros(50));
    }
    worker.event(Event::State {
        state: RunState::Stopped,
        reason: None,
    });
    worker.finish().unwrap();
}

fn train(step: u64) -> Event {
    Event::Train {
        step,
        epoch: step as f64 / 100.0,
        loss: 1.0 / step as f64,
        top1: 10.0,
        lr: 0.1,
        grad_norm: 1.0,
        images_per_s: 1000.0,
        data_wait: 0.0,
    }
}

fn signal(holder: &Holder, signal: Signal) {
    let pid = Pid::from_raw(holder.pid.cast_signed()).unwrap();
    kill_process(pid, signal).unwrap();
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "waiting until {what}"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_killed_worker_takes_back_no_line_that_was_seen() {
    let (_keep, dir) = run();
    let mut seen = Vec::new();
    let mut tail = Tail::new(&dir.events());
    for round in 1..=4 {
        let holder = start(&dir, actor(&dir, "work")).unwrap();
        let enough = seen.len() + 37 * round;
        wait_until("lines are seen", || {
            let news = tail.read().unwrap();
            assert!(!news.restarted);
            seen.extend(news.lines);
            seen.len() >= enough
        });
        signal(&holder, Signal::KILL);
        wait_until("the lock is free", || lock::holder(&dir).is_none());
        assert_eq!(Summary::read(&dir).unwrap().status, Status::Died);
    }
    EventLog::open(&dir.events()).unwrap().close().unwrap();
    let mut again = Tail::new(&dir.events());
    let all = again.read().unwrap().lines;
    assert_eq!(all[..seen.len()], seen[..]);
    assert_eq!(again.lost(), 0);
    assert!(all.windows(2).all(|w| w[0].seq < w[1].seq));
}

#[test]
fn of_racing_starters_one_worker_is_left() {
    let (_keep, dir) = run();
    let started: Vec<_> = std::thread::scope(|scope| {
        let starters: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| start(&dir, actor(&dir, "work"))))
            .collect();
        starters.into_iter().map(|s| s.join().unwrap()).collect()
    });
    let winners: Vec<_> = started.iter().flatten().collect();
    assert_eq!(winners.len(), 1, "{started:?}");
    for error in started.iter().filter_map(|s| s.as_ref().err()) {
        assert!(
            error.to_string().contains("carried out by process"),
            "{error}"
        );
    }
    assert_eq!(lock::holder(&dir).unwrap().pid, winners[0].pid);
    control::send(&dir, ToWorker::Stop).unwrap();
    wait_until("the worker has stopped", || !lock::is_alive(&dir));
    assert_eq!(Summary::read(&dir).unwrap().status, Status::Stopped);
}

#[test]
fn a_worker_that_dies_at_once_is_quoted() {
    let (_keep, dir) = run();
    std::fs::write(dir.worker_log(), "of an earlier worker\n").unwrap();
    let error = start(&dir, actor(&dir, "die")).unwrap_err().to_string();
    assert!(error.contains("no such data set"), "{error}");
    assert!(error.contains("worker.log"), "{error}");
    assert!(!error.contains("earlier"), "{error}");
}

#[test]
fn a_worker_that_is_done_at_once_is_no_error() {
    let (_keep, dir) = run();
    start(&dir, actor(&dir, "finish")).unwrap();
    wait_until("it ends", || !lock::is_alive(&dir));
    assert_eq!(Summary::read(&dir).unwrap().status, Status::Stopped);
}

#[test]
#[cfg(target_os = "linux")]
fn a_worker_leaves_our_session_and_stops_when_told_to_terminate() {
    let (_keep, dir) = run();
    let holder = start(&dir, actor(&dir, "work")).unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", holder.pid)).unwrap();
    let session = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(3);
    assert_eq!(session, Some(holder.pid.to_string().as_str()));
    wait_until("it listens to signals", || {
        let seen = Tail::new(&dir.events()).read().unwrap().lines;
        seen.iter().any(|l| matches!(l.event, Event::Train { .. }))
    });
    signal(&holder, Signal::TERM);
    wait_until("it ends", || !lock::is_alive(&dir));
    assert_eq!(Summary::read(&dir).unwrap().status, Status::Stopped);
}
