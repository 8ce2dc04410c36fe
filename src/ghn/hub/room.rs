//! Whether a disk has room for what is to come.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::FetchError;

/// Bytes that this user may still write to the disk that holds `folder`; none if it does not say.
pub(super) fn free(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

/// Refuses to begin what cannot be finished: `needed` further bytes beside `path`.
pub(super) fn check(path: &Path, needed: u64) -> Result<(), FetchError> {
    match free(path.parent().unwrap_or(path)) {
        Some(free) if free < needed => Err(FetchError::NoRoom {
            path: path.to_owned(),
            needed,
            free: Some(free),
            reason: None,
        }),
        _ => Ok(()),
    }
}

/// An error of writing to `path`, with what is still `needed` if the disk, a quota or a limit of the process leaves no
/// room.
pub(super) fn explain(path: &Path, needed: Option<u64>, error: io::Error) -> FetchError {
    match (error.kind(), needed) {
        (
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge,
            Some(needed),
        ) => FetchError::NoRoom {
            path: path.to_owned(),
            needed,
            free: free(path.parent().unwrap_or(path)),
            reason: Some(error),
        },
        _ => super::error::at("writing", path)(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_is_told_with_both_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ghn.pt.part");
        check(&path, 1).unwrap();
        let message = check(&path, u64::MAX).unwrap_err().to_string();
        assert!(
            message.contains("18446744073709551615 more bytes"),
            "{message}"
        );
        assert!(message.contains("free"), "{message}");
        let full = io::Error::from(ErrorKind::StorageFull);
        let message = explain(&path, Some(70_000), full).to_string();
        assert!(
            message.contains("70000 more bytes") && message.contains("ghn.pt.part"),
            "{message}"
        );
    }
}
