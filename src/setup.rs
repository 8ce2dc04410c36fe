//! What must be arranged before the first thread exists: how many threads there are, and what the
//! allocator does with freed memory.

use anyhow::Context as _;

/// Read by candle at every matrix product; without it, it counts the processor's cores in
/// `/proc/cpuinfo` each time, which takes longer than a small product.
const CANDLE_THREADS: &str = "RAYON_NUM_THREADS";

/// Sets up this process; called once, first thing in `main`.
///
/// # Errors
/// If `threads` is zero, or threads cannot be started.
pub fn process(threads: Option<usize>) -> anyhow::Result<()> {
    let threads = match threads {
        Some(0) => anyhow::bail!("--threads must be at least 1"),
        Some(n) => n,
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    keep_freed_memory();
    // SAFETY: no other thread exists yet that could read the environment meanwhile.
    unsafe { std::env::set_var(CANDLE_THREADS, threads.to_string()) };
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .with_context(|| format!("starting {threads} threads"))
}

/// Training allocates and frees the same large blocks in every step. By default glibc returns each to
/// the system, which then clears every page again: a tenth of a step. It does so with the memory of all
/// threads but the first whatever is asked of it, unless they share the first one's.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn keep_freed_memory() {
    const TOP_PAD: i32 = 256 << 20;
    for (parameter, value) in [
        (libc::M_MMAP_THRESHOLD, i32::MAX),
        (libc::M_TRIM_THRESHOLD, i32::MAX),
        (libc::M_TOP_PAD, TOP_PAD),
        (libc::M_ARENA_MAX, 1),
    ] {
        // SAFETY: `mallopt` only sets a number, and no other thread allocates yet. Where it refuses,
        // things are as they were.
        unsafe { libc::mallopt(parameter, value) };
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
const fn keep_freed_memory() {}
