//! The thread that writes the log.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::{Failure, Message};
use crate::run::clock;
use crate::run::line::{write_event, write_standing};
use crate::run::process::{self, Usage};
use crate::run::standing::{LogEnd, Standing};
use crate::train::{Event, RunState};

/// Longest time that a line waits for others.
const GATHER: Duration = Duration::from_millis(200);
/// Longest time until a line is on the disk.
const SYNC: Duration = Duration::from_secs(5);
/// Time between two looks at the process.
const SYSTEM: Duration = Duration::from_secs(5);
/// Time between two attempts to write to a disk that refused.
const RETRY: Duration = Duration::from_secs(1);
/// Lines do not wait for others once they are so many bytes.
const GATHER_BYTES: usize = 256 << 10;
/// Events taken between two looks at what is due.
const DRAIN: usize = 1024;
/// A standing is written after so many bytes of other lines; a reader finds one in its first look at a
/// log's end.
const STANDING_EVERY: usize = 6 << 10;
/// Most bytes that wait for a disk that refused; further lines are dropped.
const MOST_WAITING: usize = 16 << 20;
/// The thread's state.
pub(super) struct Writer {
    pub(super) file: File,
    /// Up to here the file holds whole lines, in bytes.
    len: u64,
    pub(super) waiting: Vec<u8>,
    /// A state waits: write and sync now.
    urgent: bool,
    /// The last attempt to write did not succeed.
    refused: bool,
    unsynced: bool,
    seq: u64,
    standing: Standing,
    since_standing: usize,
    usage: Usage,
    next_write: Instant,
    next_sync: Instant,
    next_system: Instant,
    failure: Arc<Failure>,
}

impl Writer {
    pub(super) fn new(file: File, end: &LogEnd, failure: Arc<Failure>) -> Self {
        let now = Instant::now();
        Self {
            len: file.metadata().map_or(end.len, |m| m.len()),
            file,
            waiting: Vec::new(),
            urgent: false,
            refused: false,
            unsynced: false,
            seq: end.seq,
            standing: end.standing.clone(),
            since_standing: 0,
            usage: Usage::begin(),
            next_write: now,
            next_sync: now + SYNC,
            next_system: now + SYSTEM,
            failure,
        }
    }

    pub(super) fn run(mut self, receiver: &Receiver<Message>) {
        loop {
            let wait = self
                .next_deadline()
                .saturating_duration_since(Instant::now());
            match receiver.recv_timeout(wait) {
                Ok(message) => {
                    self.take(message);
                    for more in receiver.try_iter().take(DRAIN) {
                        self.take(more);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.work(Instant::now());
        }
        self.push_standing();
        self.write();
        self.sync();
    }

    fn next_deadline(&self) -> Instant {
        let mut next = self.next_system;
        if !self.waiting.is_empty() {
            next = next.min(self.next_write);
        }
        if self.unsynced {
            next = next.min(self.next_sync);
        }
        next
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Event(t_ms, event) => self.push(t_ms, &event),
            Message::Sync(done) => {
                self.write();
                self.sync();
                let _ = done.send(()); // who asked may have gone
            }
        }
    }

    /// Does what is due.
    fn work(&mut self, now: Instant) {
        if now >= self.next_system {
            self.push_system();
            self.next_system = now + SYSTEM;
        }
        let many = self.waiting.len() >= GATHER_BYTES && !self.refused;
        if !self.waiting.is_empty() && (self.urgent || many || now >= self.next_write) {
            self.write();
        }
        if self.unsynced && (self.urgent || now >= self.next_sync) {
            self.sync();
        }
    }

    pub(super) fn push(&mut self, t_ms: u64, event: &Event) {
        if self.refused && self.waiting.len() > MOST_WAITING {
            return;
        }
        self.standing.fold(t_ms, event);
        self.seq += 1;
        let before = self.waiting.len();
        write_event(&mut self.waiting, t_ms, self.seq, event);
        self.since_standing += self.waiting.len() - before;
        match event {
            Event::State { .. } => self.urgent = true,
            // The run speaks for itself while it trains; we do while it waits or evaluates.
            Event::System { .. } => self.next_system = Instant::now() + SYSTEM,
            _ => {}
        }
        if self.since_standing >= STANDING_EVERY {
            self.push_standing();
        }
    }

    fn push_system(&mut self) {
        // Before the first state there is no run to speak of.
        if self.standing.state.is_none_or(over) {
            return;
        }
        let event = Event::System {
            step: self.standing.step,
            epoch: self.standing.epoch,
            rss_bytes: process::rss_bytes(),
            cpu_percent: self.usage.cpu_percent(),
        };
        self.push(clock::now_ms(), &event);
    }

    fn push_standing(&mut self) {
        if self.since_standing == 0 {
            return;
        }
        self.seq += 1;
        let t_ms = self.standing.updated_ms;
        write_standing(&mut self.waiting, t_ms, self.seq, &self.standing);
        self.since_standing = 0;
    }

    /// Writes the lines that wait: all of them or none.
    pub(super) fn write(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        match self.file.write_all(&self.waiting) {
            Ok(()) => {
                self.len += self.waiting.len() as u64;
                self.waiting.clear();
                self.refused = false;
                self.unsynced = true;
                self.next_write = Instant::now() + GATHER;
            }
            Err(cause) => {
                // Where this fails, too, the next worker cuts off the torn line.
                let _ = self.file.set_len(self.len);
                self.urgent = false;
                self.refused = true;
                self.next_write = Instant::now() + RETRY;
                self.failure.note(cause);
            }
        }
    }

    fn sync(&mut self) {
        self.urgent = false;
        self.next_sync = Instant::now() + SYNC;
        if !self.unsynced {
            return;
        }
        match self.file.sync_data() {
            Ok(()) => self.unsynced = false,
            Err(cause) => self.failure.note(cause),
        }
    }
}

/// Whether a run in this state has ended.
fn over(state: RunState) -> bool {
    matches!(
        state,
        RunState::Stopped | RunState::Finished | RunState::Failed
    )
}
