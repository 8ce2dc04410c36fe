//! Being a worker: the one process that carries out a run, and what it says and hears.

use super::error::RunError;
use super::signals::Signals;
use super::{Control, EventLog, Lock, RunDir};
use crate::train::{Command, Event, Reporter, RunState};

/// What becomes of the terminal that a worker was started from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// The worker ends with it, like any command.
    Keep,
    /// The worker goes into a session of its own, out of reach of Ctrl-C and hang-ups.
    Leave,
}

/// The hold of this process on a run: its lock, its event log, its control file.
///
/// As a [`Reporter`] it goes to [`train`](crate::train). It ends by [`Worker::finish`] or
/// [`Worker::fail`]; one that is dropped before the run has ended says in the log that it failed.
#[derive(Debug)]
pub struct Worker {
    dir: RunDir,
    /// Before the lock, so that the log is closed when the lock is free.
    log: EventLog,
    control: Control,
    signals: Option<Signals>,
    /// The last state said.
    state: RunState,
    told_to_stop: bool,
    _lock: Lock,
}

impl Worker {
    /// Takes the run for this process and says that it starts.
    ///
    /// # Errors
    /// [`RunError::Held`] if another process carries it out; otherwise if its files cannot be written.
    pub fn begin(dir: &RunDir, device: &str, terminal: Terminal) -> Result<Self, RunError> {
        if terminal == Terminal::Leave {
            // Fails only if we lead a session already, which is what we want.
            let _ = rustix::process::setsid();
        }
        dir.check_owner()?;
        let control = Control::open(dir);
        let lock = Lock::take(dir, device)?;
        let mut worker = Self {
            dir: dir.clone(),
            log: EventLog::open(&dir.events())?,
            control,
            signals: None,
            state: RunState::Starting,
            told_to_stop: false,
            _lock: lock,
        };
        worker.event(Event::State {
            state: RunState::Starting,
            reason: None,
        });
        Ok(worker)
    }

    /// From now on, an interrupt (Ctrl-C) or a request to terminate stops the run in an orderly way:
    /// [`Reporter::command`] gives [`Command::Stop`]. A second one ends the process at once.
    ///
    /// # Errors
    /// If the signals cannot be listened to.
    pub fn stop_on_signals(&mut self) -> Result<(), RunError> {
        self.signals = Some(Signals::listen(self.dir.path())?);
        Ok(())
    }

    #[must_use]
    pub fn dir(&self) -> &RunDir {
        &self.dir
    }

    /// Returns when everything said so far is on the disk.
    ///
    /// # Errors
    /// If anything could not be written.
    pub fn sync(&self) -> Result<(), RunError> {
        self.log.sync()
    }

    /// Ends after the run said its last state.
    ///
    /// # Errors
    /// If anything could not be written.
    pub fn finish(mut self) -> Result<(), RunError> {
        self.say_how_it_ended("the worker ended before the run did");
        self.log.sync()
    }

    /// Ends with an error that the training did not report itself.
    ///
    /// # Errors
    /// If anything could not be written.
    pub fn fail(mut self, reason: &str) -> Result<(), RunError> {
        self.say_how_it_ended(reason);
        self.log.sync()
    }

    fn say_how_it_ended(&mut self, reason: &str) {
        if !has_ended(self.state) {
            self.event(Event::State {
                state: RunState::Failed,
                reason: Some(reason.to_owned()),
            });
        }
    }
}

impl Reporter for Worker {
    fn event(&mut self, event: Event) {
        if let Event::State { state, .. } = event {
            self.state = state;
        }
        self.log.event(event);
    }

    /// The next command from the control file; [`Command::Stop`] after a signal, or when the log can no
    /// longer be written.
    fn command(&mut self) -> Option<Command> {
        let signal = self.signals.as_ref().is_some_and(Signals::told_to_stop);
        if (signal || self.log.failed()) && !self.told_to_stop {
            self.told_to_stop = true;
            return Some(Command::Stop);
        }
        match self.control.poll()? {
            Ok(command) => Some(command),
            Err(unknown) => {
                self.event(Event::Note {
                    text: unknown.to_string(),
                });
                None
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let reason = if std::thread::panicking() {
            "the worker panicked; worker.log says where"
        } else {
            "the worker ended early; worker.log says why"
        };
        self.say_how_it_ended(reason);
    }
}

fn has_ended(state: RunState) -> bool {
    matches!(
        state,
        RunState::Stopped | RunState::Finished | RunState::Failed
    )
}

#[cfg(test)]
mod tests;
