//! Uploads on a stream of their own, from memory that the device reads by itself, and the way back to memory
//! that it writes by itself.

use cudarc::driver::{result, sys};

use super::error::Outcome;
use crate::nn::cuda::driver::Address;
use crate::nn::device::DeviceError;

/// Pinned memory, and how many bytes there are.
struct Pinned {
    memory: *mut u8,
    bytes: usize,
}

impl Default for Pinned {
    fn default() -> Self {
        Self {
            memory: std::ptr::null_mut(),
            bytes: 0,
        }
    }
}

impl Pinned {
    /// Room for so many bytes; what was there before is lost if it grows.
    ///
    /// # Safety
    /// No copy from or to the memory may be under way.
    unsafe fn reserve(&mut self, bytes: usize) -> Result<(), DeviceError> {
        if bytes <= self.bytes {
            return Ok(());
        }
        // SAFETY: the caller's promise. All of the memory is written before anybody reads it.
        unsafe {
            self.forget();
            let memory = result::malloc_host(bytes, 0).doing("pinning memory")?;
            std::ptr::write_bytes(memory.cast::<u8>(), 0, bytes);
            (self.memory, self.bytes) = (memory.cast(), bytes);
        }
        Ok(())
    }

    /// # Safety
    /// As for [`Pinned::reserve`].
    unsafe fn forget(&mut self) {
        if !self.memory.is_null() {
            // SAFETY: allocated here; the caller's promise. A failure loses memory, no more.
            let _ = unsafe { result::free_host(self.memory.cast()) };
            *self = Self::default();
        }
    }
}

/// The way back.
#[derive(Default)]
pub struct Fetch(Pinned);

impl Fetch {
    /// What lies at `from` when all work of `worker` before is done; it is waited for.
    pub fn receive(
        &mut self,
        from: Address,
        bytes: usize,
        worker: sys::CUstream,
    ) -> Result<&[u8], DeviceError> {
        const DOING: &str = "fetching values";
        if bytes == 0 {
            return Ok(&[]);
        }
        // SAFETY: every copy to the memory was waited for, and it has as many bytes, all of them written. The
        // executor answers for `from`.
        unsafe {
            self.0.reserve(bytes)?;
            let to = std::slice::from_raw_parts_mut(self.0.memory, bytes);
            result::memcpy_dtoh_async(to, from, worker).doing(DOING)?;
            result::stream::synchronize(worker).doing(DOING)?;
            Ok(to)
        }
    }

    /// # Safety
    /// Nothing may be received afterwards.
    pub unsafe fn release(&mut self) {
        // SAFETY: the caller's promise; copies were waited for.
        unsafe { self.0.forget() };
    }
}

const UPLOADING: &str = "uploading values";
const PLAIN: sys::CUevent_wait_flags = sys::CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT;

/// The way to the device.
pub struct Upload {
    stream: sys::CUstream,
    /// Says when the last copy is done.
    done: sys::CUevent,
    /// Says when the working stream has read what earlier copies wrote.
    read: sys::CUevent,
    pinned: Pinned,
}

impl Upload {
    pub fn new() -> Result<Self, DeviceError> {
        let kind = result::stream::StreamKind::NonBlocking;
        let untimed = sys::CUevent_flags::CU_EVENT_DISABLE_TIMING;
        Ok(Self {
            stream: result::stream::create(kind).doing("making a stream")?,
            done: result::event::create(untimed).doing("making an event")?,
            read: result::event::create(untimed).doing("making an event")?,
            pinned: Pinned::default(),
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
        self.allow(worker)?;
        self.stage(&[from], to)?;
        self.wait_for(worker)
    }

    /// Copies `parts` to the device, one behind the other, after what a stream was told before [`Upload::allow`].
    pub fn stage(&mut self, parts: &[&[u8]], to: Address) -> Result<(), DeviceError> {
        let bytes = parts.iter().map(|p| p.len()).sum();
        if bytes == 0 {
            return Ok(());
        }
        // SAFETY: stream and events live as long as this. The pinned memory has room for all parts, and is
        // written only when the last copy from it is done. The executor answers for `to`.
        unsafe {
            result::event::synchronize(self.done).doing(UPLOADING)?;
            self.pinned.reserve(bytes)?;
            let mut end = self.pinned.memory;
            for part in parts {
                std::ptr::copy_nonoverlapping(part.as_ptr(), end, part.len());
                end = end.add(part.len());
            }
            let pinned = std::slice::from_raw_parts(self.pinned.memory, bytes);
            result::stream::wait_event(self.stream, self.read, PLAIN).doing(UPLOADING)?;
            result::memcpy_htod_async(to, pinned, self.stream).doing(UPLOADING)?;
            result::event::record(self.done, self.stream).doing(UPLOADING)
        }
    }

    /// Has whatever `worker` is told from now on come after all copies so far.
    pub fn wait_for(&self, worker: sys::CUstream) -> Result<(), DeviceError> {
        // SAFETY: streams and events live as long as this.
        unsafe { result::stream::wait_event(worker, self.done, PLAIN) }.doing(UPLOADING)
    }

    /// Has copies from now on come after what `worker` was told so far, which may read where they write; what it is told
    /// later does not keep them waiting.
    pub fn allow(&self, worker: sys::CUstream) -> Result<(), DeviceError> {
        // SAFETY: as above.
        unsafe { result::event::record(self.read, worker) }.doing(UPLOADING)
    }

    /// # Safety
    /// Nothing may be sent afterwards.
    pub unsafe fn release(&mut self) {
        // SAFETY: the caller's promise; copies are waited for. Failures are those of a device that
        // already failed.
        unsafe {
            let _ = result::stream::synchronize(self.stream);
            self.pinned.forget();
            let _ = result::event::destroy(self.done);
            let _ = result::event::destroy(self.read);
            let _ = result::stream::destroy(self.stream);
        }
    }
}
