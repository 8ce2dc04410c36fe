//! The executor on a GPU: the same plan as on the processor, with kernels of its own, NVIDIA's matrix
//! products and convolutions, and everything a training step needs in device memory.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `driver`, `argument`, `grid` | what is asked of a device, and how kernels are launched |
//! | `memory`, `tensors` | buffers that are used again; parameters, gradients, moments |
//! | `batch` | the batch that is worked on, and the one that waits for its step |
//! | `layer` | one file per op: forward and backward as launches |
//! | `executor`, `tape`, `update` | a batch forward and back; the optimiser |
//! | `arrays` | what other rooms compute on a device: plain arrays and operations |
//! | `gpu` | the driver that works on a GPU |
//! | `kernels` | the kernels' sources |
//! | `emulated` | in tests: a driver that runs the kernels' sources on the processor |

mod argument;
pub mod arrays;
mod batch;
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

#[cfg(feature = "cuda")]
mod at_hand {
    //! GPUs of a build with CUDA.

    use super::Driver;
    use super::gpu::{self, Gpu};
    use crate::nn::device::DeviceError;

    pub fn open(number: usize) -> Result<Box<dyn Driver>, DeviceError> {
        Ok(Box::new(Gpu::open(number)?))
    }

    pub use gpu::{names, usable};
}

#[cfg(not(feature = "cuda"))]
mod at_hand {
    //! There are no GPUs for a build without CUDA.

    use super::Driver;
    use crate::nn::device::DeviceError;

    pub fn open(_number: usize) -> Result<Box<dyn Driver>, DeviceError> {
        Err(DeviceError::NotBuilt)
    }

    pub fn names() -> Result<Vec<String>, DeviceError> {
        Err(DeviceError::NotBuilt)
    }

    pub fn usable() -> bool {
        false
    }
}

/// The GPU of this number.
///
/// # Errors
/// If there is none, or something that it needs is missing.
pub fn open(number: usize) -> Result<Box<dyn Driver>, DeviceError> {
    at_hand::open(number)
}

/// The names of the GPUs at hand, in order.
///
/// # Errors
/// If this build has no CUDA, or there is no driver that will do.
pub fn names() -> Result<Vec<String>, DeviceError> {
    at_hand::names()
}

/// Whether there is a GPU with all that is needed to run networks on it.
pub fn usable() -> bool {
    at_hand::usable()
}
