//! What can go wrong with a run's files, in words for the person at the terminal.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// An error of this room. The text says what was being done, to which file, and what to do next.
#[derive(Debug, Error)]
pub enum RunError {
    /// `doing` reads like "writing the event log".
    #[error("{doing} {}: {cause}{}", path.display(), advice(cause))]
    Io {
        doing: &'static str,
        path: PathBuf,
        cause: io::Error,
    },
    #[error("reading {}: {cause}", path.display())]
    Config { path: PathBuf, cause: String },
    #[error(
        "reading the request of a run, {}: {cause}; the run cannot be carried out or shown without it",
        path.display()
    )]
    Request { path: PathBuf, cause: String },
    #[error("writing down the request of a run: {cause}")]
    Unwritable { cause: String },
    #[error("no home folder for this user: set HYPERSCOPE_HOME to a folder that you can write")]
    NoHome,
    #[error("\"{0}\" is no name of a run; they look like 20261123-0914-resnet50-ghn-orth-7f3a")]
    BadId(String),
    #[error("no run \"{wanted}\" in {}; `hyperscope runs list` shows those that exist", runs.display())]
    NotFound { wanted: String, runs: PathBuf },
    #[error("no runs yet in {}; `hyperscope finetune ARCH --detach` starts one", runs.display())]
    NoRuns { runs: PathBuf },
    #[error("\"{wanted}\" could be {}; give more of its name", candidates.join(", "))]
    Ambiguous {
        wanted: String,
        candidates: Vec<String>,
    },
    #[error("{} is {holder}; wait for it or stop it first", path.display())]
    Held { path: PathBuf, holder: String },
    #[error("no worker carries out {0} now; `hyperscope runs resume {0}` starts one")]
    NoWorker(String),
    #[error(
        "the worker of {id} ended before it began: {said}; all it said is in {}",
        log.display()
    )]
    WorkerDied {
        id: String,
        said: String,
        log: PathBuf,
    },
    #[error(
        "the worker of {id} (process {pid}) has not begun after {seconds} seconds; look at {}",
        log.display()
    )]
    WorkerSlow {
        id: String,
        pid: u32,
        seconds: u64,
        log: PathBuf,
    },
    #[error(
        "{} belongs to another user (id {owner}); only its owner may carry it out or steer it",
        path.display()
    )]
    NotYours { path: PathBuf, owner: u32 },
}

/// What a user can do about an I/O error, to be put behind it.
fn advice(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; the disk is full or your quota is used up: free some space, nothing written so far is lost"
        }
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::ReadOnlyFilesystem
        | io::ErrorKind::NotADirectory => {
            "; set HYPERSCOPE_HOME to a folder that you can write, or change the permissions"
        }
        _ => "",
    }
}

/// Turns an I/O error into a [`RunError`] that says what was being done to which file.
pub fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RunError {
    move |cause| RunError::Io {
        doing,
        path: path.to_owned(),
        cause,
    }
}
