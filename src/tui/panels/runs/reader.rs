//! Reads run directories on a thread of its own.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::messages::{Points, RunsEffect, RunsMsg};
use crate::run::{
    Command, Home, Lister, Listing, RunDir, RunId, Standing, Status, Tail, control, launch,
};
use crate::text::Shown;
use crate::tui::msg::Msg;

/// Lines of an event log in one message: few enough that taking them in delays no key.
const PIECE: usize = 2000;
/// Shortest time between two looks at all runs, and how many times longer than a look the pause after it
/// is at least: with thousands of runs on a slow disk, looking must not become all that is done.
const LIST_EVERY: Duration = Duration::from_millis(250);
const REST: u32 = 50;
/// The end of a worker's log that is read, in bytes.
const LOG_END: u64 = 64 << 10;

/// The app's hand on the threads, which start with the first effect.
#[derive(Debug)]
pub struct Reader {
    runs: PathBuf,
    news: UnboundedSender<Msg>,
    jobs: Option<Sender<RunsEffect>>,
    /// What workers are told, one after the other, while the desk may be reading for long.
    orders: Option<Sender<(RunDir, Command)>>,
    /// A worker was told something: the next look at the runs must not wait.
    told: Arc<AtomicBool>,
}

impl Reader {
    /// A reader of the folder `runs` that answers to `news`.
    #[must_use]
    pub fn new(runs: &Path, news: UnboundedSender<Msg>) -> Self {
        Self {
            runs: runs.to_owned(),
            news,
            jobs: None,
            orders: None,
            told: Arc::default(),
        }
    }

    /// Begins one effect; never waits.
    pub fn carry_out(&mut self, effect: RunsEffect) {
        let effect = match effect {
            RunsEffect::Start(dir) => {
                // Starting a worker can take seconds; reading goes on meanwhile.
                let news = self.news.clone();
                std::thread::spawn(move || start(&dir, &news));
                return;
            }
            RunsEffect::Tell(dir, command) => {
                let orders = self.orders.get_or_insert_with(|| {
                    let (orders, inbox) = channel();
                    let (news, told) = (self.news.clone(), Arc::clone(&self.told));
                    std::thread::spawn(move || pass_on(&inbox, &told, &news));
                    orders
                });
                // The thread ends only with the app.
                let _ = orders.send((dir, command));
                return;
            }
            other => other,
        };
        let jobs = self.jobs.get_or_insert_with(|| {
            let (jobs, inbox) = channel();
            let told = Arc::clone(&self.told);
            let mut desk = Desk::new(&self.runs, told, self.news.clone());
            std::thread::spawn(move || desk.work(&inbox));
            jobs
        });
        // The thread ends only with the app.
        let _ = jobs.send(effect);
    }
}

/// Passes commands on to workers, in their order.
fn pass_on(inbox: &Receiver<(RunDir, Command)>, told: &AtomicBool, news: &UnboundedSender<Msg>) {
    while let Ok((dir, command)) = inbox.recv() {
        let result = control::send(&dir, command).map_err(|e| e.to_string());
        told.store(true, Ordering::Release);
        let said = RunsMsg::Told(dir.id().clone(), word(command), result);
        let _ = news.send(Msg::Runs(said));
    }
}

fn start(dir: &RunDir, news: &UnboundedSender<Msg>) {
    let result = launch::detached(dir).map(|_| ()).map_err(|e| e.to_string());
    let _ = news.send(Msg::Runs(RunsMsg::Told(dir.id().clone(), "resume", result)));
}

/// What a list says that can change: where each run stands, and which ones cannot be read.
#[derive(PartialEq)]
struct Said {
    runs: Vec<(RunId, Status, Standing)>,
    damaged: Vec<(RunId, String)>,
}

/// What the thread works with.
struct Desk {
    lister: Lister,
    tails: HashMap<RunId, Tail>,
    news: UnboundedSender<Msg>,
    /// What was last said about the runs.
    said: Option<Said>,
    next_list: Instant,
    told: Arc<AtomicBool>,
}

impl Desk {
    fn new(runs: &Path, told: Arc<AtomicBool>, news: UnboundedSender<Msg>) -> Self {
        // A home is made from the folder around its `runs`.
        let home = Home::at(runs.parent().unwrap_or(runs));
        Self {
            lister: Lister::new(home),
            tails: HashMap::new(),
            news,
            said: None,
            next_list: Instant::now(),
            told,
        }
    }

    fn work(&mut self, jobs: &Receiver<RunsEffect>) {
        while let Ok(job) = jobs.recv() {
            match job {
                RunsEffect::Poll { curves } => {
                    self.list();
                    self.follow(&curves);
                    self.say(RunsMsg::Polled);
                }
                RunsEffect::ReadLog(dir) => {
                    let text = log_end(&dir.worker_log()).map_err(|e| {
                        let path = dir.worker_log();
                        format!("reading {}: {e}", Shown::new(&path.display().to_string()))
                    });
                    self.say(RunsMsg::Log(dir.id().clone(), text));
                }
                // Done elsewhere.
                RunsEffect::Start(_) | RunsEffect::Tell(..) => {}
            }
        }
    }

    fn say(&self, msg: RunsMsg) {
        let _ = self.news.send(Msg::Runs(msg));
    }

    /// Lists the runs if it is time to, and says so if anything is new.
    fn list(&mut self) {
        let begun = Instant::now();
        if begun < self.next_list && !self.told.swap(false, Ordering::Acquire) {
            return;
        }
        match self.lister.refresh() {
            Ok(listing) => self.say_list(listing),
            Err(error) => {
                // The same list is news again once the folder can be read.
                self.said = None;
                self.say(RunsMsg::ListFailed(error.to_string()));
            }
        }
        self.next_list = Instant::now() + LIST_EVERY.max(begun.elapsed() * REST);
    }

    fn say_list(&mut self, listing: Listing) {
        let runs = listing.runs.iter();
        let now = Said {
            runs: runs
                .map(|run| (run.id().clone(), run.status, run.standing.clone()))
                .collect(),
            damaged: listing.damaged.clone(),
        };
        if self.said.as_ref() == Some(&now) {
            return;
        }
        self.said = Some(now);
        self.say(RunsMsg::Listed(Arc::new(listing)));
    }

    /// Reads what is new in some event logs, and forgets the place in all others.
    fn follow(&mut self, curves: &[RunDir]) {
        self.tails
            .retain(|id, _| curves.iter().any(|dir| dir.id() == id));
        for dir in curves {
            let mut fresh = !self.tails.contains_key(dir.id());
            while let Some(more) = self.read_piece(dir, fresh) {
                fresh = false;
                if !more {
                    break;
                }
            }
        }
    }

    /// Reads one chunk of a log; gives whether there is more, or `None` if it cannot be read.
    fn read_piece(&mut self, dir: &RunDir, fresh: bool) -> Option<bool> {
        let tail = self
            .tails
            .entry(dir.id().clone())
            .or_insert_with(|| Tail::new(&dir.events()));
        let lost_before = tail.lost();
        let news = match tail.read() {
            Ok(news) => news,
            Err(error) => {
                // Once it can be read again, it is read from its beginning, which takes the trouble back.
                self.tails.remove(dir.id());
                self.say(RunsMsg::PointsFailed(dir.id().clone(), error.to_string()));
                return None;
            }
        };
        let lost = tail.lost();
        let fresh = fresh || news.restarted;
        if news.lines.is_empty() && !fresh && lost == lost_before {
            return Some(news.more);
        }
        let mut pieces = news.lines.chunks(PIECE).peekable();
        let mut first = true;
        loop {
            let piece = pieces.next().unwrap_or_default();
            self.say(RunsMsg::Points(Points {
                run: dir.id().clone(),
                lines: piece.into(),
                fresh: first && fresh,
                more: news.more || pieces.peek().is_some(),
                lost,
            }));
            first = false;
            if pieces.peek().is_none() {
                return Some(news.more);
            }
        }
    }
}

fn word(command: Command) -> &'static str {
    match command {
        Command::Pause => "pause",
        Command::Resume => "resume",
        Command::Stop => "stop",
        Command::Checkpoint => "checkpoint",
        Command::SetLr(_) => "set lr",
    }
}

/// The last lines of a text file; none if there is no such file.
fn log_end(path: &Path) -> io::Result<Vec<Shown>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let skipped = file.metadata()?.len().saturating_sub(LOG_END);
    file.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    file.take(LOG_END).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    // The first line is cut if anything was skipped.
    let lines = text.lines().skip(usize::from(skipped > 0));
    Ok(lines.map(Shown::new).collect())
}

#[cfg(test)]
mod tests;
