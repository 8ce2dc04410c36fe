//! Starting a worker that outlives whoever started it.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::error::{RunError, at};
use super::standing::read_fully;
use super::{Holder, RunDir, lock};
use crate::private;

/// How long a worker may take until it holds its run's lock, which is the first thing that it does.
const PATIENCE: Duration = Duration::from_secs(20);
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
/// As much of a dead worker's last words as an error repeats.
const MOST_BYTES: usize = 4096;
const MOST_LINES: usize = 6;

/// Starts a worker for the run in a process of its own, and returns when it holds the run's lock (or has
/// already done its work). It keeps the working directory and the environment, has no input, and writes to
/// the run's `worker.log`.
///
/// The worker leaves the terminal's session by itself, see [`Terminal::Leave`](super::Terminal).
///
/// # Errors
/// [`RunError::Held`] if the run has a worker; [`RunError::WorkerDied`], with its last words, if it ended
/// before or while it began; otherwise if it cannot be started.
pub fn detached(dir: &RunDir) -> Result<Holder, RunError> {
    let threads = dir.request()?.threads;
    let mut args: Vec<OsString> = Vec::new();
    if threads > 0 {
        args.extend(["--threads".into(), threads.to_string().into()]);
    }
    args.extend(["worker".into(), dir.path().into()]);
    let mut command = Command::new(program().map_err(at("finding", "hyperscope".as_ref()))?);
    command.args(args);
    start(dir, command)
}

/// This program's file. One that was replaced while we run can still be reached through the kernel.
fn program() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    let ours = PathBuf::from("/proc/self/exe");
    Ok(if !path.exists() && ours.exists() {
        ours
    } else {
        path
    })
}

/// As [`detached`], with the command that carries out the run.
pub(super) fn start(dir: &RunDir, mut command: Command) -> Result<Holder, RunError> {
    dir.check_owner()?;
    if let Some(h) = lock::holder(dir) {
        return Err(RunError::Held {
            path: dir.path().to_owned(),
            holder: format!("carried out by process {} on {}", h.pid, h.host),
        });
    }
    let path = dir.worker_log();
    let log = private::open_append(&path).map_err(at("opening", &path))?;
    let before = log.metadata().map_err(at("reading", &path))?.len();
    let (out, err) = twice(&log).map_err(at("opening", &path))?;
    let child = command
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .map_err(at("starting a worker for", dir.path()))?;
    wait_for_lock(dir, child, &log, before)
}

fn twice(file: &File) -> io::Result<(File, File)> {
    Ok((file.try_clone()?, file.try_clone()?))
}

fn wait_for_lock(
    dir: &RunDir,
    mut child: Child,
    log: &File,
    before: u64,
) -> Result<Holder, RunError> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(holder) = lock::holder(dir).filter(|h| h.pid == child.id()) {
            leave(child);
            return Ok(holder);
        }
        let ended = child
            .try_wait()
            .map_err(at("waiting for the worker of", dir.path()))?;
        match ended {
            Some(status) if status.success() => return Ok(Holder::default()),
            Some(status) => return Err(died(dir, status, log, before)),
            None => std::thread::sleep(BETWEEN_LOOKS),
        }
    }
    let slow = RunError::WorkerSlow {
        id: dir.id().to_string(),
        pid: child.id(),
        seconds: PATIENCE.as_secs(),
        log: dir.worker_log(),
    };
    leave(child);
    Err(slow)
}

/// Lets the worker go its way. Its end is only waited for so that it leaves the table of processes.
fn leave(mut child: Child) {
    let reaper = std::thread::Builder::new().name("reaper".to_owned());
    // Without a thread the worker is as well, and stays in that table until we end.
    let _ = reaper.spawn(move || child.wait());
}

fn died(dir: &RunDir, status: ExitStatus, log: &File, before: u64) -> RunError {
    let said = last_words(log, before);
    RunError::WorkerDied {
        id: dir.id().to_string(),
        said: if said.is_empty() {
            status.to_string()
        } else {
            said
        },
        log: dir.worker_log(),
    }
}

/// The last lines that were written to the log after `before`.
fn last_words(log: &File, before: u64) -> String {
    let len = log.metadata().map_or(before, |m| m.len());
    let from = before.max(len.saturating_sub(MOST_BYTES as u64));
    let mut bytes = vec![0; MOST_BYTES];
    let read = read_fully(log, &mut bytes, from).unwrap_or(0);
    let text = String::from_utf8_lossy(&bytes[..read]);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    lines[lines.len().saturating_sub(MOST_LINES)..].join(" / ")
}

#[cfg(test)]
mod tests;
