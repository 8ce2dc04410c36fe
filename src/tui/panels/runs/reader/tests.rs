//! The reader over real directories: logs are written line by line, as a worker would.

use std::io::Write as _;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::run::{Lock, Request};

/// Far longer than anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A reader of a folder of its own.
struct Bench {
    keep: tempfile::TempDir,
    reader: Reader,
    inbox: UnboundedReceiver<Msg>,
}

impl Bench {
    fn new() -> Self {
        let keep = tempfile::tempdir().unwrap();
        let (news, inbox) = unbounded_channel();
        let reader = Reader::new(&keep.path().join("runs"), news);
        Self {
            keep,
            reader,
            inbox,
        }
    }

    fn run(&self) -> RunDir {
        RunDir::create(&Home::at(self.keep.path()), &Request::default()).unwrap()
    }

    /// The next message; waits for it.
    fn next(&mut self) -> RunsMsg {
        match wait(&mut self.inbox) {
            Ok(Msg::Runs(msg)) => msg,
            other => panic!("{other:?} is no news of runs"),
        }
    }

    /// All that one look at the files finds.
    fn poll(&mut self, curves: &[&RunDir]) -> Vec<RunsMsg> {
        let curves = curves.iter().map(|&dir| dir.clone()).collect();
        self.reader.carry_out(RunsEffect::Poll { curves });
        let mut found = Vec::new();
        loop {
            match self.next() {
                RunsMsg::Polled => return found,
                msg => found.push(msg),
            }
        }
    }

    /// The pieces of logs that one look finds.
    fn points(&mut self, dir: &RunDir) -> Vec<Points> {
        let found = self.poll(&[dir]).into_iter();
        let points = found.filter_map(|msg| match msg {
            RunsMsg::Points(points) => Some(points),
            RunsMsg::PointsFailed(run, reason) => panic!("{run}: {reason}"),
            _ => None,
        });
        points.collect()
    }

    /// Looks again and again until a look finds what is wanted.
    fn until<T>(&mut self, wanted: impl Fn(RunsMsg) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(found) = self.poll(&[]).into_iter().find_map(&wanted) {
                return found;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("what is waited for does not come");
    }

    fn listed(&mut self) -> Arc<Listing> {
        self.until(|msg| match msg {
            RunsMsg::Listed(listing) => Some(listing),
            _ => None,
        })
    }
}

/// The next message, or that nobody can send one any more.
fn wait(inbox: &mut UnboundedReceiver<Msg>) -> Result<Msg, TryRecvError> {
    let end = Instant::now() + PATIENCE;
    loop {
        match inbox.try_recv() {
            Err(TryRecvError::Empty) if Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(1));
            }
            other => return other,
        }
    }
}

fn write(dir: &RunDir, text: &str) {
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(dir.events())
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn note(seq: u64) -> String {
    format!("{{\"t\":{seq},\"seq\":{seq},\"kind\":\"note\",\"text\":\"n{seq}\"}}\n")
}

fn state(state: &str) -> String {
    format!("{{\"t\":1,\"seq\":1,\"kind\":\"state\",\"state\":\"{state}\"}}\n")
}

fn seqs(points: &[Points]) -> Vec<u64> {
    let lines = points.iter().flat_map(|points| points.lines.iter());
    lines.map(|line| line.seq).collect()
}

#[test]
fn new_lines_arrive_as_they_come_and_once() {
    let mut bench = Bench::new();
    let dir = bench.run();
    let none = bench.points(&dir);
    assert!(none.len() == 1 && none[0].fresh && none[0].lines.is_empty());
    for seq in 1..=5 {
        write(&dir, &note(seq));
        let points = bench.points(&dir);
        assert_eq!(seqs(&points), [seq]);
        assert!(points.iter().all(|p| p.run == *dir.id() && !p.fresh));
    }
    assert!(bench.points(&dir).is_empty(), "nothing is new");
}

#[test]
fn a_torn_last_line_waits_until_it_is_whole() {
    let mut bench = Bench::new();
    let dir = bench.run();
    let second = note(2);
    write(&dir, &(note(1) + &second[..12]));
    assert_eq!(seqs(&bench.points(&dir)), [1]);
    assert!(bench.points(&dir).is_empty());
    write(&dir, &second[12..]);
    let points = bench.points(&dir);
    assert_eq!(seqs(&points), [2]);
    assert_eq!(
        points[0].lost, 0,
        "a line that is being written is not damaged"
    );
}

#[test]
fn damaged_lines_are_skipped_and_counted_also_when_nothing_good_comes() {
    let mut bench = Bench::new();
    let dir = bench.run();
    write(&dir, &format!("{}{{\"t\":2,\"se\n{}", note(1), note(3)));
    let points = bench.points(&dir);
    assert_eq!(seqs(&points), [1, 3]);
    assert_eq!(points.last().unwrap().lost, 1);
    write(&dir, "\0\0\0\0\n");
    let points = bench.points(&dir);
    assert_eq!((points.len(), points[0].lost), (1, 2));
}

#[test]
fn kinds_and_keys_of_other_versions_do_no_harm() {
    let mut bench = Bench::new();
    let dir = bench.run();
    let later = "{\"t\":1,\"seq\":1,\"kind\":\"gradient\",\"norms\":[1,2]}\n\
                 {\"t\":2,\"seq\":2,\"kind\":\"note\",\"text\":\"x\",\"mood\":{\"deep\":[1]}}\n\
                 {\"t\":3,\"seq\":3,\"kind\":\"state\",\"state\":\"migrating\"}\n[]\n";
    write(&dir, &(later.to_owned() + &note(4)));
    let points = bench.points(&dir);
    assert_eq!(seqs(&points), [2, 4]);
    assert_eq!(points.last().unwrap().lost, 0, "unknown is not damaged");
}

#[test]
fn a_log_that_was_cut_or_replaced_is_read_from_its_beginning() {
    let mut bench = Bench::new();
    let dir = bench.run();
    let ten: String = (1..=10).map(note).collect();
    write(&dir, &ten);
    bench.points(&dir);
    std::fs::write(dir.events(), note(1)).unwrap();
    let points = bench.points(&dir);
    assert!(points[0].fresh && seqs(&points) == [1]);

    std::fs::write(dir.path().join("other"), ten + &note(11)).unwrap();
    std::fs::rename(dir.path().join("other"), dir.events()).unwrap();
    let points = bench.points(&dir);
    assert!(points[0].fresh && seqs(&points).into_iter().eq(1..=11));

    std::fs::remove_file(dir.events()).unwrap();
    write(&dir, &note(7));
    let points = bench.points(&dir);
    assert!(points[0].fresh && seqs(&points) == [7]);
}

#[test]
fn a_long_log_arrives_whole_and_in_pieces_too_small_to_delay_a_key() {
    const MANY: u64 = 100_000;
    let mut bench = Bench::new();
    let dir = bench.run();
    let text: String = (1..=MANY).map(note).collect();
    write(&dir, &text);
    let points = bench.points(&dir);
    assert!(points.iter().all(|p| p.lines.len() <= PIECE));
    assert!(points.len() as u64 >= MANY / PIECE as u64);
    assert!(seqs(&points).into_iter().eq(1..=MANY));
    for (index, piece) in points.iter().enumerate() {
        assert_eq!(piece.fresh, index == 0, "piece {index}");
        assert_eq!(piece.more, index + 1 < points.len(), "piece {index}");
    }
}

#[test]
fn a_log_that_was_not_wanted_for_a_while_begins_anew() {
    let mut bench = Bench::new();
    let dir = bench.run();
    write(&dir, &note(1));
    bench.points(&dir);
    bench.poll(&[]);
    let points = bench.points(&dir);
    assert!(points[0].fresh && seqs(&points) == [1]);
}

#[test]
fn a_log_that_cannot_be_read_says_why_and_comes_back() {
    let mut bench = Bench::new();
    let dir = bench.run();
    write(&dir, &note(1));
    bench.points(&dir);
    std::fs::rename(dir.events(), dir.path().join("kept")).unwrap();
    std::fs::create_dir(dir.events()).unwrap();
    std::fs::write(dir.events().join("x"), "x").unwrap();
    let failed = bench.poll(&[&dir]).into_iter().find_map(|msg| match msg {
        RunsMsg::PointsFailed(run, reason) => Some((run, reason)),
        _ => None,
    });
    let (run, reason) = failed.expect("a folder is no log");
    assert!(
        run == *dir.id() && reason.contains("events.jsonl"),
        "{reason}"
    );
    std::fs::remove_dir_all(dir.events()).unwrap();
    std::fs::rename(dir.path().join("kept"), dir.events()).unwrap();
    let points = bench.points(&dir);
    assert!(points[0].fresh && seqs(&points) == [1]);
}

#[test]
fn the_thread_ends_when_the_reader_is_dropped() {
    let mut bench = Bench::new();
    let dir = bench.run();
    bench.poll(&[&dir]);
    drop(bench.reader);
    // The channel closes when the thread, which holds its other end, is gone.
    let last = wait(&mut bench.inbox);
    assert!(matches!(last, Err(TryRecvError::Disconnected)), "{last:?}");
}

#[test]
fn runs_are_listed_when_something_about_them_changed() {
    let mut bench = Bench::new();
    assert!(bench.listed().runs.is_empty());
    let dir = bench.run();
    assert_eq!(bench.listed().runs[0].status, Status::Queued);
    write(&dir, &state("paused"));
    assert_eq!(
        bench.listed().runs[0].status,
        Status::Died,
        "nobody holds its lock"
    );
    let lock = Lock::take(&dir, "cpu").unwrap();
    assert_eq!(bench.listed().runs[0].status, Status::Paused);
    drop(lock);
    bench.listed();
    write(&dir, &state("finished"));
    assert_eq!(bench.listed().runs[0].status, Status::Finished);
    std::thread::sleep(LIST_EVERY * 2);
    let again = bench.poll(&[]);
    assert!(again.is_empty(), "nothing has changed: {again:?}");
}

#[test]
fn a_run_that_is_damaged_in_another_way_is_listed_again() {
    let mut bench = Bench::new();
    let dirs = [bench.run(), bench.run()];
    std::fs::write(dirs[0].request_file(), "arch = 1").unwrap();
    let listing = bench.listed();
    assert_eq!((listing.runs.len(), listing.damaged.len()), (1, 1));
    assert_eq!(listing.damaged[0].0, *dirs[0].id());
    std::fs::write(dirs[0].request_file(), "}{").unwrap();
    let other = bench.listed();
    assert_ne!(other.damaged[0].1, listing.damaged[0].1);
}

#[test]
fn a_folder_that_cannot_be_read_says_why_and_the_same_list_comes_back() {
    let mut bench = Bench::new();
    bench.run();
    assert_eq!(bench.listed().runs.len(), 1);
    let (runs, aside) = (bench.keep.path().join("runs"), bench.keep.path().join("x"));
    std::fs::rename(&runs, &aside).unwrap();
    std::fs::write(&runs, "").unwrap();
    let reason = bench.until(|msg| match msg {
        RunsMsg::ListFailed(reason) => Some(reason),
        _ => None,
    });
    assert!(reason.contains("runs"), "{reason}");
    std::fs::remove_file(&runs).unwrap();
    std::fs::rename(&aside, &runs).unwrap();
    assert_eq!(bench.listed().runs.len(), 1);
}

#[test]
fn commands_reach_the_worker_or_say_why_not() {
    let mut bench = Bench::new();
    let dir = bench.run();
    let tell = |command| RunsEffect::Tell(dir.clone(), command);
    bench.reader.carry_out(tell(Command::Pause));
    let RunsMsg::Told(run, "pause", Err(reason)) = bench.next() else {
        panic!("there is no worker to pause")
    };
    assert!(
        run == *dir.id() && reason.contains(dir.id().as_str()),
        "{reason}"
    );
    let _lock = Lock::take(&dir, "cpu").unwrap();
    bench.reader.carry_out(tell(Command::Stop));
    let told = bench.next();
    assert!(matches!(told, RunsMsg::Told(_, "stop", Ok(()))), "{told:?}");
    assert_eq!(std::fs::read_to_string(dir.control()).unwrap(), "stop\n");
}

#[test]
fn a_command_does_not_wait_for_a_slow_look_at_files() {
    let mut bench = Bench::new();
    let dir = bench.run();
    // Opening a pipe to read lasts until somebody writes.
    let pipe = dir.worker_log();
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo is there");
    bench.reader.carry_out(RunsEffect::ReadLog(dir.clone()));
    let stop = RunsEffect::Tell(dir.clone(), Command::Stop);
    bench.reader.carry_out(stop);
    let told = bench.next();
    assert!(matches!(told, RunsMsg::Told(_, "stop", Err(_))), "{told:?}");
    // Lets the thread go; it may be gone before a word could be written.
    drop(std::fs::OpenOptions::new().write(true).open(&pipe).unwrap());
    let log = bench.next();
    assert!(matches!(log, RunsMsg::Log(..)), "{log:?}");
}

#[test]
fn the_end_of_a_workers_words_is_read_and_safe_to_show() {
    let mut bench = Bench::new();
    let dir = bench.run();
    let mut read = || {
        bench.reader.carry_out(RunsEffect::ReadLog(dir.clone()));
        match bench.next() {
            RunsMsg::Log(run, text) if run == *dir.id() => text.unwrap(),
            other => panic!("{other:?} is no log"),
        }
    };
    assert!(read().is_empty(), "no words is no failure");
    let long: String = (0..20_000).map(|i| format!("line {i}\n")).collect();
    std::fs::write(dir.worker_log(), long + "\x1b]52;c;x\x07\u{202e}\n").unwrap();
    let lines = read();
    assert!(lines.len() < 20_000);
    let first = lines[0].as_str().strip_prefix("line ").unwrap();
    let first: usize = first.parse().unwrap();
    assert_eq!(
        first + lines.len(),
        20_001,
        "only whole lines, up to the end"
    );
    let bad = |c: char| c.is_control() || c == '\u{202e}';
    assert!(!lines.iter().any(|line| line.as_str().contains(bad)));
}
