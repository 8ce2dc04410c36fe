//! The project's own kernels, loaded into a context.

use std::collections::HashMap;
use std::ffi::CString;

use cudarc::driver::{result, sys};

use super::error::{Outcome, failed};
use crate::nn::cuda::argument::Argument;
use crate::nn::cuda::driver::Launch;
use crate::nn::device::DeviceError;

/// What build.rs compiled; empty if there was no compiler.
pub const FATBIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kernels.fatbin"));

pub struct Module {
    module: sys::CUmodule,
    functions: HashMap<String, sys::CUfunction>,
}

impl Module {
    pub fn load() -> Result<Self, DeviceError> {
        // SAFETY: the bytes are a whole fatbin, which says where it ends.
        let module = unsafe { result::module::load_data(FATBIN.as_ptr().cast()) };
        Ok(Self {
            module: module.doing("loading the GPU kernels")?,
            functions: HashMap::new(),
        })
    }

    fn function(&mut self, name: &str) -> Result<sys::CUfunction, DeviceError> {
        if let Some(function) = self.functions.get(name) {
            return Ok(*function);
        }
        let doing = format!("looking for the kernel {name}");
        let text = CString::new(name).map_err(|e| failed(&doing, e.to_string()))?;
        // SAFETY: the module is loaded.
        let function = unsafe { result::module::get_function(self.module, text) }.doing(&doing)?;
        self.functions.insert(name.to_owned(), function);
        Ok(function)
    }

    pub fn launch(
        &mut self,
        launch: &Launch<'_>,
        stream: sys::CUstream,
    ) -> Result<(), DeviceError> {
        let function = self.function(launch.kernel)?;
        let arguments = launch.arguments.iter();
        let mut pointers: Vec<_> = arguments.map(|a| Argument::pointer(a).cast_mut()).collect();
        let [x, y, z] = launch.grid;
        // SAFETY: the arguments are those that the kernel takes: tests run every layer with an emulated
        // device that checks their number and sizes.
        let launched = unsafe {
            result::launch_kernel(
                function,
                (x, y, z),
                (launch.block, 1, 1),
                0,
                stream,
                &mut pointers,
            )
        };
        launched.doing(&format!("launching {}", launch.kernel))
    }

    /// # Safety
    /// Nothing may be launched afterwards.
    pub unsafe fn release(&mut self) {
        // SAFETY: the caller's promise. A failure is that of a device that already failed.
        let _ = unsafe { result::module::unload(self.module) };
    }
}
