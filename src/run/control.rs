//! Commands for a run's worker: lines that anybody may append to its `control` file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::error::{RunError, at};
use super::{RunDir, lock};
use crate::private;
use crate::train::{Command, UnknownCommand};

/// Time between two looks at the file.
const LOOK: Duration = Duration::from_millis(100);
/// Most bytes taken at one look; what has no newline by then is skipped.
const MOST: u64 = 64 << 10;

/// Tells the worker of a run what to do; it looks ten times a second.
///
/// # Errors
/// If the run has no worker now, or the file cannot be written.
pub fn send(dir: &RunDir, command: Command) -> Result<(), RunError> {
    dir.check_owner()?;
    if !lock::is_alive(dir) {
        return Err(RunError::NoWorker(dir.id().to_string()));
    }
    let path = dir.control();
    append(&path, command).map_err(at("sending a command through", &path))
}

fn append(path: &std::path::Path, command: Command) -> io::Result<()> {
    let mut file = private::open_append(path)?;
    let mut line = format!("{command}\n");
    if !ends_whole(&file)? {
        line.insert(0, '\n'); // somebody died in the middle of a line
    }
    file.write_all(line.as_bytes())
}

fn ends_whole(file: &File) -> io::Result<bool> {
    let len = file.metadata()?.len();
    let mut last = [b'\n'];
    if len > 0 {
        file.read_at(&mut last, len - 1)?;
    }
    Ok(last == *b"\n")
}

/// The worker's place in its control file.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    offset: u64,
    next_look: Instant,
    waiting: VecDeque<Result<Command, UnknownCommand>>,
}

impl Control {
    /// Takes commands from now on; what stands in the file already was meant for an earlier worker.
    /// To be called before the run's lock is taken, since commands are sent from then on.
    #[must_use]
    pub fn open(dir: &RunDir) -> Self {
        let path = dir.control();
        Self {
            offset: path.symlink_metadata().map_or(0, |m| m.len()),
            path,
            next_look: Instant::now(),
            waiting: VecDeque::new(),
        }
    }

    /// The next command or nonsense that waits. Cheap enough to be asked at every step: it looks at the
    /// file at most every 100 ms, and opens it only when it has grown.
    pub fn poll(&mut self) -> Option<Result<Command, UnknownCommand>> {
        if self.waiting.is_empty() && Instant::now() >= self.next_look {
            // A file that cannot be read now may be readable at the next look; a run does not end for it.
            let _ = self.look();
            self.next_look = Instant::now() + LOOK;
        }
        self.waiting.pop_front()
    }

    fn look(&mut self) -> io::Result<()> {
        let len = match self.path.symlink_metadata() {
            Ok(meta) => meta.len(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
            Err(e) => return Err(e),
        };
        if len < self.offset {
            self.offset = 0; // somebody emptied it
        }
        if len == self.offset {
            return Ok(());
        }
        let mut file = private::open_read(&self.path)?;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        file.take(MOST).read_to_end(&mut bytes)?;
        self.take(&bytes);
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) {
        let whole = match bytes.iter().rposition(|&b| b == b'\n') {
            Some(last) => last + 1,
            None if bytes.len() as u64 == MOST => bytes.len(),
            None => 0,
        };
        self.offset += whole as u64;
        let text = String::from_utf8_lossy(&bytes[..whole]);
        let lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
        self.waiting.extend(lines.map(str::parse));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Home, Lock, Request};

    fn run() -> (tempfile::TempDir, RunDir) {
        let keep = tempfile::tempdir().unwrap();
        let dir = RunDir::create(&Home::at(keep.path()), &Request::default()).unwrap();
        (keep, dir)
    }

    fn all(control: &mut Control) -> Vec<Result<Command, UnknownCommand>> {
        control.next_look = Instant::now();
        std::iter::from_fn(|| control.poll()).collect()
    }

    #[test]
    fn commands_arrive_in_order_and_once() {
        let (_keep, dir) = run();
        let mut control = Control::open(&dir);
        let _lock = Lock::take(&dir, "cpu").unwrap();
        assert_eq!(all(&mut control), []);
        for command in [Command::Pause, Command::SetLr(0.5), Command::Resume] {
            send(&dir, command).unwrap();
        }
        let taken = all(&mut control);
        assert_eq!(
            taken,
            [
                Ok(Command::Pause),
                Ok(Command::SetLr(0.5)),
                Ok(Command::Resume)
            ]
        );
        assert_eq!(all(&mut control), []);
    }

    #[test]
    fn commands_for_an_earlier_worker_are_not_taken() {
        let (_keep, dir) = run();
        std::fs::write(dir.control(), "stop\n").unwrap();
        assert_eq!(all(&mut Control::open(&dir)), []);
    }

    #[test]
    fn half_a_line_waits_and_nonsense_is_told() {
        let (_keep, dir) = run();
        let mut control = Control::open(&dir);
        let _lock = Lock::take(&dir, "cpu").unwrap();
        std::fs::write(dir.control(), "dance\n\npau").unwrap();
        let taken = all(&mut control);
        assert!(matches!(&taken[..], [Err(_)]), "{taken:?}");
        send(&dir, Command::Stop).unwrap();
        let taken = all(&mut control);
        assert!(
            matches!(&taken[..], [Err(_), Ok(Command::Stop)]),
            "{taken:?}"
        );
    }

    #[test]
    fn a_run_without_worker_takes_no_commands() {
        let (_keep, dir) = run();
        let error = send(&dir, Command::Pause).unwrap_err().to_string();
        assert!(error.contains("runs resume"), "{error}");
        assert!(!dir.control().exists());
    }
}
