//! Device memory that is used again: buffers for activations, their gradients and scratch.

use std::collections::BTreeMap;

use super::driver::{Address, Driver};
use crate::nn::device::{DeviceError, Precision};

/// Memory of the pool while somebody uses it; whoever has it gives it back.
#[derive(Debug, PartialEq, Eq)]
pub struct Buffer {
    address: Address,
    /// Bytes that lie there.
    room: usize,
    values: usize,
}

/// Values in device memory, seen by a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    pub address: Address,
    pub values: usize,
}

impl Buffer {
    pub const fn address(&self) -> Address {
        self.address
    }

    pub const fn view(&self) -> View {
        View {
            address: self.address,
            values: self.values,
        }
    }

    pub const fn values(&self) -> usize {
        self.values
    }
}

/// Memory by size. The work of a device runs in order, so a buffer may go to its next user while its
/// last one's work is still under way.
#[derive(Debug, Default)]
pub struct Memory {
    free: BTreeMap<usize, Vec<Address>>,
    /// Everything that was allocated, with its size.
    all: Vec<(Address, usize)>,
}

/// Sizes are multiples of this.
const GRAIN: usize = 512;

impl Memory {
    /// A buffer for `values` values. What it holds at first is arbitrary.
    pub fn take(
        &mut self,
        driver: &mut dyn Driver,
        values: usize,
        precision: Precision,
    ) -> Result<Buffer, DeviceError> {
        let bytes = (values * precision.bytes())
            .next_multiple_of(GRAIN)
            .max(GRAIN);
        // Memory of up to twice the size will do; more would be wasted on small tensors.
        let fit = self.free.range(bytes..=2 * bytes).next();
        let (address, room) = match fit.map(|(size, _)| *size) {
            Some(size) => (self.pop(size), size),
            None => {
                let address = driver.allocate(bytes)?;
                self.all.push((address, bytes));
                (address, bytes)
            }
        };
        Ok(Buffer {
            address,
            room,
            values,
        })
    }

    /// Takes memory back.
    pub fn give(&mut self, buffer: Buffer) {
        let list = self.free.entry(buffer.room).or_default();
        list.push(buffer.address);
    }

    /// Takes everything back that is in use, after an error that left its users without it.
    pub fn reclaim(&mut self) {
        self.free.clear();
        for (address, size) in &self.all {
            self.free.entry(*size).or_default().push(*address);
        }
    }

    /// Returns all memory to the device; none may be in use.
    pub fn release(&mut self, driver: &mut dyn Driver) {
        self.free.clear();
        for (address, _) in self.all.drain(..) {
            driver.free(address);
        }
    }

    /// Bytes in use or kept for use.
    pub fn bytes(&self) -> usize {
        self.all.iter().map(|(_, size)| size).sum()
    }

    fn pop(&mut self, size: usize) -> Address {
        let list = self.free.get_mut(&size).expect("just found");
        let address = list.pop().expect("empty lists are removed");
        if list.is_empty() {
            self.free.remove(&size);
        }
        address
    }
}
