//! A tensor that tasks write together, each its own lines.

use std::collections::TryReserveError;

use crate::memory::{self, Road};

/// A tensor of lines that repeat: the first `distinct` ones are all that there is to know.
#[derive(Debug)]
pub(super) struct Sheet {
    /// Empty, with room for all lines.
    values: Vec<f32>,
    start: *mut f32,
    length: usize,
    lines: usize,
    distinct: usize,
}

// SAFETY: `start` leads into `values`, which is not touched meanwhile; who writes where is what `Sheet::write`
// asks of its callers.
unsafe impl Send for Sheet {}
// SAFETY: as above.
unsafe impl Sync for Sheet {}

impl Sheet {
    /// Room for `lines` lines of `length` values.
    ///
    /// # Errors
    /// If there is not so much memory.
    pub fn new(lines: usize, length: usize, distinct: usize) -> Result<Self, TryReserveError> {
        let mut values = memory::with_capacity(lines * length)?;
        Ok(Self {
            start: values.as_mut_ptr(),
            values,
            length,
            lines,
            distinct: distinct.min(lines),
        })
    }

    /// Values of a line.
    pub const fn length(&self) -> usize {
        self.length
    }

    /// Lines that differ.
    pub const fn distinct(&self) -> usize {
        self.distinct
    }

    /// Writes lines from `first` on wherever they are repeated. Others see them after [`Road::arrive`].
    ///
    /// # Safety
    /// Nobody else may write the same lines at the same time.
    pub unsafe fn write(&self, first: usize, values: &[f32], road: Road) {
        let lines = values.len() / self.length;
        assert!(lines == 0 || first + lines <= self.distinct);
        for copy in (first..self.lines).step_by(self.distinct) {
            // The last copy may be cut.
            let values = &values[..lines.min(self.lines - copy) * self.length];
            // SAFETY: the room has so many lines, and these are the caller's alone.
            unsafe { road.copy(values, self.start.add(copy * self.length)) };
        }
    }

    /// All values.
    ///
    /// # Safety
    /// Every distinct line must have been written.
    pub unsafe fn finish(mut self) -> Vec<f32> {
        // SAFETY: the room was made for so many, and all were written, as the caller says.
        unsafe { self.values.set_len(self.lines * self.length) };
        self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_repeated_downwards() {
        for road in [Road::Through, Road::Past] {
            let sheet = Sheet::new(5, 2, 3).unwrap();
            let values = unsafe {
                sheet.write(1, &[3.0, 4.0, 5.0, 6.0], road);
                sheet.write(0, &[1.0, 2.0], road);
                road.arrive();
                sheet.finish()
            };
            assert_eq!(values, [1., 2., 3., 4., 5., 6., 1., 2., 3., 4.]);
        }
    }
}
