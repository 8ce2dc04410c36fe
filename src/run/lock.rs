//! Who carries out a run, and who uses a device: file locks, which the kernel frees when their holder
//! dies.
//!
//! The file of a lock stays when its holder is gone; only the lock on it counts. What is written
//! inside tells people (and readers on other machines) who holds it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use super::error::{RunError, at};
use super::{Home, RunDir, clock};
use crate::private::{self, Ask};

/// How long a starter tries: a reader that only looks holds the lock for microseconds.
const PATIENCE: Duration = Duration::from_millis(300);
const BETWEEN_TRIES: Duration = Duration::from_millis(5);
/// Most bytes of a lock file that are read.
const LARGEST: u64 = 4096;
/// Workers write to their log every few seconds; one on another machine, whose lock may not be seen
/// from here, lives as long as it does.
const SILENCE: Duration = Duration::from_secs(60);

/// Who holds a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Holder {
    pub pid: u32,
    pub host: String,
    /// Tells a process number of this start of the machine from one of an earlier start.
    pub boot: String,
    pub device: String,
    /// Milliseconds since 1970.
    pub since_ms: u64,
}

impl Holder {
    /// This process.
    #[must_use]
    pub fn this(device: &str) -> Self {
        Self {
            pid: std::process::id(),
            host: host(),
            boot: kernel_text("/proc/sys/kernel/random/boot_id"),
            device: device.to_owned(),
            since_ms: clock::now_ms(),
        }
    }
}

/// The name of this machine.
fn host() -> String {
    kernel_text("/proc/sys/kernel/hostname")
}

fn kernel_text(path: &str) -> String {
    std::fs::read_to_string(path).map_or_else(|_| String::new(), |text| text.trim().to_owned())
}

/// The lock of a run, held from [`Lock::take`] until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the run's lock for this process.
    ///
    /// # Errors
    /// [`RunError::Held`] if another process has it; otherwise if the file cannot be written.
    pub fn take(dir: &RunDir, device: &str) -> Result<Self, RunError> {
        let file = take(&dir.lock(), &Holder::this(device), "carried out")?;
        Ok(Self { _file: file })
    }
}

/// The use of a device on this machine, held until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lease {
    _file: File,
}

impl Lease {
    /// Takes `device` (such as `cuda:0`) of this machine.
    ///
    /// # Errors
    /// [`RunError::Held`] if another process uses it; otherwise if the file cannot be written.
    pub fn take(home: &Home, device: &str) -> Result<Self, RunError> {
        let file = take(&lease_file(home, device)?, &Holder::this(device), "used")?;
        Ok(Self { _file: file })
    }

    /// Takes an experiment, so that one command at a time looks after its runs.
    ///
    /// # Errors
    /// As [`Lease::take`].
    pub fn of_experiment(home: &Home, name: &str) -> Result<Self, RunError> {
        Self::take(home, &format!("experiment-{name}"))
    }
}

/// Who uses `device` of this machine now.
///
/// # Errors
/// If the folder of leases cannot be made.
pub fn lease_holder(home: &Home, device: &str) -> Result<Option<Holder>, RunError> {
    let path = lease_file(home, device)?;
    Ok(is_locked(&path).then(|| read_holder(&path).unwrap_or_default()))
}

fn lease_file(home: &Home, device: &str) -> Result<PathBuf, RunError> {
    let folder = home.make_cache_folder()?.join("leases");
    private::make_all_private(&folder).map_err(at("making", &folder))?;
    let name: String = format!("{}-{device}.lock", host())
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-._".contains(c) {
                c
            } else {
                '-'
            }
        })
        .collect();
    Ok(folder.join(name))
}

fn take(path: &Path, holder: &Holder, used: &str) -> Result<File, RunError> {
    let mut file = private::open_rewrite(path).map_err(at("opening the lock", path))?;
    let begun = Instant::now();
    while !private::lock(&file, Ask::Alone).map_err(at("locking", path))? {
        if begun.elapsed() > PATIENCE {
            return Err(held(path, used));
        }
        std::thread::sleep(BETWEEN_TRIES);
    }
    sign(&mut file, holder).map_err(at("writing the lock", path))?;
    Ok(file)
}

/// Writes the holder into the locked file.
fn sign(file: &mut File, holder: &Holder) -> io::Result<()> {
    let text = toml::to_string(holder).map_err(io::Error::other)?;
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(text.as_bytes())
}

fn held(path: &Path, used: &str) -> RunError {
    let holder = match read_holder(path) {
        Some(h) => format!("{used} by process {} on {}", h.pid, h.host),
        None => format!("{used} by another process"),
    };
    RunError::Held {
        path: PathBuf::from(path),
        holder,
    }
}

fn read_holder(path: &Path) -> Option<Holder> {
    let file = private::open_read(path).ok()?;
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text).ok()?;
    toml::from_str(&text).ok()
}

/// The live worker of a run, if there is one.
///
/// A lock that is held from another machine may not be seen from here. A worker of another machine is
/// therefore also taken as alive while the run's log is being written to.
#[must_use]
pub fn holder(dir: &RunDir) -> Option<Holder> {
    let path = dir.lock();
    if is_locked(&path) {
        return Some(read_holder(&path).unwrap_or_default());
    }
    let elsewhere = read_holder(&path).filter(|h| !h.host.is_empty() && h.host != host())?;
    let written = dir.events().metadata().and_then(|m| m.modified()).ok()?;
    let silence = SystemTime::now().duration_since(written);
    silence.map_or(true, |s| s < SILENCE).then_some(elsewhere)
}

/// Whether a worker carries out the run now.
#[must_use]
pub fn is_alive(dir: &RunDir) -> bool {
    holder(dir).is_some()
}

/// Whether some process holds the lock at `path`. Looks by taking it shared for a moment, so that
/// readers do not get in each other's way.
fn is_locked(path: &Path) -> bool {
    let Ok(file) = private::open_read(path) else {
        return false;
    };
    matches!(private::lock(&file, Ask::Shared), Ok(false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Request;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn run() -> (tempfile::TempDir, RunDir) {
        let keep = tempfile::tempdir().unwrap();
        let dir = RunDir::create(&Home::at(keep.path()), &Request::default()).unwrap();
        (keep, dir)
    }

    #[test]
    fn a_lock_is_seen_while_it_is_held_and_no_longer() {
        let (_keep, dir) = run();
        assert!(!is_alive(&dir));
        let lock = Lock::take(&dir, "cpu").unwrap();
        assert_eq!(holder(&dir).unwrap().pid, std::process::id());
        let error = Lock::take(&dir, "cpu").unwrap_err().to_string();
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        drop(lock);
        assert!(!is_alive(&dir), "the file is still there, but it is stale");
        assert!(Lock::take(&dir, "cpu").is_ok());
    }

    #[test]
    fn of_racing_starters_one_wins_while_readers_look() {
        let (_keep, dir) = run();
        let winners = AtomicUsize::new(0);
        let all_tried = std::sync::Barrier::new(6);
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    let lock = Lock::take(&dir, "cpu");
                    winners.fetch_add(usize::from(lock.is_ok()), Ordering::SeqCst);
                    all_tried.wait();
                });
            }
            scope.spawn(|| {
                for _ in 0..200 {
                    let _ = is_alive(&dir); // must not make all starters fail
                }
            });
        });
        assert_eq!(winners.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_worker_elsewhere_lives_while_its_log_grows() {
        let (_keep, dir) = run();
        let elsewhere = Holder {
            host: "another-machine".into(),
            ..Holder::this("cuda:0")
        };
        std::fs::write(dir.lock(), toml::to_string(&elsewhere).unwrap()).unwrap();
        assert!(!is_alive(&dir), "it never wrote");
        let log = File::create(dir.events()).unwrap();
        assert!(is_alive(&dir));
        log.set_modified(SystemTime::now() - 2 * SILENCE).unwrap();
        assert!(!is_alive(&dir));
    }

    #[test]
    fn a_device_is_leased_once() {
        let keep = tempfile::tempdir().unwrap();
        let home = Home::at(keep.path());
        let lease = Lease::take(&home, "cuda:0").unwrap();
        assert!(matches!(
            Lease::take(&home, "cuda:0"),
            Err(RunError::Held { .. })
        ));
        assert!(Lease::take(&home, "cuda:1").is_ok());
        drop(lease);
        assert!(Lease::take(&home, "cuda:0").is_ok());
    }
}
