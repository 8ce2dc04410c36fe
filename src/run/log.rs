//! The event log's one writer.
//!
//! A thread of its own does the writing, so that no slow disk holds up a training step, and so that the
//! log goes on while the run computes: it says every few seconds what the process uses.
//!
//! Lines are gathered for up to 200 ms and then written whole by one call to a file opened for
//! appending; what a reader has seen is in the kernel's hands, and no end of this process takes it
//! back. States are written and synced at once, everything else is synced every 5 s. If the disk is
//! full, the part of a line that was written is cut off again, the lines wait in memory, and
//! [`EventLog::failed`] tells the run to stop.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::error::{RunError, at};
use super::line::{Parsed, parse};
use super::standing::{LogEnd, end_of, read_fully};
use super::{Tail, clock};
use crate::private;
use crate::train::Event;

mod writer;

use writer::Writer;

/// Events that may wait for the thread before the run has to.
const QUEUE: usize = 1 << 14;

/// The writer of a run's event log. Dropping it writes what waits.
#[derive(Debug)]
pub struct EventLog {
    path: PathBuf,
    sender: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<()>>,
    failure: Arc<Failure>,
}

#[derive(Debug)]
enum Message {
    Event(u64, Event),
    Sync(SyncSender<()>),
}

/// The first error of the thread.
#[derive(Debug, Default)]
struct Failure {
    failed: AtomicBool,
    cause: Mutex<Option<io::Error>>,
}

impl Failure {
    fn note(&self, cause: io::Error) {
        let mut first = self.cause.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(cause);
        self.failed.store(true, Ordering::Release);
    }

    /// The error again, for another to report.
    fn again(&self) -> Option<io::Error> {
        let first = self.cause.lock().unwrap_or_else(PoisonError::into_inner);
        first.as_ref().map(|e| match e.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(e.kind(), e.to_string()),
        })
    }
}

impl EventLog {
    /// Opens the log at `path` to go on after its last good line; makes it if it does not exist. The
    /// caller holds the run's lock. A torn last line is cut off: no reader has taken it for a line.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let (file, end) = open(path).map_err(at("opening the event log", path))?;
        let failure = Arc::new(Failure::default());
        let writer = Writer::new(file, &end, Arc::clone(&failure));
        let (sender, receiver) = mpsc::sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("event log".to_owned())
            .spawn(move || writer.run(&receiver))
            .map_err(at("starting the writer of", path))?;
        Ok(Self {
            path: path.to_owned(),
            sender: Some(sender),
            thread: Some(thread),
            failure,
        })
    }

    /// Takes an event of this moment.
    pub fn event(&self, event: Event) {
        self.send(Message::Event(clock::now_ms(), event));
    }

    fn send(&self, message: Message) {
        let sent = self
            .sender
            .as_ref()
            .is_some_and(|s| s.send(message).is_ok());
        if !sent {
            self.failure.note(io::Error::other("its writer has ended"));
        }
    }

    /// Whether something could not be written.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failure.failed.load(Ordering::Acquire)
    }

    /// Returns when every event taken so far is on the disk.
    ///
    /// # Errors
    /// If anything could not be written since the log was opened.
    pub fn sync(&self) -> Result<(), RunError> {
        let (done, wait) = mpsc::sync_channel(1);
        self.send(Message::Sync(done));
        let _ = wait.recv(); // an ended writer has left its error
        self.outcome()
    }

    /// Writes what waits and ends.
    ///
    /// # Errors
    /// If anything could not be written since the log was opened.
    pub fn close(mut self) -> Result<(), RunError> {
        self.end();
        self.outcome()
    }

    fn end(&mut self) {
        self.sender = None; // the thread then writes what it has and ends
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            self.failure
                .note(io::Error::other("its writer has panicked"));
        }
    }

    /// As if the disk had been full.
    #[cfg(test)]
    pub(super) fn pretend_failure(&self) {
        self.failure.note(io::ErrorKind::StorageFull.into());
    }

    fn outcome(&self) -> Result<(), RunError> {
        match self.failure.again() {
            Some(cause) => Err(at("writing the event log", &self.path)(cause)),
            None => Ok(()),
        }
    }
}

impl Drop for EventLog {
    fn drop(&mut self) {
        self.end();
    }
}

/// Opens the file, repairs its end, and finds where its run stands.
fn open(path: &Path) -> io::Result<(File, LogEnd)> {
    let mut file = private::open_append(path)?;
    let mut end = end_of(&file)?;
    let torn = end.whole.is_none_or(|whole| whole < end.len);
    if torn {
        repair(&mut file, &end)?;
        end = end_of(&file)?;
    }
    if end.seq == 0 && end.len > 0 {
        // No good line near the end: look at all of it.
        let mut tail = Tail::new(path);
        loop {
            let news = tail.read().map_err(io::Error::other)?;
            for line in &news.lines {
                end.standing.fold(line.t_ms, &line.event);
                end.seq = line.seq;
            }
            if !news.more {
                break;
            }
        }
    }
    Ok((file, end))
}

/// Cuts off what follows the last whole line, unless only its newline is missing.
fn repair(file: &mut File, end: &LogEnd) -> io::Result<()> {
    let Some(whole) = end.whole else {
        return file.write_all(b"\n"); // a damaged line of endless length: nothing to go back to
    };
    let mut torn = vec![0; usize::try_from(end.len - whole).unwrap_or(0)];
    let read = read_fully(file, &mut torn, whole)?;
    match parse(&torn[..read]) {
        Parsed::Damaged => file.set_len(whole),
        _ => file.write_all(b"\n"),
    }
}

#[cfg(test)]
mod tests;
