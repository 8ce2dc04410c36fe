//! Uploads on a stream of their own, from memory that the device reads by itself.

use cudarc::driver::{result, sys};

use super::error::Outcome;
use crate::nn::cuda::driver::Address;
use crate::nn::device::DeviceError;

pub struct Upload {
    stream: sys::CUstream,
    /// Says when the last copy is done.
    done: sys::CUevent,
    /// Says when the working stream has read what earlier copies wrote.
    read: sys::CUevent,
    /// Pinned memory, and how much there is.
    pinned: *mut u8,
    bytes: usize,
}

impl Upload {
    pub fn new() -> Result<Self, DeviceError> {
        let kind = result::stream::StreamKind::NonBlocking;
        let untimed = sys::CUevent_flags::CU_EVENT_DISABLE_TIMING;
        Ok(Self {
            stream: result::stream::create(kind).doing("making a stream")?,
            done: result::event::create(untimed).doing("making an event")?,
            read: result::event::create(untimed).doing("making an event")?,
            pinned: std::ptr::null_mut(),
            bytes: 0,
        })
    }

    /// Copies `from` to the device before anything that `worker` does from now on, and after everything
    /// that it was told before.
    pub fn send(
        &mut self,
        from: &[u8],
        to: Address,
        worker: sys::CUstream,
    ) -> Result<(), DeviceError> {
        const DOING: &str = "uploading values";
        if from.is_empty() {
            return Ok(());
        }
        // SAFETY: streams and events live as long as this. The pinned memory has room for `from`, and is
        // written only when the last copy from it is done. The executor answers for `to`.
        unsafe {
            result::event::synchronize(self.done).doing(DOING)?;
            self.reserve(from.len())?;
            std::ptr::copy_nonoverlapping(from.as_ptr(), self.pinned, from.len());
            let pinned = std::slice::from_raw_parts(self.pinned, from.len());
            result::event::record(self.read, worker).doing(DOING)?;
            let plain = sys::CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT;
            result::stream::wait_event(self.stream, self.read, plain).doing(DOING)?;
            result::memcpy_htod_async(to, pinned, self.stream).doing(DOING)?;
            result::event::record(self.done, self.stream).doing(DOING)?;
            result::stream::wait_event(worker, self.done, plain).doing(DOING)
        }
    }

    /// Room for so many bytes.
    fn reserve(&mut self, bytes: usize) -> Result<(), DeviceError> {
        if bytes <= self.bytes {
            return Ok(());
        }
        // SAFETY: no copy from the old memory is under way, as `send` waited.
        unsafe { self.forget() };
        // SAFETY: written before it is read.
        let pinned = unsafe { result::malloc_host(bytes, 0) }.doing("pinning memory")?;
        (self.pinned, self.bytes) = (pinned.cast(), bytes);
        Ok(())
    }

    /// # Safety
    /// No copy from the pinned memory may be under way.
    unsafe fn forget(&mut self) {
        if !self.pinned.is_null() {
            // SAFETY: allocated here; the caller's promise. A failure loses memory, no more.
            let _ = unsafe { result::free_host(self.pinned.cast()) };
            (self.pinned, self.bytes) = (std::ptr::null_mut(), 0);
        }
    }

    /// # Safety
    /// Nothing may be sent afterwards.
    pub unsafe fn release(&mut self) {
        // SAFETY: the caller's promise; copies are waited for. Failures are those of a device that
        // already failed.
        unsafe {
            let _ = result::stream::synchronize(self.stream);
            self.forget();
            let _ = result::event::destroy(self.done);
            let _ = result::event::destroy(self.read);
            let _ = result::stream::destroy(self.stream);
        }
    }
}
