//! Who may write: locks beside files, which the kernel frees when their holder dies.

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;

use super::FetchError;
use super::error::at;
use crate::private::{self, Ask};

/// The lock on a file; the hidden file that it is a lock on stays.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// The sole right to fetch the checkpoint called `name`, to `target`.
    pub(super) fn take(name: &'static str, target: &Path) -> Result<Self, FetchError> {
        Self::begin(target, Ask::Alone)?.ok_or(FetchError::Busy { name })
    }

    /// The sole right to change the file at `target`, as soon as nobody else has it.
    pub(super) fn wait(target: &Path) -> Result<Self, FetchError> {
        loop {
            if let Some(lock) = Self::begin(target, Ask::Wait)? {
                return Ok(lock);
            }
        }
    }

    fn begin(target: &Path, ask: Ask) -> Result<Option<Self>, FetchError> {
        let mut hidden = OsString::from(".");
        hidden.push(target.file_name().unwrap_or_default());
        hidden.push(".lock");
        let path = target.with_file_name(hidden);
        let file = private::open_rewrite(&path).map_err(at("opening the lock", &path))?;
        let taken = private::lock(&file, ask).map_err(at("locking", &path))?;
        Ok(taken.then_some(Self { _file: file }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_fetches() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.pt");
        let lock = Lock::take("a", &target).unwrap();
        assert!(matches!(
            Lock::take("a", &target),
            Err(FetchError::Busy { .. })
        ));
        drop(lock);
        assert!(Lock::take("a", &target).is_ok());
    }
}
