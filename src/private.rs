//! Ground floor: files of the program's own, in runs and caches. They are private, never opened through a link, never
//! something that is no file; replaced as a whole; and locked while their holder lives.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

/// Only the owner reads and writes them.
const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;

/// Not through a link, and without waiting if the name turns out to be a pipe.
fn careful() -> i32 {
    // The bits of these flags are the same in either sign.
    (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC)
        .bits()
        .cast_signed()
}

/// Opens a regular file to read.
pub fn open_read(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(careful())
        .open(path)?;
    regular(file)
}

/// Opens a regular file to append to and to read; makes it if it does not exist.
pub fn open_append(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(FILE_MODE)
        .custom_flags(careful())
        .open(path)?;
    regular(file)
}

/// Opens a regular file to read and rewrite in place; makes it if it does not exist.
pub fn open_rewrite(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .custom_flags(careful())
        .open(path)?;
    regular(file)
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("this is not a regular file"))
    }
}

/// Reads a small text file; one of more than `most` bytes is refused before it is read.
pub fn read_small(path: &Path, most: u64) -> io::Result<String> {
    let mut file = open_read(path)?;
    let len = file.metadata()?.len();
    if len > most {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{len} bytes are more than the {most} that such a file may have"),
        ));
    }
    io::read_to_string(&mut io::Read::take(&mut file, most))
}

/// Makes a folder for its owner only; that it exists already is an error.
pub fn make_private(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(FOLDER_MODE).create(path)
}

/// Makes a folder and those above it where they are missing, each for its owner only.
pub fn make_all_private(path: &Path) -> io::Result<()> {
    DirBuilder::new()
        .mode(FOLDER_MODE)
        .recursive(true)
        .create(path)
}

/// Writes a new file and brings it to the disk.
pub fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .custom_flags(careful())
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Replaces a file so that a reader sees the old one or the new one, never a part, whenever the
/// machine stops.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut aside = std::ffi::OsString::from(".");
    aside.push(name);
    aside.push(format!(
        ".{}-{:08x}",
        std::process::id(),
        rand::random::<u32>()
    ));
    let aside = folder.join(aside);
    let done = write_new(&aside, content)
        .and_then(|()| std::fs::rename(&aside, path))
        .and_then(|()| sync_folder(folder));
    if done.is_err() {
        let _ = std::fs::remove_file(&aside); // it may never have been made
    }
    done
}

/// Brings the names in a folder to the disk.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// How a lock is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// To have it alone, if nobody has it.
    Alone,
    /// To have it alone, as soon as nobody has it.
    Wait,
    /// To see whether somebody has it alone.
    Shared,
}

/// Locks an open file until it is closed, at the latest when the process ends; false if somebody else has it.
pub fn lock(file: &File, ask: Ask) -> io::Result<bool> {
    let how = match ask {
        Ask::Alone => FlockOperation::NonBlockingLockExclusive,
        Ask::Wait => FlockOperation::LockExclusive,
        Ask::Shared => FlockOperation::NonBlockingLockShared,
    };
    loop {
        match flock(file, how) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK) => return Ok(false),
            Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// The user who owns the folder at `path`, which must be no link.
pub fn owner_of_folder(path: &Path) -> io::Result<u32> {
    let meta = std::fs::symlink_metadata(path)?;
    if meta.is_dir() {
        Ok(meta.uid())
    } else {
        Err(io::Error::from(io::ErrorKind::NotADirectory))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn everything_made_here_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        make_all_private(&folder).unwrap();
        open_append(&folder.join("log")).unwrap();
        replace(&folder.join("new"), b"x").unwrap();
        assert_eq!(mode(&dir.path().join("a")), 0o700);
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join("log")), 0o600);
        assert_eq!(mode(&folder.join("new")), 0o600);
    }

    #[test]
    fn links_and_pipes_are_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link, pipe) = (
            dir.path().join("file"),
            dir.path().join("link"),
            dir.path().join("pipe"),
        );
        std::fs::write(&file, "x").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        assert!(open_read(&file).is_ok());
        assert!(open_read(&link).is_err());
        assert!(open_append(&link).is_err());
        assert!(open_read(&pipe).is_err());
    }

    #[test]
    fn a_failed_replacement_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("taken");
        std::fs::create_dir(&target).unwrap();
        std::fs::write(target.join("inside"), "x").unwrap();
        assert!(replace(&target, b"x").is_err());
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(left.len(), 1);
    }
}
