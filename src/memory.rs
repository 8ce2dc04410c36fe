//! Ground floor: memory for large arrays.
//!
//! The system hands memory out page by page, when each page is first written, and clears it. With pages of
//! 4 KiB that takes longer than all the work of a prediction; with those of 2 MiB a quarter of it.

use std::collections::TryReserveError;

/// Bytes of a large page.
#[cfg(target_os = "linux")]
const LARGE_PAGE: usize = 2 << 20;
/// Bytes from which on an array asks for large pages.
#[cfg(target_os = "linux")]
const LARGE_ARRAY: usize = LARGE_PAGE / 2;
/// Bytes behind an array that are asked for as well. The allocator writes there first, notes of its own, where
/// the next array ends; from then on what lies around them comes in small pages.
#[cfg(target_os = "linux")]
const AHEAD: usize = 64 << 20;

/// An empty vector with room for `len` values.
///
/// # Errors
/// If there is not so much memory.
pub fn with_capacity<T>(len: usize) -> Result<Vec<T>, TryReserveError> {
    let mut values = Vec::new();
    values.try_reserve_exact(len)?;
    #[cfg(target_os = "linux")]
    ask_for_large_pages(&values);
    Ok(values)
}

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Road {
    /// Through the caches, where they may soon be read again.
    Through,
    /// Past them. Whatever they hold stays there, and no memory is read before it is written over.
    Past,
}

/// Bytes from which on the last values written push the first ones out of most processors' caches.
const MOST_CACHED: usize = 32 << 20;

impl Road {
    /// The better way for so many bytes.
    #[must_use]
    pub const fn of(bytes: usize) -> Self {
        if bytes > MOST_CACHED {
            Self::Past
        } else {
            Self::Through
        }
    }

    /// Copies values. Other threads may see them after [`Road::arrive`] only.
    ///
    /// # Safety
    /// There must be so much memory at `to`, apart from `from`, and nobody else may use it.
    pub unsafe fn copy(self, from: &[f32], to: *mut f32) {
        // SAFETY: the caller's promise, here and below.
        #[cfg(target_arch = "x86_64")]
        if self == Self::Past {
            return unsafe { past(from, to) };
        }
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
    }

    /// Waits until all values that this thread copied are where others see them.
    pub fn arrive(self) {
        #[cfg(target_arch = "x86_64")]
        if self == Self::Past {
            // SAFETY: every processor of this kind has the instruction.
            unsafe { std::arch::x86_64::_mm_sfence() };
        }
    }
}

/// Copies whole lines of the caches past them.
///
/// # Safety
/// As [`Road::copy`].
#[cfg(target_arch = "x86_64")]
unsafe fn past(from: &[f32], to: *mut f32) {
    use std::arch::x86_64::{_mm_loadu_ps, _mm_stream_ps};
    const LINE: usize = 16;
    const VECTOR: usize = 4;
    let length = from.len();
    let first = to.align_offset(LINE * size_of::<f32>()).min(length);
    let last = first + (length - first) / LINE * LINE;
    let from = from.as_ptr();
    // SAFETY: all of it lies in the `length` values of both sides, and what is streamed begins with a line.
    unsafe {
        std::ptr::copy_nonoverlapping(from, to, first);
        for line in (first..last).step_by(LINE) {
            for vector in (line..line + LINE).step_by(VECTOR) {
                _mm_stream_ps(to.add(vector), _mm_loadu_ps(from.add(vector)));
            }
        }
        std::ptr::copy_nonoverlapping(from.add(last), to.add(last), length - last);
    }
}

/// Asks for the pages that a vector lies in, whole ones: its neighbours may well be on them, too.
#[cfg(target_os = "linux")]
fn ask_for_large_pages<T>(values: &Vec<T>) {
    let bytes = values.capacity() * size_of::<T>();
    if bytes < LARGE_ARRAY {
        return;
    }
    let start = values.as_ptr().addr() & !(LARGE_PAGE - 1);
    let end = (values.as_ptr().addr() + bytes + AHEAD).next_multiple_of(LARGE_PAGE);
    // SAFETY: advice changes no content, of this memory or any other. Where there is none in the range, or
    // no large page to be had, things are as they were.
    unsafe {
        libc::madvise(
            std::ptr::without_provenance_mut(start),
            end - start,
            libc::MADV_HUGEPAGE,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_and_small_vectors_hold_what_was_asked_for() {
        for len in [0, 1, 1000, 3 << 20] {
            let mut values: Vec<f32> = with_capacity(len).unwrap();
            values.extend((0..len).map(|i| i as f32));
            assert_eq!(values.capacity(), len);
            assert!(values.iter().enumerate().all(|(i, v)| *v == i as f32));
        }
    }

    #[test]
    fn both_roads_lead_to_the_same_values() {
        let values: Vec<f32> = (0..300).map(|i| i as f32).collect();
        for road in [Road::Through, Road::Past] {
            for (start, length) in [(0, 0), (0, 300), (3, 5), (7, 100), (16, 64), (290, 10)] {
                let mut copied = vec![-1.0; 300];
                // SAFETY: `copied` has room for so many values from `start` on.
                unsafe { road.copy(&values[..length], copied.as_mut_ptr().add(start)) };
                road.arrive();
                let (before, rest) = copied.split_at(start);
                let (copy, after) = rest.split_at(length);
                assert_eq!(copy, &values[..length], "{road:?} {start}");
                assert!(before.iter().chain(after).all(|v| *v == -1.0));
            }
        }
    }

    #[test]
    fn more_than_there_is_is_an_error() {
        assert!(with_capacity::<f32>(usize::MAX / 8).is_err());
    }
}
