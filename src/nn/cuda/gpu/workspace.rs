//! Memory that matrix products and convolutions work in, kept between calls.

use cudarc::driver::result;

use super::error;
use crate::nn::cuda::driver::Address;
use crate::nn::device::DeviceError;

/// One piece of memory for all calls, since they run one after another. When a call needs more, the old
/// piece stays: recorded steps may work in it.
#[derive(Debug, Default)]
pub struct Workspace {
    pieces: Vec<(Address, usize)>,
}

impl Workspace {
    /// Room for so many bytes.
    pub fn reserve(&mut self, bytes: usize) -> Result<Address, DeviceError> {
        if bytes == 0 {
            return Ok(0);
        }
        if let Some((address, _)) = self.pieces.iter().find(|(_, room)| *room >= bytes) {
            return Ok(*address);
        }
        // SAFETY: only the libraries use it, which write before they read.
        let address = unsafe { result::malloc_sync(bytes) };
        let address = address.map_err(|e| error::of_memory(e, bytes))?;
        self.pieces.push((address, bytes));
        Ok(address)
    }

    /// # Safety
    /// Nothing may be worked on afterwards.
    pub unsafe fn release(&mut self) {
        for (address, _) in self.pieces.drain(..) {
            // SAFETY: allocated here; the caller's promise.
            let _ = unsafe { result::free_sync(address) };
        }
    }
}
