//! Memory that is used again: buffers for activations and their gradients.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

/// Values in memory that goes back to a [`Pool`].
#[derive(Debug)]
pub struct Buffer {
    memory: Vec<f32>,
    length: usize,
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.memory[..self.length]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory[..self.length]
    }
}

/// Memory that is not in use, by size.
#[derive(Debug, Default)]
pub struct Pool {
    free: BTreeMap<usize, Vec<Vec<f32>>>,
    /// Values handed out or free, together.
    held: usize,
}

impl Pool {
    /// A buffer of `length` values. What it holds at first is arbitrary.
    pub fn take(&mut self, length: usize) -> Buffer {
        // Memory of up to twice the length will do; more would be wasted on small tensors.
        let fit = self.free.range(length..=2 * length).next();
        let fit = fit.map(|(size, _)| *size);
        let memory = fit.and_then(|size| self.pop(size)).unwrap_or_else(|| {
            self.held += length;
            vec![0.0; length]
        });
        Buffer { memory, length }
    }

    /// Takes memory back.
    pub fn give(&mut self, buffer: Buffer) {
        let size = buffer.memory.len();
        self.free.entry(size).or_default().push(buffer.memory);
    }

    /// Returns free memory to the system, for a batch of another size.
    pub fn clear(&mut self) {
        for (size, list) in std::mem::take(&mut self.free) {
            self.held -= size * list.len();
        }
    }

    /// Bytes in use or kept for use.
    pub const fn bytes(&self) -> usize {
        self.held * size_of::<f32>()
    }

    fn pop(&mut self, size: usize) -> Option<Vec<f32>> {
        let list = self.free.get_mut(&size)?;
        let memory = list.pop();
        if list.is_empty() {
            self.free.remove(&size);
        }
        memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_given_back_is_used_again() {
        let mut pool = Pool::default();
        let (a, b) = (pool.take(100), pool.take(1000));
        assert_eq!((a.len(), b.len()), (100, 1000));
        pool.give(a);
        pool.give(b);
        let bytes = pool.bytes();
        let (c, d) = (pool.take(60), pool.take(900));
        assert_eq!((c.len(), d.len()), (60, 900));
        assert_eq!(pool.bytes(), bytes);
        pool.clear();
        assert_eq!(pool.bytes(), bytes, "all of it is in use");
        pool.give(c);
        pool.clear();
        assert_eq!(pool.bytes(), 4000);
    }
}
