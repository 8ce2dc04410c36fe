//! What the operating system says about this process.

use std::time::{Duration, Instant};

use super::Event;

/// Time between two readings.
const INTERVAL: Duration = Duration::from_secs(2);

/// Reads memory and processor time of this process, now and then. On systems without `/proc` there
/// is nothing to read, hence no event.
#[derive(Debug)]
pub struct Monitor {
    last: Option<(Instant, Duration)>,
}

impl Monitor {
    #[must_use]
    pub fn new() -> Self {
        Self {
            last: cpu_time().map(|cpu| (Instant::now(), cpu)),
        }
    }

    /// A system event if one is due.
    pub fn poll(&mut self, step: u64, epoch: f64) -> Option<Event> {
        let (then, used) = self.last?;
        let wall = then.elapsed();
        if wall < INTERVAL {
            return None;
        }
        let cpu = cpu_time()?;
        self.last = Some((Instant::now(), cpu));
        Some(Event::System {
            step,
            epoch,
            rss_bytes: resident_bytes()?,
            cpu_percent: 100.0 * cpu.saturating_sub(used).as_secs_f64() / wall.as_secs_f64(),
        })
    }
}

/// Processor time of all threads so far. The kernel counts it in ticks of 1/100 s on every
/// architecture that Rust's Linux targets cover.
fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in brackets, which may hold spaces.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 10))
}

/// Memory of this process that is in RAM.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_and_processor_time_are_read() {
        assert!(resident_bytes().unwrap() > 1 << 20);
        let before = cpu_time().unwrap();
        let begun = Instant::now();
        while cpu_time().unwrap() == before {
            assert!(begun.elapsed() < Duration::from_secs(60));
        }
    }
}
