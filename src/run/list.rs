//! Runs as a list shows them, read from the ends of their logs.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use rayon::prelude::*;
use serde::Serialize;

use super::error::{RunError, at};
use super::standing::{Standing, read_end};
use super::{Home, Request, RunDir, RunId, lock};
use crate::train::RunState;

/// What a run does now: its last word, checked against whether it has a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Asked for, no worker has begun.
    Queued,
    Starting,
    Running,
    Paused,
    /// Ended before the last epoch because somebody asked for it.
    Stopped,
    Finished,
    Failed,
    /// Its worker ended without a word: killed, out of memory, the machine went down.
    Died,
}

impl Status {
    /// Whether a worker carries the run out.
    #[must_use]
    pub fn is_live(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Paused)
    }

    /// The one word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Died => "died",
        }
    }

    /// From the last state in the log; `alive` is asked only where it matters.
    fn of(state: Option<RunState>, alive: impl FnOnce() -> bool) -> Self {
        let claimed = match state {
            Some(RunState::Stopped) => return Self::Stopped,
            Some(RunState::Finished) => return Self::Finished,
            Some(RunState::Failed) => return Self::Failed,
            None | Some(RunState::Queued) => {
                return if alive() {
                    Self::Starting
                } else {
                    Self::Queued
                };
            }
            Some(RunState::Starting) => Self::Starting,
            Some(RunState::Running) => Self::Running,
            Some(RunState::Paused) => Self::Paused,
        };
        if alive() { claimed } else { Self::Died }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A run in a list.
#[derive(Clone, Debug)]
pub struct Summary {
    pub dir: RunDir,
    pub request: Arc<Request>,
    pub status: Status,
    /// Last and best values, step, epoch, times.
    pub standing: Standing,
}

impl Summary {
    /// Reads one run.
    ///
    /// # Errors
    /// If its request or its log cannot be read.
    pub fn read(dir: &RunDir) -> Result<Self, RunError> {
        let request = Arc::new(dir.request()?);
        let path = dir.events();
        let end = read_end(&path).map_err(at("reading the event log", &path))?;
        Ok(Self::new(dir.clone(), request, end.standing))
    }

    fn new(dir: RunDir, request: Arc<Request>, standing: Standing) -> Self {
        let status = Status::of(standing.state, || lock::is_alive(&dir));
        Self {
            dir,
            request,
            status,
            standing,
        }
    }

    #[must_use]
    pub fn id(&self) -> &RunId {
        self.dir.id()
    }

    /// Whether a worker carries the run out.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.status.is_live()
    }

    /// Share of the epochs done, 0 to 1; `None` if the request names no number of epochs.
    #[must_use]
    pub fn progress(&self) -> Option<f64> {
        let epochs = f64::from(self.request.training.epochs);
        (epochs > 0.0 && self.standing.epoch.is_finite())
            .then(|| (self.standing.epoch / epochs).clamp(0.0, 1.0))
    }

    /// Time until the last epoch at the pace so far, in seconds; only while the run goes on.
    #[must_use]
    pub fn seconds_left(&self) -> Option<f64> {
        let progress = self.progress().filter(|&p| p > 0.0)?;
        let seconds = self.standing.active_ms as f64 / 1000.0;
        (self.status == Status::Running).then(|| seconds * (1.0 - progress) / progress)
    }
}

/// All runs of a home.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Newest first.
    pub runs: Vec<Summary>,
    /// Runs that cannot be shown, and why.
    pub damaged: Vec<(RunId, String)>,
}

/// Lists all runs once; who lists again and again keeps a [`Lister`].
///
/// # Errors
/// If the folder of runs exists and cannot be read.
pub fn list(home: &Home) -> Result<Listing, RunError> {
    Lister::new(home.clone()).refresh()
}

/// Lists runs again and again and reads only what has changed since.
#[derive(Debug)]
pub struct Lister {
    home: Home,
    known: HashMap<RunId, Known>,
}

#[derive(Clone, Debug)]
struct Known {
    request: Arc<Request>,
    /// What tells whether the log has changed.
    stamp: Stamp,
    standing: Standing,
}

/// Number, length and time of change of a file; zeros for one that does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    len: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl Lister {
    #[must_use]
    pub fn new(home: Home) -> Self {
        Self {
            home,
            known: HashMap::new(),
        }
    }

    /// Lists the runs as they are now.
    ///
    /// # Errors
    /// If the folder of runs exists and cannot be read.
    pub fn refresh(&mut self) -> Result<Listing, RunError> {
        let runs = self.home.runs_folder();
        let ids = names(&self.home)?;
        let known = &self.known;
        let read: Vec<_> = ids
            .into_par_iter()
            .map(|id| {
                let dir = RunDir::known(runs, id);
                let now = current(&dir, known.get(dir.id()));
                (dir, now)
            })
            .collect();
        let mut listing = Listing::default();
        let mut next = HashMap::with_capacity(read.len());
        for (dir, now) in read {
            match now {
                Ok((status, now)) => {
                    listing.runs.push(Summary {
                        request: Arc::clone(&now.request),
                        status,
                        standing: now.standing.clone(),
                        dir: dir.clone(),
                    });
                    next.insert(dir.id().clone(), now);
                }
                Err(error) => listing.damaged.push((dir.id().clone(), error.to_string())),
            }
        }
        self.known = next;
        listing.runs.sort_unstable_by(newest_first);
        Ok(listing)
    }
}

fn newest_first(a: &Summary, b: &Summary) -> std::cmp::Ordering {
    let key = |s: &Summary| s.request.created_ms;
    key(b).cmp(&key(a)).then_with(|| b.id().cmp(a.id()))
}

fn current(dir: &RunDir, known: Option<&Known>) -> Result<(Status, Known), RunError> {
    let path = dir.events();
    let stamp = path.symlink_metadata().map_or(Stamp::default(), |m| Stamp {
        inode: m.ino(),
        len: m.len(),
        seconds: m.mtime(),
        nanoseconds: m.mtime_nsec(),
    });
    let now = match known {
        Some(known) if known.stamp == stamp => known.clone(),
        _ => {
            if known.is_none() {
                dir.check_owner()?;
            }
            let request = match known {
                Some(known) => Arc::clone(&known.request),
                None => Arc::new(dir.request()?),
            };
            let end = read_end(&path).map_err(at("reading the event log", &path))?;
            Known {
                request,
                stamp,
                standing: end.standing,
            }
        }
    };
    let status = Status::of(now.standing.state, || lock::is_alive(dir));
    Ok((status, now))
}

/// The names of all runs, unsorted; no folder means no runs. Other things that lie there are no runs.
pub(super) fn names(home: &Home) -> Result<Vec<RunId>, RunError> {
    let runs = home.runs_folder();
    let entries = match std::fs::read_dir(runs) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(at("reading the runs folder", runs)(e)),
    };
    let ids = entries.flatten().filter_map(|entry| {
        let folder = entry.file_type().is_ok_and(|t| t.is_dir());
        let name: OsString = entry.file_name();
        folder.then(|| name.to_str()?.parse().ok()).flatten()
    });
    Ok(ids.collect())
}

#[cfg(test)]
mod tests;
