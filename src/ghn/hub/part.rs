//! The part of a file that is here already, and what it is a part of.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::at;
use super::{FetchError, remove, room};
use crate::nn::files::write_aside;
use crate::private;

/// Most bytes that are read of the file that says what a part is a part of.
const LARGEST_BYTES: u64 = 1 << 16;

/// What identifies a file at its source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    /// The address or file that it comes from.
    pub from: String,
    /// Its size in bytes, if the source says.
    pub total: Option<u64>,
    /// What changes whenever the content does: a server's `ETag` or time of change.
    pub validator: Option<String>,
    /// SHA-256 as the source announces it, in hexadecimal.
    pub sha256: Option<String>,
}

impl Version {
    /// Whether both are for certain the same content, wherever it comes from.
    pub(super) fn is(&self, other: &Self) -> bool {
        let both = |a: &Option<String>, b: &Option<String>| Some(a.as_ref()? == b.as_ref()?);
        let hash = both(&self.sha256, &other.sha256);
        let validator = both(&self.validator, &other.validator).filter(|_| self.from == other.from);
        self.total == other.total && hash.or(validator) == Some(true)
    }
}

/// An unfinished download.
#[derive(Debug)]
pub(super) struct Part {
    file: File,
    path: PathBuf,
    about: PathBuf,
    len: u64,
    /// Bytes that were here when it was opened, and are not dropped since.
    inherited: u64,
    version: Option<Version>,
}

impl Part {
    /// What is here of the file that will lie at `target`: nothing, if it is not known what it is a part of.
    pub(super) fn open(target: &Path) -> Result<Self, FetchError> {
        let path = with(target, ".part");
        let about = with(target, ".part.json");
        let opening = || at("opening", &path);
        let file = private::open_append(&path).map_err(opening())?;
        let len = file.metadata().map_err(opening())?.len();
        let version = read_version(&about).filter(|_| len > 0);
        let mut part = Self {
            file,
            path,
            about,
            len,
            inherited: len,
            version,
        };
        if part.version.is_none() {
            part.clear()?;
        }
        Ok(part)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that are here.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// Bytes that an earlier process had brought.
    pub(super) const fn inherited(&self) -> u64 {
        self.inherited
    }

    /// What the bytes are a part of; none if there are none.
    pub(super) const fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }

    /// Drops what is here.
    pub(super) fn clear(&mut self) -> Result<(), FetchError> {
        self.file.set_len(0).map_err(at("emptying", &self.path))?;
        self.len = 0;
        self.inherited = 0;
        self.version = None;
        Ok(())
    }

    /// Drops what is here, and begins a part of `version`.
    pub(super) fn begin(&mut self, version: &Version) -> Result<(), FetchError> {
        self.clear()?;
        let text =
            serde_json::to_string(version).map_err(|e| at("writing", &self.about)(e.into()))?;
        write_aside(&self.about, |w| writeln!(w, "{text}"))?;
        self.version = Some(version.clone());
        Ok(())
    }

    /// Adds `bytes`. Of those that do not fit on the disk, as many are kept as do.
    pub(super) fn append(
        &mut self,
        mut bytes: &[u8],
        total: Option<u64>,
    ) -> Result<(), FetchError> {
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Ok(n) if n > 0 => {
                    self.len += n as u64;
                    bytes = &bytes[n..];
                }
                failed => {
                    let error = failed.err().unwrap_or(io::ErrorKind::WriteZero.into());
                    let needed = total.map(|t| t.saturating_sub(self.len));
                    return Err(room::explain(&self.path, needed, error));
                }
            }
        }
        Ok(())
    }

    /// Brings what is here to the disk.
    pub(super) fn sync(&self) -> Result<(), FetchError> {
        let synced = self.file.sync_all();
        synced.map_err(|e| room::explain(&self.path, Some(0), e))
    }

    /// Gives the complete file its name.
    pub(super) fn place(self, target: &Path) -> Result<(), FetchError> {
        std::fs::rename(&self.path, target).map_err(at("placing", target))?;
        remove(&self.about)?;
        // Makes the new name itself survive a power failure, where folders can be synchronised.
        let _ = File::open(target.parent().unwrap_or(target)).and_then(|f| f.sync_all());
        Ok(())
    }

    /// Leaves what is here for the next attempt; of nothing, nothing is left.
    pub(super) fn leave(self) -> Result<(), FetchError> {
        if self.len == 0 {
            self.discard()
        } else {
            Ok(())
        }
    }

    /// Removes what is here.
    pub(super) fn discard(self) -> Result<(), FetchError> {
        remove(&self.path)?;
        remove(&self.about)
    }
}

/// What cannot be read identifies nothing: the download begins anew then.
fn read_version(about: &Path) -> Option<Version> {
    let text = private::read_small(about, LARGEST_BYTES).ok()?;
    serde_json::from_str(&text).ok()
}

/// Makes the cache folder where it is missing.
pub(super) fn make_folder(folder: &Path) -> Result<(), FetchError> {
    private::make_all_private(folder).map_err(at("making", folder))
}

fn with(target: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(target);
    name.push(end);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(validator: &str) -> Version {
        Version {
            from: "http://127.0.0.1/a.pt".to_owned(),
            total: Some(6),
            validator: Some(validator.to_owned()),
            sha256: None,
        }
    }

    #[test]
    fn a_part_is_found_again_with_what_it_is_a_part_of() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.pt");
        let mut part = Part::open(&target).unwrap();
        part.begin(&version("1")).unwrap();
        part.append(b"abc", Some(6)).unwrap();
        drop(part);
        let mut part = Part::open(&target).unwrap();
        assert_eq!((part.len(), part.version()), (3, Some(&version("1"))));
        part.append(b"def", Some(6)).unwrap();
        part.place(&target).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"abcdef");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn bytes_of_which_nobody_knows_what_they_are_count_as_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.pt");
        std::fs::write(with(&target, ".part"), "abc").unwrap();
        let part = Part::open(&target).unwrap();
        assert_eq!((part.len(), part.version()), (0, None));
    }

    #[test]
    fn versions_are_the_same_only_if_something_says_so() {
        assert!(version("1").is(&version("1")));
        assert!(!version("1").is(&version("2")));
        let mut unmarked = version("1");
        unmarked.validator = None;
        assert!(!unmarked.is(&unmarked.clone()));
        let elsewhere = |hash: &str| Version {
            from: "http://mirror/a.pt".to_owned(),
            sha256: Some(hash.to_owned()),
            ..version("1")
        };
        let hashed = Version {
            sha256: Some("aa".to_owned()),
            ..version("2")
        };
        assert!(hashed.is(&elsewhere("aa")) && !hashed.is(&elsewhere("bb")));
        assert!(
            !version("1").is(&elsewhere("aa")),
            "another place's tag means nothing here"
        );
    }
}
