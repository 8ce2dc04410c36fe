//! Checkpoints on disk: `last/` and `best/`, each with a network's state dict, the optimiser's
//! state and the place in the run.
//!
//! The three files of a checkpoint belong together and appear together: they are written into a
//! fresh folder beside the old one, synced, and the two folders change places in one step. Whatever
//! moment the process is killed at, a complete checkpoint stands under the name.

mod swap;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Progress;
use super::progress::VERSION;
use crate::nn::StateDict;
use crate::nn::files::{FileError, read_state, write_safetensors};

const MODEL: &str = "model.safetensors";
const OPTIMISER: &str = "optimiser.safetensors";
const PROGRESS: &str = "progress.json";
const FILES: [&str; 3] = [MODEL, OPTIMISER, PROGRESS];

/// A progress file is a few hundred bytes; anything much larger is not ours.
const LARGEST_PROGRESS_BYTES: u64 = 1 << 20;

/// Which checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The newest: a run is resumed from it.
    Last,
    /// That of the epoch with the best accuracy.
    Best,
}

impl Kind {
    /// Name of the folder.
    #[must_use]
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Best => "best",
        }
    }
}

/// Everything that is needed to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Parameters and buffers under torchvision's names.
    pub model: StateDict,
    pub optimiser: StateDict,
    pub progress: Progress,
}

/// Why a checkpoint could not be read or written.
#[derive(Debug, Error)]
pub enum CheckpointError {
    #[error("{doing} {}; is the disk full, or the folder not writable?", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("a checkpoint: {0}")]
    File(#[from] FileError),
    #[error(
        "reading {}: {reason}; the folder `best` beside it may still hold a good checkpoint", path.display()
    )]
    Progress { path: PathBuf, reason: String },
}

/// A run's folder of checkpoints.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    folder: PathBuf,
}

impl Checkpoints {
    /// Opens the folder, makes it if need be, and clears up what a killed process left. Only the
    /// process that carries the run out may call this.
    ///
    /// # Errors
    /// [`CheckpointError::Io`] if the folder cannot be made or read.
    pub fn open(folder: &Path) -> Result<Self, CheckpointError> {
        fs::create_dir_all(folder).map_err(io("making the folder", folder))?;
        for kind in [Kind::Last, Kind::Best] {
            let place = folder.join(kind.folder());
            swap::recover(&place).map_err(io("clearing up", &place))?;
        }
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Where a checkpoint's files lie.
    #[must_use]
    pub fn path(&self, kind: Kind) -> PathBuf {
        self.folder.join(kind.folder())
    }

    /// Reads a checkpoint, if there is one.
    ///
    /// # Errors
    /// If it is there but damaged.
    pub fn read(&self, kind: Kind) -> Result<Option<Checkpoint>, CheckpointError> {
        let place = self.path(kind);
        if !place.exists() {
            return Ok(None);
        }
        let tensors = |name: &str| read_state(place.join(name)).map(|loaded| loaded.tensors);
        Ok(Some(Checkpoint {
            progress: read_progress(&place.join(PROGRESS))?,
            model: tensors(MODEL)?,
            optimiser: tensors(OPTIMISER)?,
        }))
    }

    /// Replaces the last checkpoint.
    ///
    /// # Errors
    /// If the disk refuses; the checkpoint before then stays as it is.
    pub fn write(&self, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
        self.replace(Kind::Last, |fresh| write_files(fresh, checkpoint))
    }

    /// Makes the last checkpoint the best one, too.
    ///
    /// # Errors
    /// If the disk refuses; the best checkpoint before then stays as it is.
    pub fn promote(&self) -> Result<(), CheckpointError> {
        let last = self.path(Kind::Last);
        self.replace(Kind::Best, |fresh| {
            for name in FILES {
                let (from, to) = (last.join(name), fresh.join(name));
                // Files of a checkpoint are never written again, so both folders may share them.
                if fs::hard_link(&from, &to).is_err() {
                    fs::copy(&from, &to).map_err(io("copying a checkpoint to", &to))?;
                    sync(&to)?;
                }
            }
            Ok(())
        })
    }

    fn replace(
        &self,
        kind: Kind,
        fill: impl FnOnce(&Path) -> Result<(), CheckpointError>,
    ) -> Result<(), CheckpointError> {
        let place = self.path(kind);
        let fresh = swap::fresh(&place).map_err(io("making a folder beside", &place))?;
        let done = fill(&fresh).and_then(|()| {
            sync(&fresh)?;
            swap::swap(&fresh, &place).map_err(io("putting the new checkpoint at", &place))
        });
        if done.is_err() {
            // What was written so far helps nobody, and on a full disk its room is needed. The
            // error that counts is the first one.
            let _ = fs::remove_dir_all(&fresh);
        }
        done
    }
}

fn write_files(fresh: &Path, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
    for (name, tensors) in [
        (MODEL, &checkpoint.model),
        (OPTIMISER, &checkpoint.optimiser),
    ] {
        write_safetensors(fresh.join(name), tensors, &BTreeMap::new())?;
    }
    let path = fresh.join(PROGRESS);
    let text =
        serde_json::to_vec_pretty(&checkpoint.progress).map_err(|e| CheckpointError::Progress {
            path: path.clone(),
            reason: e.to_string(),
        })?;
    let mut file = File::create(&path).map_err(io("writing", &path))?;
    file.write_all(&text)
        .and_then(|()| file.sync_all())
        .map_err(io("writing", &path))
}

fn read_progress(path: &Path) -> Result<Progress, CheckpointError> {
    let bad = |reason: String| CheckpointError::Progress {
        path: path.to_owned(),
        reason,
    };
    let length = fs::metadata(path).map_err(io("reading", path))?.len();
    if length > LARGEST_PROGRESS_BYTES {
        return Err(bad(format!(
            "{length} bytes are too many for a progress file"
        )));
    }
    let text = fs::read(path).map_err(io("reading", path))?;
    let progress: Progress = serde_json::from_slice(&text).map_err(|e| bad(e.to_string()))?;
    if progress.version != VERSION {
        return Err(bad(format!(
            "it has format {}, this program knows format {VERSION}",
            progress.version
        )));
    }
    Ok(progress)
}

fn sync(path: &Path) -> Result<(), CheckpointError> {
    File::open(path)
        .and_then(|f| f.sync_all())
        .map_err(io("syncing", path))
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> CheckpointError {
    let path = path.to_owned();
    move |source| CheckpointError::Io {
        doing,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Tensor;

    fn checkpoint(value: f32) -> Checkpoint {
        let mut model = StateDict::default();
        model.insert("fc.weight", Tensor::new(vec![2, 1], vec![value, -value]));
        model.insert("bn.num_batches_tracked", Tensor::count(7));
        let mut progress = Progress::new(0.1);
        progress.step = value as u64;
        Checkpoint {
            model,
            optimiser: StateDict::default(),
            progress,
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = Checkpoints::open(&folder.path().join("checkpoint")).unwrap();
        assert!(store.read(Kind::Last).unwrap().is_none());
        for value in [1.0, 2.0] {
            store.write(&checkpoint(value)).unwrap();
            assert_eq!(store.read(Kind::Last).unwrap(), Some(checkpoint(value)));
        }
        assert!(store.read(Kind::Best).unwrap().is_none());
    }

    #[test]
    fn the_best_stays_when_the_last_moves_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = Checkpoints::open(folder.path()).unwrap();
        store.write(&checkpoint(1.0)).unwrap();
        store.promote().unwrap();
        store.write(&checkpoint(2.0)).unwrap();
        assert_eq!(store.read(Kind::Best).unwrap(), Some(checkpoint(1.0)));
        let names: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }

    #[test]
    fn a_failed_write_leaves_the_old_checkpoint_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let store = Checkpoints::open(folder.path()).unwrap();
        store.write(&checkpoint(1.0)).unwrap();
        let failed = store.replace(Kind::Last, |fresh| {
            fs::write(fresh.join(MODEL), b"half").unwrap();
            Err(CheckpointError::Progress {
                path: fresh.to_owned(),
                reason: "the disk is full".to_owned(),
            })
        });
        assert!(failed.is_err());
        assert_eq!(store.read(Kind::Last).unwrap(), Some(checkpoint(1.0)));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_place_in_the_run_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let store = Checkpoints::open(folder.path()).unwrap();
        store.write(&checkpoint(1.0)).unwrap();
        fs::write(folder.path().join("last/progress.json"), "{\"version\": 1").unwrap();
        let error = store.read(Kind::Last).unwrap_err().to_string();
        assert!(error.contains("progress.json"), "{error}");
        let text = serde_json::to_string(&Progress {
            version: 99,
            ..Progress::new(0.1)
        });
        fs::write(folder.path().join("last/progress.json"), text.unwrap()).unwrap();
        let error = store.read(Kind::Last).unwrap_err().to_string();
        assert!(error.contains("format 99"), "{error}");
    }
}
