//! Who may write: locks beside files, which the kernel frees when their holder dies.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::FetchError;
use super::error::at;
use super::part::careful;

/// The lock on a file; the hidden file that it is a lock on stays.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// The sole right to fetch the checkpoint called `name`, to `target`.
    pub(super) fn take(name: &'static str, target: &Path) -> Result<Self, FetchError> {
        Self::begin(target, FlockOperation::NonBlockingLockExclusive)?
            .ok_or(FetchError::Busy { name })
    }

    /// The sole right to change the file at `target`, as soon as nobody else has it.
    pub(super) fn wait(target: &Path) -> Result<Self, FetchError> {
        loop {
            if let Some(lock) = Self::begin(target, FlockOperation::LockExclusive)? {
                return Ok(lock);
            }
        }
    }

    fn begin(target: &Path, how: FlockOperation) -> Result<Option<Self>, FetchError> {
        let mut hidden = OsString::from(".");
        hidden.push(target.file_name().unwrap_or_default());
        hidden.push(".lock");
        let path = target.with_file_name(hidden);
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let file = options
            .custom_flags(careful())
            .open(&path)
            .map_err(at("opening the lock", &path))?;
        loop {
            match flock(&file, how) {
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(Errno::INTR) => {}
                Err(e) => return Err(at("locking", &path)(e.into())),
            }
        }
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
