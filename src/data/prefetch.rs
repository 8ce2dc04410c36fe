//! Work done ahead by threads of its own, handed over in order.
//!
//! The threads take numbers 0, 1, 2, ... and make one thing of each; the consumer receives them in
//! that order. At most `ahead` things wait, so a slow consumer costs no memory.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use super::DataError;

/// Threads that make things ahead of the consumer. Dropping it stops and joins them.
pub(super) struct Prefetch<T> {
    shared: Arc<Shared<T>>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    /// Signalled when a thing is ready.
    ready: Condvar,
    /// Signalled when there is room, or an end to the work.
    room: Condvar,
}

struct State<T> {
    /// Things made, `None` where making one panicked.
    made: BTreeMap<u64, Option<T>>,
    /// The number that a thread takes next, and the one that the consumer receives next.
    next: u64,
    wanted: u64,
    /// First number that is not made: the end, where there is one.
    end: Option<u64>,
    ahead: u64,
    stopped: bool,
}

impl<T: Send + 'static> Prefetch<T> {
    /// Starts `threads` threads that call `make` for 0, 1, 2, ... up to `end`.
    pub fn start<F>(
        threads: usize,
        ahead: usize,
        end: Option<u64>,
        make: F,
    ) -> Result<Self, DataError>
    where
        F: Fn(u64) -> T + Send + Sync + 'static,
    {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                made: BTreeMap::new(),
                next: 0,
                wanted: 0,
                end,
                ahead: ahead.max(1) as u64,
                stopped: false,
            }),
            ready: Condvar::new(),
            room: Condvar::new(),
        });
        let make = Arc::new(make);
        let mut prefetch = Self {
            shared,
            threads: Vec::with_capacity(threads),
        };
        for i in 0..threads.max(1) {
            let (shared, make) = (Arc::clone(&prefetch.shared), Arc::clone(&make));
            let thread = Builder::new()
                .name(format!("batches-{i}"))
                .spawn(move || work(&shared, &*make))
                .map_err(DataError::Thread)?;
            prefetch.threads.push(thread);
        }
        Ok(prefetch)
    }

    /// Whether [`Prefetch::next`] gives a thing at once.
    pub fn is_ready(&self) -> bool {
        let state = lock(&self.shared.state);
        state.made.contains_key(&state.wanted)
    }

    /// The next thing, in order; `None` after the last.
    ///
    /// # Errors
    /// If making it panicked.
    pub fn next(&mut self) -> Option<Result<T, DataError>> {
        let mut state = lock(&self.shared.state);
        if state.end.is_some_and(|end| state.wanted >= end) {
            return None;
        }
        loop {
            let wanted = state.wanted;
            if let Some(made) = state.made.remove(&wanted) {
                state.wanted += 1;
                drop(state);
                self.shared.room.notify_all();
                return Some(made.ok_or(DataError::ThreadDied));
            }
            state = self
                .shared
                .ready
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<T> Drop for Prefetch<T> {
    fn drop(&mut self) {
        lock(&self.shared.state).stopped = true;
        self.shared.room.notify_all();
        for thread in self.threads.drain(..) {
            // A panic within `make` is caught there, so there is nothing to report.
            let _ = thread.join();
        }
    }
}

/// What each thread does until it is stopped or everything is made.
fn work<T>(shared: &Shared<T>, make: &(dyn Fn(u64) -> T + Sync)) {
    while let Some(number) = take_number(shared) {
        let made = catch_unwind(AssertUnwindSafe(|| make(number))).ok();
        lock(&shared.state).made.insert(number, made);
        shared.ready.notify_all();
    }
}

/// Waits for room, then takes the next number.
fn take_number<T>(shared: &Shared<T>) -> Option<u64> {
    let mut state = lock(&shared.state);
    loop {
        if state.stopped || state.end.is_some_and(|end| state.next >= end) {
            return None;
        }
        if state.next < state.wanted + state.ahead {
            state.next += 1;
            return Some(state.next - 1);
        }
        state = shared
            .room
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds the lock, and the state is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    #[test]
    fn things_come_in_order_whatever_their_cost() {
        let mut prefetch = Prefetch::start(4, 5, Some(50), |i| {
            std::thread::sleep(Duration::from_micros((i * 37 % 11) * 100));
            i
        })
        .unwrap();
        let got: Vec<u64> = std::iter::from_fn(|| prefetch.next())
            .map(Result::unwrap)
            .collect();
        assert_eq!(got, (0..50).collect::<Vec<_>>());
        assert!(prefetch.next().is_none());
    }

    #[test]
    fn a_thing_is_ready_once_it_is_made() {
        let gate = Arc::new(Mutex::new(()));
        let closed = gate.lock().unwrap();
        let maker = Arc::clone(&gate);
        let mut prefetch = Prefetch::start(1, 1, Some(1), move |i| {
            drop(maker.lock().unwrap());
            i
        })
        .unwrap();
        assert!(!prefetch.is_ready());
        drop(closed);
        while !prefetch.is_ready() {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(prefetch.next().unwrap().unwrap(), 0);
        assert!(!prefetch.is_ready());
    }

    #[test]
    fn no_more_than_asked_for_is_made_ahead() {
        let made = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&made);
        let mut prefetch =
            Prefetch::start(3, 4, None, move |_| counter.fetch_add(1, Ordering::SeqCst)).unwrap();
        for taken in 1..=20 {
            prefetch.next().unwrap().unwrap();
            assert!(made.load(Ordering::SeqCst) <= taken + 4);
        }
    }

    #[test]
    fn dropping_it_stops_and_joins_the_threads() {
        let alive = Arc::new(());
        let held = Arc::clone(&alive);
        let mut prefetch =
            Prefetch::start(3, 4, None, move |i| (i, Arc::strong_count(&held))).unwrap();
        prefetch.next().unwrap().unwrap();
        drop(prefetch);
        assert_eq!(Arc::strong_count(&alive), 1);
    }

    #[test]
    fn a_panic_arrives_as_an_error_and_does_not_hang() {
        let mut prefetch = Prefetch::start(2, 2, None, |i| {
            assert!(i != 1, "made to fail");
            i
        })
        .unwrap();
        assert!(prefetch.next().unwrap().is_ok());
        assert!(matches!(prefetch.next(), Some(Err(DataError::ThreadDied))));
        assert!(prefetch.next().unwrap().is_ok());
    }
}
