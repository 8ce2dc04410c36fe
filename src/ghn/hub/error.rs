//! What can go wrong with fetching a checkpoint.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::super::GhnError;
use super::Size;
use super::roots;
use super::witness::Dispute;
use crate::nn::files::FileError;
use crate::text::Shown;

/// Why a checkpoint could not be fetched.
#[derive(Debug, Error)]
pub enum FetchError {
    #[error(
        "\"{given}\" is no source of checkpoints: give an address that begins with http:// or https://, or a folder"
    )]
    Source { given: String },
    #[error("connecting to {url}: {reason}; {}", way_around(.reason))]
    Connect { url: String, reason: String },
    #[error(
        "reading the certificates that {} names, {}: {reason}; name another file, or unset it to trust the \
         authorities that are built in",
        roots::VARIABLE, shown(.path)
    )]
    Roots { path: PathBuf, reason: String },
    #[error("{url} answers with status {status}{}", meaning(*.status))]
    Answer { url: String, status: u16 },
    #[error(
        "{url} answers with the range \"{range}\", which is none; a server that does not know ranges is fine"
    )]
    Range { url: String, range: String },
    #[error("{url} redirects elsewhere, but {reason}")]
    Redirected { url: String, reason: &'static str },
    #[error(
        "{from} broke off at {}: {reason}; {}",
        progress(*.have, *.total), next_time(*.is_known)
    )]
    Broken {
        from: String,
        have: u64,
        total: Option<u64>,
        /// Whether the source says something by which the same file is known again.
        is_known: bool,
        reason: String,
    },
    #[error("{from} has {found} bytes, but {name} has {}; it is another file, and was not fetched", bytes(*.expected))]
    WrongSize {
        name: &'static str,
        from: String,
        expected: Size,
        found: u64,
    },
    #[error("{from} does not end after {limit} bytes, as it should; nothing of it was kept")]
    TooLong { from: String, limit: u64 },
    #[error(
        "what came from {from} is not {name}: {}, but it has {}. Nothing of it was kept. Another source may be given \
         with --from. If you know from elsewhere that the new hash is right, give it with --sha256; {} holds those that \
         are remembered",
        .dispute.expected(), .dispute.found, shown(.ledger)
    )]
    WrongHash {
        name: &'static str,
        from: String,
        dispute: Dispute,
        ledger: PathBuf,
    },
    #[error("what came from {from} is not {name}: {reason}. Nothing of it was kept")]
    NoGhn {
        name: &'static str,
        from: String,
        reason: Box<GhnError>,
    },
    #[error(
        "{} is not {name}: {}, but it has {}; --again fetches it anew",
        shown(.path), .dispute.expected(), .dispute.found
    )]
    Damaged {
        name: &'static str,
        path: PathBuf,
        dispute: Dispute,
    },
    #[error(
        "writing {}: there is no room for {needed} more bytes{}{}; make room, and the same command goes on from \
         what is here",
        shown(.path), free_bytes(*.free), because(.reason.as_ref())
    )]
    NoRoom {
        path: PathBuf,
        needed: u64,
        free: Option<u64>,
        reason: Option<io::Error>,
    },
    #[error("another process is fetching {name} right now; let it finish, or end it and try again")]
    Busy { name: &'static str },
    #[error(
        "reading what is remembered of fetched checkpoints, {}: {reason}; repair the file, or remove it to forget all \
         of them",
        shown(.path)
    )]
    Ledger { path: PathBuf, reason: String },
    #[error("{doing} {}: {reason}", shown(.path))]
    File {
        doing: &'static str,
        path: PathBuf,
        reason: io::Error,
    },
    #[error(transparent)]
    Write(#[from] FileError),
}

impl FetchError {
    /// Whether another attempt may succeed. A place that never `answered` is given up at once: most often there is no
    /// network at all.
    pub(super) const fn may_pass(&self, answered: bool) -> bool {
        match self {
            Self::Broken { .. } => true,
            Self::Connect { .. } => answered,
            Self::Answer { status, .. } => matches!(status, 408 | 429 | 500..=599),
            _ => false,
        }
    }
}

/// For `map_err`: an error of the file system, while `doing` something to `path`.
pub(super) fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FetchError {
    let path = path.to_owned();
    move |reason| FetchError::File {
        doing,
        path,
        reason,
    }
}

impl Dispute {
    fn expected(&self) -> impl fmt::Display {
        format!("{} is {}", self.witness, self.expected)
    }
}

/// What a status means for one who fetches a published file.
const fn meaning(status: u16) -> &'static str {
    match status {
        401 | 403 => ": it does not give the file to everybody; --from names another source",
        404 | 410 => ": it has no such file; --from names another source",
        429 => ": it was asked too often; try again later",
        500..=599 => ": it has a fault of its own; try again later",
        _ => "",
    }
}

fn bytes(size: Size) -> String {
    match size {
        Size::Exactly(bytes) => bytes.to_string(),
        Size::About(bytes) => format!("about {bytes}"),
    }
}

const fn next_time(is_known: bool) -> &'static str {
    if is_known {
        "what came is kept, and the next attempt goes on from there"
    } else {
        "its server does not identify the file, so the next attempt begins anew"
    }
}

fn progress(have: u64, total: Option<u64>) -> String {
    match total {
        Some(total) => format!("{have} of {total} bytes"),
        None => format!("{have} bytes"),
    }
}

fn free_bytes(free: Option<u64>) -> String {
    free.map_or_else(String::new, |free| format!(", {free} are free"))
}

fn because(reason: Option<&io::Error>) -> String {
    reason.map_or_else(String::new, |reason| format!(" ({reason})"))
}

/// What to do where a connection failed.
fn way_around(reason: &str) -> String {
    if reason.contains("certificate") {
        let variable = roots::VARIABLE;
        return format!(
            "where a proxy has an authority of its own, name the file of its certificate in {variable}"
        );
    }
    "if this machine has no network, fetch the file elsewhere and give its folder or a mirror with --from".to_owned()
}

fn shown(path: &Path) -> Shown {
    Shown::new(&path.to_string_lossy())
}
