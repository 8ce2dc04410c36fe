//! Strided views of a flat storage, written out row-major.

use super::Problem;
use crate::nn::{Tensor, Values};

/// A tensor as a window on a storage; all counts are in elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window<'a> {
    pub offset: u64,
    pub shape: &'a [u64],
    pub strides: &'a [u64],
}

/// How much may still be read and made from one file. A few bytes can describe any number of
/// windows on the same storage, or a window that repeats one element.
#[derive(Debug)]
pub(super) struct Budget {
    elements: u64,
    bytes: u64,
}

/// A true file's tensors share memory at most a few times over.
const SHARED: u64 = 8;
/// What a small file may take in any case.
const SMALL: u64 = 1 << 20;

impl Budget {
    /// For a file of `length` bytes.
    pub fn for_file(length: u64) -> Self {
        Self {
            elements: length.saturating_mul(2).saturating_add(SMALL),
            bytes: length.saturating_mul(SHARED).saturating_add(SMALL),
        }
    }

    /// Pays for one tensor.
    pub fn spend(&mut self, elements: u64, bytes: u64) -> Result<(), Problem> {
        match (
            self.elements.checked_sub(elements),
            self.bytes.checked_sub(bytes),
        ) {
            (Some(elements), Some(bytes)) => {
                *self = Self { elements, bytes };
                Ok(())
            }
            _ => Err(Problem::TooMuch),
        }
    }
}

impl Window<'_> {
    /// Number of elements, if it can be counted.
    pub fn count(&self) -> Option<u64> {
        self.shape
            .iter()
            .try_fold(1_u64, |product, d| product.checked_mul(*d))
    }

    /// Index after the last element that is looked at; `None` if it cannot be counted.
    pub fn end(&self) -> Option<u64> {
        let mut last = self.offset;
        for (d, s) in self.shape.iter().zip(self.strides) {
            last = last.checked_add(d.checked_sub(1)?.checked_mul(*s)?)?;
        }
        last.checked_add(1)
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        for (d, s) in self.shape.iter().zip(self.strides).rev() {
            if *d != 1 && *s != expected {
                return false;
            }
            expected *= d;
        }
        true
    }

    /// The tensor, from the elements `offset..end` of its storage.
    pub fn materialise(&self, values: Values) -> Tensor {
        let shape = self.shape.iter().map(|d| *d as usize).collect();
        let values = match values {
            values if self.is_contiguous() => values,
            Values::F32(v) => Values::F32(self.gather(&v)),
            Values::I64(v) => Values::I64(self.gather(&v)),
        };
        Tensor { shape, values }
    }

    /// Elements in row-major order; `values` begin at the window's first element.
    fn gather<T: Copy>(&self, values: &[T]) -> Vec<T> {
        let count = self.count().unwrap_or(0) as usize;
        let mut gathered = Vec::with_capacity(count);
        let mut index = vec![0_u64; self.shape.len()];
        let mut at = 0_usize;
        for _ in 0..count {
            gathered.push(values[at]);
            // The last index runs fastest.
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                at += self.strides[axis] as usize;
                if index[axis] < self.shape[axis] {
                    break;
                }
                at -= (self.shape[axis] * self.strides[axis]) as usize;
                index[axis] = 0;
            }
        }
        gathered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window<'a>(offset: u64, shape: &'a [u64], strides: &'a [u64]) -> Window<'a> {
        Window {
            offset,
            shape,
            strides,
        }
    }

    #[test]
    fn a_transposed_view_is_written_out_row_major() {
        let view = window(0, &[3, 2], &[1, 3]);
        assert_eq!(view.end(), Some(6));
        let tensor = view.materialise(Values::I64((0..6).collect()));
        assert_eq!(tensor.values, Values::I64(vec![0, 3, 1, 4, 2, 5]));
    }

    #[test]
    fn a_repeated_element_is_written_out() {
        let view = window(2, &[2, 3], &[0, 0]);
        assert_eq!(view.end(), Some(3));
        let tensor = view.materialise(Values::I64(vec![9]));
        assert_eq!(tensor.values, Values::I64(vec![9; 6]));
    }

    #[test]
    fn sizes_beyond_counting_are_noticed() {
        assert_eq!(window(0, &[1 << 40, 1 << 40], &[1, 1]).count(), None);
        assert_eq!(window(u64::MAX, &[2], &[1]).end(), None);
        assert!(Budget::for_file(100).spend(1 << 40, 8).is_err());
    }
}
