//! What this process uses of the machine, from `/proc`; zeros where there is none.

use std::time::Instant;

/// The kernel reports times to programs in hundredths of a second (`USER_HZ` in proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// Memory and processor time of this process.
#[derive(Debug)]
pub struct Usage {
    since: Instant,
    ticks: u64,
}

impl Usage {
    /// Begins to count.
    pub fn begin() -> Self {
        Self {
            since: Instant::now(),
            ticks: ticks().unwrap_or(0),
        }
    }

    /// Mean use of processors since the last call, in percent of one core.
    pub fn cpu_percent(&mut self) -> f64 {
        let now = Self::begin();
        let seconds = (now.since - self.since).as_secs_f64();
        let ticks = now.ticks.saturating_sub(self.ticks);
        *self = now;
        if seconds > 0.0 {
            ticks as f64 / TICKS_PER_SECOND / seconds * 100.0
        } else {
            0.0
        }
    }
}

/// Resident memory of this process, in bytes.
pub fn rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kib = line.and_then(|l| l.trim().split(' ').next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Processor time of all threads so far.
fn ticks() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in brackets, which may hold anything.
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn a_running_process_has_memory_and_time() {
        assert!(rss_bytes() > 1 << 20);
        let begun = Instant::now();
        let mut x = 0_u64;
        while ticks().unwrap() == 0 && begun.elapsed().as_secs() < 10 {
            x = std::hint::black_box(x + 1);
        }
        assert!(ticks().unwrap() > 0);
    }
}
