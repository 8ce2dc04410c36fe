//! Bytes to the terminal, on a thread of their own: a slow link never delays a key or a signal.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How sending a frame went.
pub type Sent = io::Result<Duration>;

/// The sending end.
pub struct Output {
    frames: mpsc::Sender<Vec<u8>>,
    /// Whether a frame is under way.
    pub busy: bool,
}

impl Output {
    /// Starts the thread; it reports each frame to `report`.
    ///
    /// # Errors
    /// If standard output cannot be used or no thread can be started.
    pub fn start(report: tokio::sync::mpsc::UnboundedSender<Sent>) -> io::Result<Self> {
        // Not `Stdout`: it would cut a frame at its last line break.
        let mut out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let (frames, queue) = mpsc::channel::<Vec<u8>>();
        std::thread::Builder::new()
            .name("terminal".to_owned())
            .spawn(move || {
                for frame in queue {
                    let begun = Instant::now();
                    let sent = out.write_all(&frame).map(|()| begun.elapsed());
                    if report.send(sent).is_err() {
                        return;
                    }
                }
            })?;
        Ok(Self {
            frames,
            busy: false,
        })
    }

    /// Sends one frame; the next one waits until this one is reported.
    pub fn send(&mut self, frame: Vec<u8>) {
        self.busy = self.frames.send(frame).is_ok();
    }
}

/// How long to wait between frames of streamed news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    pub interval: Duration,
    fast_in_a_row: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            interval: Self::SHORTEST,
            fast_in_a_row: 0,
        }
    }
}

impl Pace {
    /// Thirty frames a second.
    const SHORTEST: Duration = Duration::from_millis(33);
    const LONGEST: Duration = Duration::from_millis(500);
    /// A frame that took longer says that the link is slow.
    const SLOW: Duration = Duration::from_millis(50);
    /// So many fast frames in a row say that it is fast again.
    const RECOVERED: u32 = 10;

    /// Learns from one frame: slower at once, faster only after a while.
    pub fn learn(&mut self, took: Duration) {
        if took > Self::SLOW {
            self.fast_in_a_row = 0;
            self.interval = (self.interval * 2).min(Self::LONGEST);
            return;
        }
        self.fast_in_a_row += 1;
        if self.fast_in_a_row >= Self::RECOVERED {
            self.fast_in_a_row = 0;
            self.interval = (self.interval / 2).max(Self::SHORTEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_link_gets_fewer_frames_and_a_fast_one_more() {
        let mut pace = Pace::default();
        for _ in 0..10 {
            pace.learn(Duration::from_millis(80));
        }
        assert_eq!(pace.interval, Pace::LONGEST);
        for _ in 0..100 {
            pace.learn(Duration::from_millis(1));
        }
        assert_eq!(pace.interval, Pace::SHORTEST);
    }
}
