//! A run's directory and the files in it.

use std::io;
use std::path::{Path, PathBuf};

use super::error::{RunError, at};
use super::request::LARGEST;
use super::{Home, Request, RunId, clock};
use crate::private;

/// How many names are tried before giving up; each try draws new digits.
const TRIES: usize = 100;

/// A run's directory: a checked name and a path. That it exists was true when it was made or opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir {
    id: RunId,
    path: PathBuf,
}

impl RunDir {
    /// Makes the directory of a new run with its request inside. It appears under its name complete
    /// or not at all, and never takes the place of another.
    ///
    /// `request.created_ms` of 0 means now; version and date are filled in where they are empty.
    ///
    /// # Errors
    /// If the folder of runs cannot be written.
    pub fn create(home: &Home, request: &Request) -> Result<Self, RunError> {
        let runs = home.make_runs_folder()?;
        let request = completed(request);
        let text = request
            .to_toml()
            .map_err(|cause| RunError::Unwritable { cause })?;
        let aside = runs.join(format!(
            ".new-{}-{:016x}",
            std::process::id(),
            rand::random::<u64>()
        ));
        let made = prepare(&aside, &text).and_then(|()| place(runs, &aside, &request));
        if made.is_err() {
            let _ = std::fs::remove_dir_all(&aside); // it may never have been made
        }
        made
    }

    /// The run at `path`, such as a worker is given.
    ///
    /// # Errors
    /// If there is no such directory, it is a link, belongs to somebody else, or its name is no run's.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let path = std::path::absolute(path).map_err(at("opening the run", path))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let dir = Self {
            id: name.parse()?,
            path: path.clone(),
        };
        dir.check_owner()?;
        Ok(dir)
    }

    /// The run `id` below the folder `runs`; the caller has seen it there.
    pub(super) fn known(runs: &Path, id: RunId) -> Self {
        Self {
            path: runs.join(id.as_str()),
            id,
        }
    }

    /// Refuses a directory that is a link or belongs to neither this user nor the owner of the folder
    /// around it (a network file system may show all of a user's files under another number).
    ///
    /// # Errors
    /// As said, or if the directory does not exist.
    pub fn check_owner(&self) -> Result<(), RunError> {
        let owner =
            private::owner_of_folder(&self.path).map_err(at("opening the run", &self.path))?;
        let around = self.path.parent().map(private::owner_of_folder);
        let ours = owner == rustix::process::geteuid().as_raw()
            || matches!(around, Some(Ok(other)) if other == owner);
        if ours {
            return Ok(());
        }
        Err(RunError::NotYours {
            path: self.path.clone(),
            owner,
        })
    }

    #[must_use]
    pub fn id(&self) -> &RunId {
        &self.id
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    #[must_use]
    pub fn request_file(&self) -> PathBuf {
        self.path.join("request.toml")
    }

    #[must_use]
    pub fn events(&self) -> PathBuf {
        self.path.join("events.jsonl")
    }

    /// The folder of the checkpoints `last` and `best`.
    #[must_use]
    pub fn checkpoint(&self) -> PathBuf {
        self.path.join("checkpoint")
    }

    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.path.join("worker.lock")
    }

    #[must_use]
    pub fn control(&self) -> PathBuf {
        self.path.join("control")
    }

    #[must_use]
    pub fn worker_log(&self) -> PathBuf {
        self.path.join("worker.log")
    }

    /// Reads the run's request.
    ///
    /// # Errors
    /// If it is missing or damaged.
    pub fn request(&self) -> Result<Request, RunError> {
        let path = self.request_file();
        let text = private::read_small(&path, LARGEST)
            .map_err(at("reading the request of a run,", &path))?;
        Request::parse(&text).map_err(|cause| RunError::Request { path, cause })
    }
}

fn completed(request: &Request) -> Request {
    let mut request = request.clone();
    if request.created_ms == 0 {
        request.created_ms = clock::now_ms();
    }
    if request.created.is_empty() {
        request.created = clock::iso(request.created_ms);
    }
    if request.hyperscope.is_empty() {
        env!("CARGO_PKG_VERSION").clone_into(&mut request.hyperscope);
    }
    request
}

/// Makes the directory under a name that no reader looks at.
fn prepare(aside: &Path, request: &str) -> Result<(), RunError> {
    private::make_private(aside).map_err(at("making a run in", aside))?;
    let file = aside.join("request.toml");
    private::write_new(&file, request.as_bytes()).map_err(at("writing", &file))?;
    private::sync_folder(aside).map_err(at("writing", aside))
}

/// Gives the directory its name. Renaming onto a run that exists fails, since that one is not empty.
fn place(runs: &Path, aside: &Path, request: &Request) -> Result<RunDir, RunError> {
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for _ in 0..TRIES {
        let id = RunId::new(request.created_ms, &request.words(), rand::random());
        let dir = RunDir::known(runs, id);
        if dir.path.symlink_metadata().is_ok() {
            continue;
        }
        match std::fs::rename(aside, &dir.path) {
            Ok(()) => {
                private::sync_folder(runs).map_err(at("writing", runs))?;
                return Ok(dir);
            }
            Err(e) => last = e,
        }
        if !matches!(
            last.kind(),
            io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty
        ) {
            break;
        }
    }
    Err(at("making a run in", runs)(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn home() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path());
        (dir, home)
    }

    fn request() -> Request {
        Request {
            arch: "resnet18".into(),
            init: "rand".into(),
            ..Request::default()
        }
    }

    #[test]
    fn a_new_run_is_private_and_complete() {
        let (_keep, home) = home();
        let dir = RunDir::create(&home, &request()).unwrap();
        let mode = std::fs::metadata(dir.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let read = dir.request().unwrap();
        assert_eq!(read.arch, "resnet18");
        assert!(read.created_ms > 0 && read.created.ends_with('Z'));
        assert_eq!(RunDir::open(dir.path()).unwrap(), dir);
    }

    #[test]
    fn runs_made_at_the_same_moment_get_directories_of_their_own() {
        let (_keep, home) = home();
        let request = Request {
            created_ms: 1_795_425_245_000,
            ..request()
        };
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (home, request) = (home.clone(), request.clone());
                std::thread::spawn(move || {
                    (0..20)
                        .map(|_| RunDir::create(&home, &request).unwrap().id().clone())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let mut ids: Vec<_> = threads
            .into_iter()
            .flat_map(|t| t.join().unwrap())
            .collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 160);
        let entries = std::fs::read_dir(home.runs_folder()).unwrap().count();
        assert_eq!(entries, 160, "nothing half-made is left");
    }

    #[test]
    fn a_link_is_no_run() {
        let (keep, home) = home();
        let dir = RunDir::create(&home, &request()).unwrap();
        let link = keep.path().join("20261123-0914-x-0001");
        std::os::unix::fs::symlink(dir.path(), &link).unwrap();
        assert!(RunDir::open(&link).is_err());
    }
}
