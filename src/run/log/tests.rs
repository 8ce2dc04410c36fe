//! Tests of the event log's writer.

use super::*;
use crate::run::News;
use crate::train::RunState;

fn note(text: &str) -> Event {
    Event::Note { text: text.into() }
}

fn state(state: RunState) -> Event {
    Event::State {
        state,
        reason: None,
    }
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.jsonl");
    (dir, path)
}

fn read(path: &Path) -> News {
    Tail::new(path).read().unwrap()
}

#[test]
fn a_resumed_log_counts_on_after_its_last_good_line() {
    let (_dir, path) = place();
    let log = EventLog::open(&path).unwrap();
    log.event(note("a"));
    log.event(note("b"));
    log.close().unwrap();
    let mut file = private::open_append(&path).unwrap();
    file.write_all(b"{\"t\":17,\"seq\":3,\"ki").unwrap();
    let log = EventLog::open(&path).unwrap();
    log.event(note("c"));
    log.close().unwrap();

    let mut tail = Tail::new(&path);
    let seqs: Vec<_> = tail.read().unwrap().lines.iter().map(|l| l.seq).collect();
    assert_eq!(seqs, [1, 2, 4], "the third line is the standing");
    assert_eq!(tail.lost(), 0, "the torn line is gone");
}

#[test]
fn a_line_that_lacks_only_its_newline_is_kept() {
    let (_dir, path) = place();
    std::fs::write(&path, r#"{"t":1,"seq":7,"kind":"note","text":"whole"}"#).unwrap();
    let log = EventLog::open(&path).unwrap();
    log.event(note("next"));
    log.close().unwrap();
    let seqs: Vec<_> = read(&path).lines.iter().map(|l| l.seq).collect();
    assert_eq!(seqs, [7, 8]);
}

#[test]
fn endless_damage_at_the_end_is_closed_off_and_the_count_goes_on() {
    let (_dir, path) = place();
    let mut bytes = br#"{"t":1,"seq":41,"kind":"note","text":"x"}"#.to_vec();
    bytes.push(b'\n');
    bytes.resize(bytes.len() + (200 << 10), 0);
    std::fs::write(&path, &bytes).unwrap();
    let log = EventLog::open(&path).unwrap();
    log.event(note("next"));
    log.close().unwrap();
    let seqs: Vec<_> = read(&path).lines.iter().map(|l| l.seq).collect();
    assert_eq!(seqs, [41, 42]);
}

#[test]
fn states_reach_readers_without_further_events() {
    let (_dir, path) = place();
    let log = EventLog::open(&path).unwrap();
    log.event(state(RunState::Running));
    log.sync().unwrap();
    assert_eq!(read(&path).lines.len(), 1);
    log.event(note("gathered"));
    let mut tail = Tail::new(&path);
    let mut seen = 0;
    while seen < 2 {
        seen += tail.read().unwrap().lines.len();
        std::thread::yield_now();
    }
}

#[test]
fn a_full_disk_is_an_error_that_says_so() {
    let (_dir, path) = place();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let failure = Arc::new(Failure::default());
    let mut writer = Writer::new(full.unwrap(), &LogEnd::default(), Arc::clone(&failure));
    writer.push(1, &note("x"));
    writer.write();
    assert!(!writer.waiting.is_empty(), "the line waits for space");
    let error = at("writing the event log", &path)(failure.again().unwrap());
    let text = error.to_string();
    assert!(text.contains("the disk is full"), "{text}");
    assert!(text.contains("events.jsonl"), "{text}");
}

#[test]
fn a_disk_that_recovers_gets_every_line() {
    let (_dir, path) = place();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let mut writer = Writer::new(full.unwrap(), &LogEnd::default(), Arc::default());
    writer.push(1, &note("before"));
    writer.write();
    writer.file = private::open_append(&path).unwrap();
    writer.push(2, &note("after"));
    writer.write();
    assert_eq!(read(&path).lines.len(), 2);
}

#[test]
fn the_end_of_a_log_always_holds_its_standing() {
    let (_dir, path) = place();
    let log = EventLog::open(&path).unwrap();
    log.event(state(RunState::Starting));
    log.event(state(RunState::Paused));
    for i in 0..3000 {
        log.event(note(&format!("line {i}")));
    }
    log.sync().unwrap();
    let end = crate::run::standing::read_end(&path).unwrap();
    assert_eq!(end.standing.state, Some(RunState::Paused));
    assert!(end.len > 64 << 10);
}

#[test]
fn no_event_is_dropped_however_fast_they_come() {
    const EVENTS: usize = 150_000;
    let (_dir, path) = place();
    let log = EventLog::open(&path).unwrap();
    let long = "x".repeat(150); // together more than may wait for a full disk
    for _ in 0..EVENTS {
        log.event(note(&long));
    }
    log.close().unwrap();
    let (mut tail, mut read) = (Tail::new(&path), 0);
    loop {
        let news = tail.read().unwrap();
        read += news.lines.len();
        if !news.more {
            break;
        }
    }
    assert_eq!(read, EVENTS);
}
