//! Where networks run, and in which precision.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::OnceLock;

use super::cuda;

/// A device that networks run on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Device {
    #[default]
    Cpu,
    /// NVIDIA's GPU of this number.
    Cuda(usize),
}

impl Device {
    /// The first GPU, if networks can run on it; else the CPU.
    #[must_use]
    pub fn auto() -> Self {
        if cuda::usable() {
            Self::Cuda(0)
        } else {
            Self::Cpu
        }
    }

    /// Whether the device is there.
    ///
    /// # Errors
    /// [`DeviceError::NoSuchDevice`] with those that are, or why there is no GPU at all.
    pub fn check(self) -> Result<(), DeviceError> {
        let Self::Cuda(number) = self else {
            return Ok(());
        };
        let names = cuda::names()?;
        if number < names.len() {
            return Ok(());
        }
        let gpus = names.iter().enumerate();
        let gpus = gpus.map(|(i, name)| format!("{} {name}", Self::Cuda(i)));
        Err(DeviceError::NoSuchDevice {
            asked: self,
            there: std::iter::once(Self::Cpu.to_string()).chain(gpus).collect(),
        })
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(n) => write!(f, "cuda:{n}"),
        }
    }
}

/// A word that names no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is no device: give auto, cpu or cuda:N", crate::text::Shown::new(.0))]
pub struct UnknownDevice(pub String);

impl FromStr for Device {
    type Err = UnknownDevice;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let number = |n: &str| n.parse().ok();
        match word {
            "cpu" => Some(Self::Cpu),
            "cuda" => Some(Self::Cuda(0)),
            _ => word.strip_prefix("cuda:").and_then(number).map(Self::Cuda),
        }
        .ok_or_else(|| UnknownDevice(word.to_owned()))
    }
}

/// How activations are stored. Parameters, statistics and sums are 32-bit floats in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    #[default]
    F32,
    /// bfloat16: a float's upper half. GPUs only.
    Bf16,
}

impl Precision {
    /// Bytes of a value.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 => 2,
        }
    }

    /// Its word on the command line and in kernels' names.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A word that names no precision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" is no type of numbers here: give f32 or bf16", crate::text::Shown::new(.0))]
pub struct UnknownPrecision(pub String);

impl FromStr for Precision {
    type Err = UnknownPrecision;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let all = [Self::F32, Self::Bf16];
        let found = all.into_iter().find(|p| p.word() == word);
        found.ok_or_else(|| UnknownPrecision(word.to_owned()))
    }
}

/// Where and how a network runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    pub device: Device,
    pub precision: Precision,
}

impl Placement {
    /// A device with a precision that it computes in.
    ///
    /// # Errors
    /// [`DeviceError::CpuPrecision`].
    pub const fn new(device: Device, precision: Precision) -> Result<Self, DeviceError> {
        match (device, precision) {
            (Device::Cpu, Precision::Bf16) => Err(DeviceError::CpuPrecision),
            _ => Ok(Self { device, precision }),
        }
    }
}

/// What can go wrong with a device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    #[error("there is no device {asked}; there are: {}", .there.join(", "))]
    NoSuchDevice { asked: Device, there: Vec<String> },
    #[error(
        "this hyperscope was built without CUDA, so it computes on the CPU only; docs/cuda.md says how to build it with CUDA"
    )]
    NotBuilt,
    /// There are no compiled kernels in the program.
    #[error(
        "this hyperscope was built with the feature `cuda`, but without nvcc, so it holds no GPU kernels; build it with scripts/build-cuda.sh"
    )]
    NoKernels,
    #[error("there is no NVIDIA driver on this machine (libcuda.so.1), so --device takes cpu")]
    NoDriver,
    #[error(
        "the NVIDIA driver is too old: it offers CUDA {has}, and this hyperscope needs CUDA {needs}; update the driver"
    )]
    DriverTooOld { has: String, needs: String },
    #[error(
        "the library {name} is missing; looked in {}; install it (pip install {package}) or point to its folder with --cuda-libs FOLDER or LD_LIBRARY_PATH",
        .looked.join(", ")
    )]
    NoLibrary {
        name: String,
        /// The Python package that brings it.
        package: &'static str,
        looked: Vec<String>,
    },
    #[error("bf16 is for GPUs; the CPU computes in f32")]
    CpuPrecision,
    #[error("the device is out of memory: {bytes} bytes more were asked for")]
    OutOfMemory { bytes: usize },
    #[error("{doing} on the device: {reason}")]
    Failed { doing: String, reason: String },
}

/// The folder that the user names for NVIDIA's libraries.
static NAMED_FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// Looks for NVIDIA's libraries in a folder before anywhere else. Only the first call counts.
pub fn look_for_libraries_in(folder: &Path) {
    let _ = NAMED_FOLDER.set(folder.to_owned());
}

/// What [`look_for_libraries_in`] was told.
#[cfg_attr(
    not(feature = "cuda"),
    expect(dead_code, reason = "only GPUs need libraries")
)]
pub(super) fn named_folder() -> Option<&'static Path> {
    NAMED_FOLDER.get().map(PathBuf::as_path)
}
