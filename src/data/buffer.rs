//! Memory for a batch's pixels, used again.
//!
//! A batch of 96 images of 224x224 takes 58 MB. To ask the system for that anew for every batch costs as
//! much time as to prepare the images.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Values that go back to their loader's stock when they are dropped.
#[derive(Default)]
pub struct Pixels {
    values: Vec<f32>,
    stock: Weak<Stock>,
}

/// Memory that waits to be used again.
#[derive(Debug)]
pub(super) struct Stock {
    spare: Mutex<Vec<Vec<f32>>>,
    most: usize,
}

impl Stock {
    /// A stock that keeps at most so many buffers.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            spare: Mutex::default(),
            most,
        })
    }

    /// A buffer with whatever values it last had.
    pub fn take(self: &Arc<Self>, length: usize) -> Pixels {
        let spare = self
            .spare
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut values = spare.unwrap_or_default();
        values.resize(length, 0.0);
        Pixels {
            values,
            stock: Arc::downgrade(self),
        }
    }

    /// Gives the memory back to the system.
    pub fn clear(&self) {
        self.spare
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

impl Pixels {
    pub(super) fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }
}

impl Drop for Pixels {
    fn drop(&mut self) {
        let Some(stock) = self.stock.upgrade() else {
            return;
        };
        let mut spare = stock.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < stock.most {
            spare.push(std::mem::take(&mut self.values));
        }
    }
}

impl Deref for Pixels {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values
    }
}

impl Clone for Pixels {
    fn clone(&self) -> Self {
        Self {
            values: self.values.clone(),
            stock: Weak::new(),
        }
    }
}

impl PartialEq for Pixels {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
    }
}

impl fmt::Debug for Pixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} values", self.values.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_is_used_again_and_has_the_length_asked_for() {
        let stock = Stock::new(1);
        let first = stock.take(10);
        let place = first.as_ptr();
        drop(first);
        let again = stock.take(7);
        assert_eq!((again.as_ptr(), again.len()), (place, 7));
        // The stock is full after one, and buffers outlive it.
        let other = stock.take(3);
        drop((again, other));
        assert_eq!(stock.spare.lock().unwrap().len(), 1);
        let last = stock.take(2);
        drop(stock);
        assert_eq!(last.len(), 2);
    }
}
