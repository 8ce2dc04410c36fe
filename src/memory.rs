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

/// Asks for the pages that a vector lies in, whole ones: its neighbours may well be on them, too.
#[cfg(target_os = "linux")]
fn ask_for_large_pages<T>(values: &Vec<T>) {
    let bytes = values.capacity() * size_of::<T>();
    if bytes < LARGE_ARRAY {
        return;
    }
    let start = values.as_ptr().addr() & !(LARGE_PAGE - 1);
    let end = (values.as_ptr().addr() + bytes).next_multiple_of(LARGE_PAGE);
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
    fn more_than_there_is_is_an_error() {
        assert!(with_capacity::<f32>(usize::MAX / 8).is_err());
    }
}
