//! The driver that works on a GPU: CUDA's driver, cuBLASLt and cuDNN, loaded while running.
//!
//! One stream does all the work in order; a second one carries uploads from pinned memory, and the first
//! waits for them before it uses them. Nothing else waits but what fetches values.

mod blas;
#[cfg(feature = "cudnn")]
mod dnn;
mod error;
mod libraries;
mod module;
mod pinned;
mod workspace;

use std::thread::ThreadId;

use cudarc::driver::{result, sys};

use super::driver::{Address, Convolution, Driver, Launch, Product, Recording};
use crate::nn::device::{Device, DeviceError};
use blas::Blas;
use error::{Outcome, failed};
use module::Module;
use pinned::{Fetch, Upload};
use workspace::Workspace;

/// CUDA's version that the kernels are compiled for; drivers take no code of a later one.
const CUDA: i32 = 13_000;

/// See the module.
pub struct Gpu {
    context: sys::CUcontext,
    device: sys::CUdevice,
    stream: sys::CUstream,
    /// The thread whose current context is this one's.
    thread: Option<ThreadId>,
    module: Module,
    upload: Upload,
    fetch: Fetch,
    workspace: Workspace,
    blas: Blas,
    #[cfg(feature = "cudnn")]
    dnn: dnn::Dnn,
    /// What was allocated and not freed.
    memory: Vec<Address>,
}

// SAFETY: contexts, streams and handles of NVIDIA's libraries may be used from any thread, one at a time,
// once the context is made current there, which `enter` does.
unsafe impl Send for Gpu {}

/// GPUs by their names, in order.
pub fn names() -> Result<Vec<String>, DeviceError> {
    libraries::driver(CUDA)?;
    result::init().doing("starting CUDA")?;
    let count = result::device::get_count().doing("counting GPUs")?;
    (0..count)
        .map(|i| {
            let device = result::device::get(i).doing("opening a GPU")?;
            result::device::get_name(device).doing("asking a GPU for its name")
        })
        .collect()
}

/// Whether there is a GPU, with a driver, libraries and kernels for it.
pub fn usable() -> bool {
    let is_there = |names: Vec<String>| !names.is_empty();
    !module::FATBIN.is_empty() && names().is_ok_and(is_there) && libraries::compute().is_ok()
}

impl Gpu {
    /// The GPU of this number.
    ///
    /// # Errors
    /// If there is none, or something that it needs is missing or too old.
    pub fn open(number: usize) -> Result<Self, DeviceError> {
        if module::FATBIN.is_empty() {
            return Err(DeviceError::NoKernels);
        }
        Device::Cuda(number).check()?;
        libraries::compute()?;
        let device = result::device::get(number as i32).doing("opening the GPU")?;
        // SAFETY: the device was just given by the driver.
        let context = unsafe { result::primary_ctx::retain(device) }.doing("opening the GPU")?;
        // SAFETY: the context was just given by the driver.
        unsafe { result::ctx::set_current(context) }.doing("opening the GPU")?;
        let kind = result::stream::StreamKind::NonBlocking;
        let stream = result::stream::create(kind).doing("making a stream")?;
        Ok(Self {
            context,
            device,
            stream,
            thread: Some(std::thread::current().id()),
            module: Module::load()?,
            upload: Upload::new()?,
            fetch: Fetch::default(),
            workspace: Workspace::default(),
            blas: Blas::new()?,
            #[cfg(feature = "cudnn")]
            dnn: dnn::Dnn::new(stream)?,
            memory: Vec::new(),
        })
    }

    /// Makes the context current on this thread.
    fn enter(&mut self) -> Result<(), DeviceError> {
        let thread = std::thread::current().id();
        if self.thread != Some(thread) {
            // SAFETY: the context lives as long as this.
            unsafe { result::ctx::set_current(self.context) }.doing("entering the context")?;
            self.thread = Some(thread);
        }
        Ok(())
    }
}

impl Driver for Gpu {
    fn allocate(&mut self, bytes: usize) -> Result<Address, DeviceError> {
        self.enter()?;
        // SAFETY: nobody takes what lies there for anything before it is written.
        let address = unsafe { result::malloc_sync(bytes) };
        let address = address.map_err(|e| error::of_memory(e, bytes))?;
        self.memory.push(address);
        Ok(address)
    }

    fn free(&mut self, address: Address) {
        if self.enter().is_ok() {
            self.memory.retain(|a| *a != address);
            // SAFETY: allocated here and not freed before. The call waits for work under way. A failure
            // means that the device failed before, which the next call says.
            let _ = unsafe { result::free_sync(address) };
        }
    }

    fn clear(&mut self, to: Address, bytes: usize) -> Result<(), DeviceError> {
        self.enter()?;
        // SAFETY: the executor answers for its addresses, here and below.
        unsafe { result::memset_d8_async(to, 0, bytes, self.stream) }.doing("clearing memory")
    }

    fn copy(&mut self, from: Address, to: Address, bytes: usize) -> Result<(), DeviceError> {
        self.enter()?;
        // SAFETY: as above.
        unsafe { result::memcpy_dtod_async(to, from, bytes, self.stream) }.doing("copying memory")
    }

    fn upload(&mut self, from: &[u8], to: Address) -> Result<(), DeviceError> {
        self.enter()?;
        self.upload.send(from, to, self.stream)
    }

    fn stage(&mut self, parts: &[&[u8]], to: Address) -> Result<(), DeviceError> {
        self.enter()?;
        self.upload.stage(parts, to)
    }

    fn take_staged(&mut self, from: Address, to: Address, bytes: usize) -> Result<(), DeviceError> {
        self.enter()?;
        self.upload.wait_for(self.stream)?;
        self.copy(from, to, bytes)?;
        self.upload.allow(self.stream)
    }

    fn wait(&mut self) -> Result<(), DeviceError> {
        self.enter()?;
        // SAFETY: the stream lives as long as this driver.
        unsafe { result::stream::synchronize(self.stream).doing("waiting for the GPU") }
    }

    fn download(&mut self, from: Address, to: &mut [u8]) -> Result<(), DeviceError> {
        self.enter()?;
        // SAFETY: `to` outlives the copy, which is waited for.
        unsafe {
            result::memcpy_dtoh_async(to, from, self.stream).doing("fetching values")?;
            result::stream::synchronize(self.stream).doing("waiting for the GPU")
        }
    }

    fn fetch(&mut self, from: Address, bytes: usize) -> Result<&[u8], DeviceError> {
        self.enter()?;
        self.fetch.receive(from, bytes, self.stream)
    }

    fn launch(&mut self, launch: &Launch<'_>) -> Result<(), DeviceError> {
        self.enter()?;
        self.module.launch(launch, self.stream)
    }

    fn multiply(&mut self, product: &Product) -> Result<(), DeviceError> {
        self.enter()?;
        self.blas
            .multiply(product, &mut self.workspace, self.stream)
    }

    #[cfg(feature = "cudnn")]
    fn convolve(&mut self, convolution: &Convolution) -> Result<(), DeviceError> {
        self.enter()?;
        self.dnn.convolve(convolution, &mut self.workspace)
    }

    #[cfg(not(feature = "cudnn"))]
    fn convolve(&mut self, _convolution: &Convolution) -> Result<(), DeviceError> {
        Err(failed(
            "convolving",
            "this hyperscope was built without the feature `cudnn`",
        ))
    }

    fn record(&mut self) -> Result<(), DeviceError> {
        self.enter()?;
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: the stream lives as long as this.
        unsafe { result::stream::begin_capture(self.stream, mode) }.doing("recording a step")
    }

    fn recorded(&mut self) -> Result<Box<dyn Recording>, DeviceError> {
        self.enter()?;
        // SAFETY: the stream is recording; the graph is only needed to make the executable one.
        unsafe {
            let graph = result::stream::end_capture(self.stream).doing("recording a step")?;
            if graph.is_null() {
                return Err(failed("recording a step", "the recording was broken off"));
            }
            let flags = sys::CUgraphInstantiate_flags(0);
            let ready = result::graph::instantiate(graph, flags).doing("preparing a step");
            result::graph::destroy(graph).doing("recording a step")?;
            Ok(Box::new(Graph {
                ready: ready?,
                stream: self.stream,
            }))
        }
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        if self.enter().is_err() {
            return;
        }
        // SAFETY: nothing of this is used afterwards. Failures are those of a device that already failed.
        unsafe {
            let _ = result::stream::synchronize(self.stream);
            self.upload.release();
            for address in self.memory.drain(..) {
                let _ = result::free_sync(address);
            }
            self.workspace.release();
            self.blas.release();
            #[cfg(feature = "cudnn")]
            self.dnn.release();
            self.fetch.release();
            self.module.release();
            let _ = result::stream::destroy(self.stream);
            let _ = result::primary_ctx::release(self.device);
        }
    }
}

/// A recorded step, ready to be launched. Dropped before its driver, which its owner holds, too.
struct Graph {
    ready: sys::CUgraphExec,
    stream: sys::CUstream,
}

// SAFETY: as for `Gpu`.
unsafe impl Send for Graph {}

impl Recording for Graph {
    fn replay(&self, _driver: &mut dyn Driver) -> Result<(), DeviceError> {
        // SAFETY: graph and stream are alive; the context is current, as uploads came before.
        unsafe { result::graph::launch(self.ready, self.stream) }.doing("repeating a step")
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: not used afterwards.
        let _ = unsafe { result::graph::exec_destroy(self.ready) };
    }
}
