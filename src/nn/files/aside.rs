//! Writes a file aside and puts it in its place at once: nobody sees half of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::FileError;

/// Writes the file at `path` through `content`, into a temporary file in the same folder that takes
/// the name once it is complete and on the disk. An older file of that name is replaced.
///
/// # Errors
/// [`FileError::Write`]; the temporary file is removed, an older file stays as it was.
pub fn write_aside(
    path: impl AsRef<Path>,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), FileError> {
    let path = path.as_ref();
    write(path, content).map_err(|reason| FileError::Write {
        path: path.to_owned(),
        reason,
    })
}

fn write(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::IsADirectory,
            "a folder has this name; give the name of a file",
        ));
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "its folder does not exist; make it first",
        ));
    }
    let (file, aside) = create(folder, path)?;
    let written = fill(file, content).and_then(|()| fs::rename(&aside, path));
    if written.is_err() {
        // The first error is the one to tell; a file that cannot be removed either adds nothing.
        let _ = fs::remove_file(&aside);
        return written;
    }
    // Makes the new name itself survive a power failure, where folders can be synchronised.
    let _ = File::open(folder).and_then(|f| f.sync_all());
    Ok(())
}

fn fill(file: File, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut buffered = BufWriter::with_capacity(1 << 20, file);
    content(&mut buffered)?;
    buffered
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()
}

/// A new hidden file beside `path`, and its name.
fn create(folder: &Path, path: &Path) -> io::Result<(File, PathBuf)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Names have a longest length; the part of ours that tells them apart comes last.
    let name: String = name.chars().take(40).collect();
    for attempt in 0..100 {
        let aside = folder.join(format!(".{name}.{}-{attempt}.part", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&aside) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Ok(file) => return Ok((file, aside)),
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::AlreadyExists,
        "a hundred unfinished files lie beside it; remove the hidden *.part files there",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        write_aside(&path, |w| w.write_all(b"old")).unwrap();
        let failed = write_aside(&path, |w| {
            w.write_all(b"new")?;
            Err(io::Error::new(io::ErrorKind::StorageFull, "disk full"))
        });
        let message = failed.unwrap_err().to_string();
        assert!(message.contains("disk full") && message.contains("a.bin"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none/a.bin");
        let message = write_aside(&path, |_| Ok(())).unwrap_err().to_string();
        assert!(message.contains("folder does not exist"), "{message}");
    }
}
