//! Work on many tensors at once, with results heard of as they come, and an early end.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

/// Does `work` on every item, on as many threads as the thread pool has, in the order given.
///
/// `done` hears of each result on the calling thread, with the item's index, as soon as it is there;
/// when it breaks, no further item is begun and the call returns once those begun are finished.
///
/// The threads are not those of the pool: the caller may be one of them.
pub fn for_each<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    mut done: impl FnMut(usize, R) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let (sender, results) = mpsc::channel();
    let threads = NonZeroUsize::new(rayon::current_num_threads().min(items.len()));
    thread::scope(|scope| {
        for _ in 0..threads.map_or(0, NonZeroUsize::get) {
            let (sender, next, stop, work) = (sender.clone(), &next, &stop, &work);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else {
                        return;
                    };
                    if sender.send((index, work(item))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for (index, result) in &results {
            if done(index, result).is_break() {
                stop.store(true, Ordering::Relaxed);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_done_once() {
        let items: Vec<usize> = (0..100).collect();
        let mut seen = vec![0; 100];
        let flow = for_each(
            &items,
            |i| i * 2,
            |index, doubled| {
                assert_eq!(doubled, index * 2);
                seen[index] += 1;
                ControlFlow::Continue(())
            },
        );
        assert!(flow.is_continue() && seen.iter().all(|s| *s == 1));
    }

    #[test]
    fn a_break_ends_the_work_early() {
        let begun = AtomicUsize::new(0);
        let items = vec![(); 1_000_000];
        let flow = for_each(
            &items,
            |()| begun.fetch_add(1, Ordering::Relaxed),
            |_, _| ControlFlow::Break(()),
        );
        assert!(flow.is_break() && begun.load(Ordering::Relaxed) < items.len());
    }

    #[test]
    fn nothing_to_do_is_done() {
        assert!(for_each(&[0; 0], |_| (), |_, ()| ControlFlow::Break(())).is_continue());
    }
}
