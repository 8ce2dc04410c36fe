//! What is remembered of the checkpoints that were fetched: `published.json` in their folder.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::digests::Digests;
use super::error::at;
use super::lock::Lock;
use super::{FetchError, Witness};
use crate::nn::files::write_aside;

/// The file's name.
pub(super) const FILE: &str = "published.json";

/// Most bytes of it that are read.
const LARGEST_BYTES: u64 = 1 << 20;

/// Every checkpoint that was fetched into a folder, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    checkpoints: BTreeMap<String, Entry>,
}

/// What is remembered of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
    /// The address or file that it came from.
    pub from: String,
    /// Who vouched for the hash at that time.
    pub witness: Witness,
    /// Milliseconds since 1970.
    pub fetched_ms: u64,
}

impl Entry {
    pub(super) fn new(found: &Digests, from: &str, witness: Witness) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            bytes: found.bytes,
            sha256: found.sha256.clone(),
            from: from.to_owned(),
            witness,
            // A clock before 1970 is wrong anyway.
            fetched_ms: now.map_or(0, |d| d.as_millis() as u64),
        }
    }
}

impl Ledger {
    /// What is remembered in `folder`: nothing if there is no such file yet.
    ///
    /// # Errors
    /// If the file cannot be read, or is no ledger.
    pub fn read(folder: &Path) -> Result<Self, FetchError> {
        let path = folder.join(FILE);
        let file = match File::open(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            opened => opened.map_err(at("opening", &path))?,
        };
        let mut text = String::new();
        let mut limited = file.take(LARGEST_BYTES);
        limited
            .read_to_string(&mut text)
            .map_err(at("reading", &path))?;
        serde_json::from_str(&text).map_err(|e| FetchError::Ledger {
            path,
            reason: e.to_string(),
        })
    }

    /// What is remembered of the checkpoint called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.checkpoints.get(name)
    }

    /// Remembers a checkpoint in `folder`. Others may do the same for theirs at the same time.
    pub(super) fn remember(folder: &Path, name: &str, entry: Entry) -> Result<(), FetchError> {
        let path = folder.join(FILE);
        let _lock = Lock::wait(&path)?;
        let mut ledger = Self::read(folder)?;
        ledger.checkpoints.insert(name.to_owned(), entry);
        let text =
            serde_json::to_string_pretty(&ledger).map_err(|e| at("writing", &path)(e.into()))?;
        Ok(write_aside(&path, |w| writeln!(w, "{text}"))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(from: &str) -> Entry {
        let digests = Digests {
            bytes: 1,
            sha256: "aa".to_owned(),
            git_blob: "bb".to_owned(),
        };
        Entry::new(&digests, from, Witness::Nobody)
    }

    #[test]
    fn entries_written_at_the_same_time_are_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for i in 0..8 {
                let folder = folder.path();
                scope.spawn(move || {
                    Ledger::remember(folder, &format!("ghn{i}"), entry("here")).unwrap();
                });
            }
        });
        let ledger = Ledger::read(folder.path()).unwrap();
        assert_eq!(ledger.checkpoints.len(), 8);
    }

    #[test]
    fn a_damaged_ledger_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Ledger::read(folder.path()).unwrap(), Ledger::default());
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        let message = Ledger::read(folder.path()).unwrap_err().to_string();
        assert!(
            message.contains("published.json") && message.contains("remove it"),
            "{message}"
        );
    }
}
