//! What a GHN was opened from, so that it need not be opened twice.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::super::GhnError;
use super::{BUILT_IN, DEFAULT, UNTRAINED, files};

/// Tells without reading whether it is still the same GHN: two of one stamp have the same weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp(Origin);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    /// The weights are part of the program.
    BuiltIn,
    /// The weights are drawn.
    Seed(u64),
    /// A checkpoint, and the config beside it.
    Files(FileStamp, Option<FileStamp>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct FileStamp {
    path: PathBuf,
    length: u64,
    modified: Option<SystemTime>,
}

impl FileStamp {
    fn of(path: &Path) -> Result<Self, GhnError> {
        let about = path.metadata().map_err(|e| files::read_error(path, &e))?;
        Ok(Self {
            path: path.to_owned(),
            length: about.len(),
            modified: about.modified().ok(),
        })
    }
}

impl Stamp {
    /// That of the GHN that [`Ghn::open`](super::Ghn::open) would open now.
    ///
    /// # Errors
    /// If there is no such GHN.
    pub fn of(name: &str, seed: u64) -> Result<Self, GhnError> {
        match name {
            DEFAULT => Ok(Self::built_in()),
            UNTRAINED => Ok(Self::of_seed(seed)),
            _ => Self::of_file(&files::find(name)?),
        }
    }

    pub(super) const fn built_in() -> Self {
        Self(Origin::BuiltIn)
    }

    pub(super) const fn of_seed(seed: u64) -> Self {
        Self(Origin::Seed(seed))
    }

    pub(super) fn of_file(path: &Path) -> Result<Self, GhnError> {
        let config = files::config_beside(path);
        let config = config.as_deref().map(FileStamp::of).transpose()?;
        Ok(Self(Origin::Files(FileStamp::of(path)?, config)))
    }

    /// The checkpoint's file, if there is one.
    pub(super) fn path(&self) -> Option<&Path> {
        match &self.0 {
            Origin::BuiltIn | Origin::Seed(_) => None,
            Origin::Files(checkpoint, _) => Some(&checkpoint.path),
        }
    }

    /// What the weights depend on: the seed, or SHA-256 of the checkpoint, which is read for it.
    pub(super) fn identity(&self) -> Result<String, GhnError> {
        let checkpoint = match &self.0 {
            Origin::BuiltIn => return Ok(hex(&Sha256::digest(BUILT_IN))),
            Origin::Seed(seed) => return Ok(format!("untrained, seed {seed}")),
            Origin::Files(checkpoint, _) => checkpoint,
        };
        let digest = digest(&checkpoint.path)?;
        if FileStamp::of(&checkpoint.path)? == *checkpoint {
            Ok(digest)
        } else {
            let reason = "the file was changed after it had been opened; do this once more";
            Err(files::read_error(&checkpoint.path, &reason))
        }
    }
}

const HASHED_AT_ONCE_BYTES: usize = 1 << 20;

/// SHA-256 of a file's content.
fn digest(path: &Path) -> Result<String, GhnError> {
    let mut hash = Sha256::new();
    let mut file = File::open(path).map_err(|e| files::read_error(path, &e))?;
    let mut piece = vec![0; HASHED_AT_ONCE_BYTES];
    loop {
        match file
            .read(&mut piece)
            .map_err(|e| files::read_error(path, &e))?
        {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&piece[..n]),
        }
    }
}

/// Bytes as hexadecimal digits.
pub(in crate::ghn) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_or_a_config_that_changes_has_another_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pt");
        std::fs::write(&path, b"one").unwrap();
        let name = path.to_str().unwrap();
        let first = Stamp::of(name, 1).unwrap();
        assert_eq!(Stamp::of(name, 2).unwrap(), first);
        std::fs::write(folder.path().join("a.config.json"), b"{}").unwrap();
        let second = Stamp::of(name, 1).unwrap();
        assert_ne!(second, first);
        assert!(second.identity().is_ok());
        std::fs::write(&path, b"other").unwrap();
        assert_ne!(Stamp::of(name, 1).unwrap(), second);
        let message = second.identity().unwrap_err().to_string();
        assert!(message.contains("was changed"), "{message}");
        assert_ne!(
            Stamp::of(UNTRAINED, 1).unwrap(),
            Stamp::of(UNTRAINED, 2).unwrap()
        );
    }
}
