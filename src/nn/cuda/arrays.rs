//! Arrays of 32-bit floats on a device, and what can be computed with them outside of a network's plan: the
//! handle that other rooms have on a GPU. They say what is to be computed, and see neither kernels nor drivers.

mod operations;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::driver::{Address, Driver};
use super::memory::{Buffer, Memory};
use crate::nn::device::{DeviceError, Precision};

pub use super::driver::{Matrix, Product};
pub use super::memory::View;
pub use operations::{Bounds, Tiling};

/// A device that computes with arrays, in the order of the calls; only [`Arrays::fetch`] and
/// [`Arrays::wait`] wait for the results.
pub struct Arrays {
    driver: Box<dyn Driver>,
    memory: Memory,
    returned: Returned,
}

/// Memory of arrays that were dropped.
type Returned = Arc<Mutex<Vec<Buffer>>>;

/// An array on a device. Its memory is used again as soon as it is dropped, even if work with it is still under
/// way: the next user's work comes after that.
#[derive(Debug)]
pub struct Array {
    view: View,
    /// None for one that stays for good.
    lent: Option<(Buffer, Returned)>,
}

/// Bytes that are uploaded in one go: they take a detour through as much memory that the device reads by itself.
const PIECE: usize = 16 << 20;
/// Kernels count values in 32 bits.
const MOST_VALUES: usize = 1 << 31;

impl fmt::Debug for Arrays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrays").finish_non_exhaustive()
    }
}

impl Drop for Array {
    fn drop(&mut self) {
        if let Some((buffer, returned)) = self.lent.take() {
            locked(&returned).push(buffer);
        }
    }
}

impl Array {
    /// All of it.
    #[must_use]
    pub const fn view(&self) -> View {
        self.view
    }
}

impl View {
    /// So many values from the one with the index `first` on.
    ///
    /// # Panics
    /// If there are not so many.
    #[must_use]
    pub fn part(self, first: usize, values: usize) -> Self {
        assert!(first + values <= self.values, "beyond the end of an array");
        Self {
            address: self.address + (first * size_of::<f32>()) as Address,
            values,
        }
    }

    /// The same from `first` to the end.
    ///
    /// # Panics
    /// If it begins beyond the end.
    #[must_use]
    pub fn from(self, first: usize) -> Self {
        assert!(first <= self.values, "beyond the end of an array");
        self.part(first, self.values - first)
    }

    /// As a matrix of so many columns.
    #[must_use]
    pub const fn matrix(self, columns: usize) -> Matrix {
        Matrix::dense(self.address, Precision::F32, columns)
    }
}

impl Arrays {
    /// On the GPU of this number.
    ///
    /// # Errors
    /// If there is none, or something that it needs is missing.
    pub fn open(number: usize) -> Result<Self, DeviceError> {
        Ok(Self::with(super::open(number)?))
    }

    fn with(driver: Box<dyn Driver>) -> Self {
        Self {
            driver,
            memory: Memory::default(),
            returned: Returned::default(),
        }
    }

    /// On the processor, by the kernels' own sources, with so many bytes of memory; none without a compiler.
    #[cfg(test)]
    pub fn emulated(room: usize) -> Option<Self> {
        let driver = super::emulated::Emulated::with_room(room)?;
        Some(Self::with(Box::new(driver)))
    }

    /// An array whose values are arbitrary.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`], also for more values than kernels can count.
    pub fn take(&mut self, values: usize) -> Result<Array, DeviceError> {
        if values >= MOST_VALUES {
            let bytes = values.saturating_mul(size_of::<f32>());
            return Err(DeviceError::OutOfMemory { bytes });
        }
        for buffer in locked(&self.returned).drain(..) {
            self.memory.give(buffer);
        }
        let driver = self.driver.as_mut();
        let buffer = self.memory.take(driver, values, Precision::F32)?;
        Ok(Array {
            view: buffer.view(),
            lent: Some((buffer, Arc::clone(&self.returned))),
        })
    }

    /// An array that stays as long as this, in memory of its own.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`], and if the device fails.
    pub fn keep(&mut self, values: &[f32]) -> Result<Array, DeviceError> {
        let bytes = size_of_val(values).max(size_of::<f32>());
        let address = self.driver.allocate(bytes)?;
        let view = View {
            address,
            values: values.len(),
        };
        self.send(bytemuck::cast_slice(values), view)?;
        Ok(Array { view, lent: None })
    }

    /// # Errors
    /// [`DeviceError::OutOfMemory`], and if the device fails.
    pub fn upload(&mut self, values: &[f32]) -> Result<Array, DeviceError> {
        let array = self.take(values.len())?;
        self.send(bytemuck::cast_slice(values), array.view)?;
        Ok(array)
    }

    /// Indices, for the operations that ask for them.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`], and if the device fails.
    pub fn upload_indices(&mut self, indices: &[u32]) -> Result<Array, DeviceError> {
        let array = self.take(indices.len())?;
        self.send(bytemuck::cast_slice(indices), array.view)?;
        Ok(array)
    }

    fn send(&mut self, bytes: &[u8], to: View) -> Result<(), DeviceError> {
        for (index, piece) in bytes.chunks(PIECE).enumerate() {
            let place = to.address + (index * PIECE) as Address;
            self.driver.upload(piece, place)?;
        }
        Ok(())
    }

    /// Waits for all work so far and fetches what came of it, in one transfer.
    ///
    /// # Errors
    /// If any of the work failed, or there is no memory for the values here.
    pub fn fetch(&mut self, from: View) -> Result<&[f32], DeviceError> {
        let bytes = from.values * size_of::<f32>();
        Ok(bytemuck::cast_slice(
            self.driver.fetch(from.address, bytes)?,
        ))
    }

    /// Waits for all work so far.
    ///
    /// # Errors
    /// If any of it failed.
    pub fn wait(&mut self) -> Result<(), DeviceError> {
        self.driver.wait()
    }

    /// Returns all memory but that of arrays that stay. Others may not be used any more, only dropped.
    pub fn release(&mut self) {
        self.returned = Returned::default();
        self.memory.release(self.driver.as_mut());
    }
}

fn locked(returned: &Returned) -> MutexGuard<'_, Vec<Buffer>> {
    returned.lock().unwrap_or_else(PoisonError::into_inner)
}
