//! The hashes of a file on the disk.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::super::model::hex;
use super::error::at;
use super::{FetchError, Progress};

const HASHED_AT_ONCE_BYTES: usize = 1 << 20;

/// What a file's content is known by; hashes in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Digests {
    pub bytes: u64,
    pub sha256: String,
    /// The id that git gives the content: SHA-1 of `blob LENGTH`, a zero byte and the content.
    pub git_blob: String,
}

/// Reads the file at `path` once.
pub(super) fn of(path: &Path, on: &mut dyn FnMut(Progress<'_>)) -> Result<Digests, FetchError> {
    let reading = || at("reading", path);
    let mut file = File::open(path).map_err(reading())?;
    let total = file.metadata().map_err(reading())?.len();
    let mut sha256 = Sha256::new();
    let mut git_blob = Sha1::new();
    git_blob.update(format!("blob {total}\0"));
    let mut piece = vec![0; HASHED_AT_ONCE_BYTES];
    let mut bytes = 0;
    loop {
        on(Progress::Checking { done: bytes, total });
        let n = file.read(&mut piece).map_err(reading())?;
        if n == 0 {
            break;
        }
        sha256.update(&piece[..n]);
        git_blob.update(&piece[..n]);
        bytes += n as u64;
    }
    Ok(Digests {
        bytes,
        sha256: hex(&sha256.finalize()),
        git_blob: hex(&git_blob.finalize()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_hashes_are_those_of_the_usual_programs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hello");
        std::fs::write(&path, "hello\n").unwrap();
        let digests = of(&path, &mut |_| {}).unwrap();
        // `sha256sum hello` and `git hash-object hello`
        assert_eq!(
            digests.sha256,
            "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
        );
        assert_eq!(digests.git_blob, "ce013625030ba8dba906f756967f9e9ca394464a");
        assert_eq!(digests.bytes, 6);
    }
}
