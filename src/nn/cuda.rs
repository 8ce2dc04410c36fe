//! The executor on a GPU: the same plan as on the processor, with kernels of its own, NVIDIA's matrix
//! products and convolutions, and everything a training step needs in device memory.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `driver`, `argument`, `grid` | what is asked of a device, and how kernels are launched |
//! | `memory`, `tensors` | buffers that are used again; parameters, gradients, moments |
//! | `layer` | one file per op: forward and backward as launches |
//! | `executor`, `tape`, `update` | a batch forward and back; the optimiser |
//! | `gpu` | the driver that works on a GPU |
//! | `kernels` | the kernels' sources |
//! | `emulated` | in tests: a driver that runs the kernels' sources on the processor |

mod argument;
mod driver;
mod executor;
#[cfg(feature = "cuda")]
mod gpu;
mod grid;
pub mod layer;
mod memory;
mod tape;
mod tensors;
mod update;

#[cfg(test)]
mod emulated;
#[cfg(test)]
mod tests;

pub use executor::Executor;
pub use layer::Layer;

use super::device::DeviceError;
use driver::Driver;

/// The GPU of this number.
///
/// # Errors
/// [`DeviceError`]: no such GPU, or something that it needs is missing.
#[cfg(feature = "cuda")]
pub fn open(number: usize) -> Result<Box<dyn Driver>, DeviceError> {
    Ok(Box::new(gpu::Gpu::open(number)?))
}

/// There are no GPUs for a build without CUDA.
///
/// # Errors
/// [`DeviceError::NotBuilt`].
#[cfg(not(feature = "cuda"))]
pub fn open(_number: usize) -> Result<Box<dyn Driver>, DeviceError> {
    Err(DeviceError::NotBuilt)
}

/// The names of the GPUs at hand, in order.
///
/// # Errors
/// If there is no driver, or none that will do.
#[cfg(feature = "cuda")]
pub fn names() -> Result<Vec<String>, DeviceError> {
    gpu::names()
}

/// None.
///
/// # Errors
/// [`DeviceError::NotBuilt`].
#[cfg(not(feature = "cuda"))]
pub const fn names() -> Result<Vec<String>, DeviceError> {
    Err(DeviceError::NotBuilt)
}
