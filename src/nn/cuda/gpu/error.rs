//! Errors of NVIDIA's libraries in words.

use cudarc::cublaslt::result::CublasError;
use cudarc::driver::DriverError;
use cudarc::driver::sys::CUresult;

use crate::nn::device::DeviceError;

/// A failure of something.
pub fn failed(doing: &str, reason: impl Into<String>) -> DeviceError {
    DeviceError::Failed {
        doing: doing.to_owned(),
        reason: reason.into(),
    }
}

/// A failure to allocate memory.
pub fn of_memory(error: DriverError, bytes: usize) -> DeviceError {
    if error.0 == CUresult::CUDA_ERROR_OUT_OF_MEMORY {
        return DeviceError::OutOfMemory { bytes };
    }
    failed("allocating memory", in_words(error))
}

/// What came of a call, with what was being done.
pub trait Outcome<T> {
    fn doing(self, doing: &str) -> Result<T, DeviceError>;
}

impl<T> Outcome<T> for Result<T, DriverError> {
    fn doing(self, doing: &str) -> Result<T, DeviceError> {
        self.map_err(|e| failed(doing, in_words(e)))
    }
}

impl<T> Outcome<T> for Result<T, CublasError> {
    fn doing(self, doing: &str) -> Result<T, DeviceError> {
        self.map_err(|e| failed(doing, format!("cuBLASLt: {e}")))
    }
}

#[cfg(feature = "cudnn")]
impl<T> Outcome<T> for Result<T, cudarc::cudnn::CudnnError> {
    fn doing(self, doing: &str) -> Result<T, DeviceError> {
        self.map_err(|e| failed(doing, format!("cuDNN: {:?}", e.0)))
    }
}

fn in_words(error: DriverError) -> String {
    let words = error.error_string().ok();
    words.map_or_else(
        || format!("{:?}", error.0),
        |words| words.to_string_lossy().into_owned(),
    )
}
