//! Replacing a folder by another in one step.
//!
//! Beside `NAME` stand, for moments only, `.NAME.new` (being written) and, on file systems that
//! cannot exchange two folders, `.NAME.old` (the one before).

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};

/// Makes an empty folder beside `place`, to be filled and then given to [`swap`].
pub fn fresh(place: &Path) -> Result<PathBuf> {
    let fresh = beside(place, ".new");
    remove(&fresh)?;
    fs::create_dir(&fresh)?;
    Ok(fresh)
}

/// Puts the folder `fresh` at `place` and removes the one that was there. `fresh` and its files
/// must be synced.
pub fn swap(fresh: &Path, place: &Path) -> Result<()> {
    if !place.exists() {
        fs::rename(fresh, place)?;
        return sync_parent(place);
    }
    match exchange(fresh, place) {
        Ok(()) => {
            sync_parent(place)?;
            remove(fresh)
        }
        Err(_) => two_steps(fresh, place),
    }
}

/// Brings `place` back to a complete folder after a kill, and removes the rest.
pub fn recover(place: &Path) -> Result<()> {
    let old = beside(place, ".old");
    if old.exists() && !place.exists() {
        fs::rename(&old, place)?;
    }
    remove(&old)?;
    remove(&beside(place, ".new"))
}

/// For file systems without an exchange: between the two renames nothing stands at `place`, and
/// [`recover`] brings the old folder back.
fn two_steps(fresh: &Path, place: &Path) -> Result<()> {
    let old = beside(place, ".old");
    remove(&old)?;
    fs::rename(place, &old)?;
    fs::rename(fresh, place).inspect_err(|_| {
        // The error that counts is the first one; `recover` tries again at the next start.
        let _ = fs::rename(&old, place);
    })?;
    sync_parent(place)?;
    remove(&old)
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn exchange(a: &Path, b: &Path) -> Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).map_err(Error::from)
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn exchange(_: &Path, _: &Path) -> Result<()> {
    Err(Error::from(ErrorKind::Unsupported))
}

fn beside(place: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(place.file_name().unwrap_or_default());
    name.push(ending);
    place.with_file_name(name)
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn sync_parent(place: &Path) -> Result<()> {
    let parent = place
        .parent()
        .ok_or_else(|| Error::from(ErrorKind::NotFound))?;
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(at: &Path, text: &str) {
        fs::create_dir_all(at).unwrap();
        fs::write(at.join("file"), text).unwrap();
    }

    fn text(place: &Path) -> String {
        fs::read_to_string(place.join("file")).unwrap()
    }

    fn entries(at: &Path) -> usize {
        fs::read_dir(at).unwrap().count()
    }

    #[test]
    fn the_new_folder_takes_the_place_of_the_old() {
        for swap in [swap, two_steps] {
            let home = tempfile::tempdir().unwrap();
            let place = home.path().join("last");
            folder(&place, "old");
            let fresh = fresh(&place).unwrap();
            folder(&fresh, "new");
            swap(&fresh, &place).unwrap();
            assert_eq!(text(&place), "new");
            assert_eq!(entries(home.path()), 1);
        }
    }

    /// The states that a kill can leave, from the first write to the last removal.
    #[test]
    fn whatever_a_kill_leaves_a_complete_folder_comes_back() {
        let cases: [(&[(&str, &str)], &str); 5] = [
            (&[("last", "old"), (".last.new", "half")], "old"),
            (&[("last", "new"), (".last.new", "old")], "new"),
            (&[(".last.old", "old"), (".last.new", "new")], "old"),
            (&[("last", "new"), (".last.old", "old")], "new"),
            (&[("last", "new")], "new"),
        ];
        for (left, expected) in cases {
            let home = tempfile::tempdir().unwrap();
            for (name, content) in left {
                folder(&home.path().join(name), content);
            }
            let place = home.path().join("last");
            recover(&place).unwrap();
            assert_eq!(text(&place), expected, "{left:?}");
            assert_eq!(entries(home.path()), 1, "{left:?}");
        }
    }

    #[test]
    fn a_kill_before_the_first_checkpoint_leaves_none() {
        let home = tempfile::tempdir().unwrap();
        folder(&home.path().join(".last.new"), "half");
        recover(&home.path().join("last")).unwrap();
        assert_eq!(entries(home.path()), 0);
    }
}
