//! Published checkpoints: what there is and where, how it comes into the cache folder, and how it is known to
//! be what it should be.
//!
//! A download grows in `NAME.pt.part`, beside its place, with what identifies the file that it is a part of in
//! `NAME.pt.part.json`. Whatever ends it, the next one goes on there. Once complete it is brought to the disk,
//! read again for its hashes, and only then gets its name.
//!
//! One HTTP client, [`ureq`] with rustls, reaches every place. The hub has a crate of its own, hf-hub, but since
//! its version 1.0 an interrupted file begins anew, it knows nothing of GitHub or of a plain mirror, and it
//! brings more than two hundred crates along, a second TLS library among them.

mod digests;
mod download;
mod error;
mod http;
mod ledger;
mod lock;
mod part;
mod release;
mod room;
mod roots;
mod source;
mod witness;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

pub use error::FetchError;
pub use ledger::{Entry, Ledger};
pub use release::{RELEASES, Release, Size};
pub use source::Source;
pub use witness::{Dispute, Witness};

use super::Ghn;
use digests::Digests;
use error::at;
use lock::Lock;
use part::{Part, Version};

/// How a checkpoint is fetched.
#[derive(Clone, Debug)]
pub struct Fetch {
    pub from: Source,
    /// SHA-256 that the file must have, in hexadecimal; it counts more than a remembered one.
    pub sha256: Option<String>,
    /// Fetch although the checkpoint is here already.
    pub again: bool,
    /// Attempts in a row that may bring nothing, once anything has come.
    pub attempts: u32,
    /// Time before the second attempt; it doubles with each further one.
    pub wait: Duration,
    /// A server that says nothing for longer counts as gone.
    pub silence: Duration,
}

impl Default for Fetch {
    fn default() -> Self {
        Self {
            from: Source::Public,
            sha256: None,
            again: false,
            attempts: 5,
            wait: Duration::from_secs(1),
            silence: Duration::from_secs(60),
        }
    }
}

/// What happens while a checkpoint is fetched. Sizes are in bytes.
#[derive(Clone, Debug)]
pub enum Progress<'a> {
    /// `from` answers; `have` bytes are here from an earlier attempt.
    Begun {
        from: &'a str,
        have: u64,
        total: Option<u64>,
    },
    /// What was here cannot be continued, and is dropped: the file has changed, or its source knows only whole
    /// files.
    Dropped {
        bytes: u64,
    },
    Received {
        have: u64,
    },
    /// The connection broke; the next attempt begins after `wait`.
    Broken {
        why: &'a FetchError,
        wait: Duration,
    },
    /// The file is read for its hashes.
    Checking {
        done: u64,
        total: u64,
    },
}

/// A checkpoint in its place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fetched {
    pub name: &'static str,
    pub path: PathBuf,
    pub bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
    /// Who says that the file should have this hash.
    pub witness: Witness,
    /// Whether it was here before, and nothing was fetched.
    pub already: bool,
    /// Where it came from; none if it was here and it is not remembered from where.
    pub from: Option<String>,
    /// Bytes that an earlier call had brought.
    pub resumed_from: u64,
    pub seconds: f64,
}

/// Brings a published checkpoint into `folder`, checked.
///
/// # Errors
/// [`FetchError`]; nothing lies under the checkpoint's name then that did not before.
pub fn fetch(
    release: &'static Release,
    how: &Fetch,
    folder: &Path,
    on: &mut dyn FnMut(Progress<'_>),
) -> Result<Fetched, FetchError> {
    let start = Instant::now();
    part::make_folder(folder)?;
    let target = folder.join(release.file());
    let _lock = Lock::take(release.name, &target)?;
    let ledger = Ledger::read(folder)?;
    let job = Job {
        release,
        how,
        folder,
        target,
        remembered: ledger.get(release.name),
    };
    let mut fetched = if job.target.is_file() && !how.again {
        job.check(on)?
    } else {
        job.bring(on)?
    };
    fetched.seconds = start.elapsed().as_secs_f64();
    Ok(fetched)
}

/// One checkpoint on its way to its place.
struct Job<'a> {
    release: &'static Release,
    how: &'a Fetch,
    folder: &'a Path,
    target: PathBuf,
    remembered: Option<&'a Entry>,
}

impl Job<'_> {
    /// Downloads what is missing, and gives it its name if it is what it should be.
    fn bring(self, on: &mut dyn FnMut(Progress<'_>)) -> Result<Fetched, FetchError> {
        let mut part = Part::open(&self.target)?;
        let version = match download::run(self.release, self.how, &mut part, on) {
            Ok(version) => version,
            Err(error) => {
                part.leave()?;
                return Err(error);
            }
        };
        part.sync()?;
        let found = digests::of(part.path(), on)?;
        let witness = match self.judge(part.path(), &version, &found) {
            Ok(witness) => witness,
            Err(error) => {
                part.discard()?;
                return Err(error);
            }
        };
        let resumed_from = part.inherited();
        part.place(&self.target)?;
        self.remember(Entry::new(&found, &version.from, witness))?;
        Ok(Fetched {
            from: Some(version.from),
            resumed_from,
            already: false,
            ..self.fetched(found, witness)
        })
    }

    /// Who vouches for what came. If nobody does, it must at least be a GHN, and not what a network says to those who
    /// have not signed in.
    fn judge(
        &self,
        path: &Path,
        version: &Version,
        found: &Digests,
    ) -> Result<Witness, FetchError> {
        let name = self.release.name;
        let heard = self.hear(version.sha256.as_deref(), found);
        let witness = heard.map_err(|dispute| FetchError::WrongHash {
            name,
            from: version.from.clone(),
            dispute,
            ledger: self.folder.join(ledger::FILE),
        })?;
        if witness == Witness::Nobody {
            Ghn::read(path).map_err(|reason| FetchError::NoGhn {
                name,
                from: version.from.clone(),
                reason: Box::new(reason),
            })?;
        }
        Ok(witness)
    }

    /// Checks one that is here already like one that was fetched.
    fn check(self, on: &mut dyn FnMut(Progress<'_>)) -> Result<Fetched, FetchError> {
        let found = digests::of(&self.target, on)?;
        let witness = self
            .hear(None, &found)
            .map_err(|dispute| FetchError::Damaged {
                name: self.release.name,
                path: self.target.clone(),
                dispute,
            })?;
        if self.remembered.is_none_or(|e| e.sha256 != found.sha256) {
            let place = self.target.to_string_lossy();
            self.remember(Entry::new(&found, &place, witness))?;
        }
        Ok(self.fetched(found, witness))
    }

    fn hear(&self, announced: Option<&str>, found: &Digests) -> Result<Witness, Dispute> {
        let given = self.how.sha256.as_deref();
        witness::hear(self.release, given, announced, self.remembered, found)
    }

    fn remember(&self, entry: Entry) -> Result<(), FetchError> {
        Ledger::remember(self.folder, self.release.name, entry)
    }

    fn fetched(self, found: Digests, witness: Witness) -> Fetched {
        Fetched {
            name: self.release.name,
            path: self.target,
            bytes: found.bytes,
            sha256: found.sha256,
            witness,
            already: true,
            from: self.remembered.map(|e| e.from.clone()),
            resumed_from: 0,
            seconds: 0.0,
        }
    }
}

/// Removes a file that may not be there.
fn remove(path: &Path) -> Result<(), FetchError> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(at("removing", path)(e)),
        _ => Ok(()),
    }
}
