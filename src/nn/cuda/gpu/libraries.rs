//! Finding NVIDIA's libraries.
//!
//! A library is looked for in the folder that the user names, then where the system looks
//! (`LD_LIBRARY_PATH` included), then among Python's packages: `$VIRTUAL_ENV`, and wherever `python3` has
//! its `nvidia` packages. It is loaded by its full path and stays; `cudarc`, which asks for it by name, then
//! finds the one that is there.

use std::path::{Path, PathBuf};
use std::process::Command;

use cudarc::driver::sys;
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

use super::error::failed;
use crate::nn::device::{DeviceError, named_folder};

/// A library, where Python's packages have it, and which package brings it.
struct Wanted {
    name: &'static str,
    /// Below the folder `nvidia`.
    folder: &'static str,
    package: &'static str,
    needed: bool,
}

/// In the order of loading: each before those that ask for it.
const COMPUTE: [Wanted; 5] = [
    Wanted::helper("libnvJitLink.so.13"),
    Wanted::helper("libnvrtc.so.13"),
    Wanted {
        name: "libcublasLt.so.13",
        folder: "cu13/lib",
        package: "nvidia-cublas",
        needed: true,
    },
    Wanted::helper("libcublas.so.13"),
    Wanted {
        name: "libcudnn.so.9",
        folder: "cudnn/lib",
        package: "nvidia-cudnn-cu13",
        needed: cfg!(feature = "cudnn"),
    },
];

impl Wanted {
    /// A library that others do without, if need be.
    const fn helper(name: &'static str) -> Self {
        Self {
            name,
            folder: "cu13/lib",
            package: "",
            needed: false,
        }
    }
}

/// Makes sure that there is a driver, and that it is new enough.
pub fn driver(needed: i32) -> Result<(), DeviceError> {
    // SAFETY: only tries to load the driver's library.
    if !unsafe { sys::is_culib_present() } {
        return Err(DeviceError::NoDriver);
    }
    let mut has = 0;
    // SAFETY: the library is there, and writes one number.
    let answer = unsafe { sys::cuDriverGetVersion(&raw mut has) };
    answer
        .result()
        .map_err(|e| failed("asking for the driver's version", format!("{:?}", e.0)))?;
    if has < needed {
        let version = |n: i32| format!("{}.{}", n / 1000, n % 1000 / 10);
        return Err(DeviceError::DriverTooOld {
            has: version(has),
            needs: version(needed),
        });
    }
    Ok(())
}

/// Loads the libraries for matrix products and convolutions.
pub fn compute() -> Result<(), DeviceError> {
    let mut packages = None;
    for wanted in &COMPUTE {
        load(wanted, &mut packages)?;
    }
    Ok(())
}

fn load(wanted: &Wanted, packages: &mut Option<Vec<PathBuf>>) -> Result<(), DeviceError> {
    let mut looked = Vec::new();
    if let Some(folder) = named_folder() {
        if open(&folder.join(wanted.name)) {
            return Ok(());
        }
        looked.push(folder.display().to_string());
    }
    if open(Path::new(wanted.name)) {
        return Ok(());
    }
    looked.push("the system's folders and LD_LIBRARY_PATH".to_owned());
    for nvidia in packages.get_or_insert_with(python_packages) {
        let folder = nvidia.join(wanted.folder);
        if open(&folder.join(wanted.name)) {
            return Ok(());
        }
        looked.push(folder.display().to_string());
    }
    if wanted.needed {
        return Err(DeviceError::NoLibrary {
            name: wanted.name.to_owned(),
            package: wanted.package,
            looked,
        });
    }
    Ok(())
}

/// Loads a library for good, with its symbols visible to those that are loaded later.
fn open(path: &Path) -> bool {
    // SAFETY: NVIDIA's libraries may be loaded at any time from any thread.
    match unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) } {
        Ok(library) => {
            std::mem::forget(library);
            true
        }
        Err(_) => false,
    }
}

/// The folders `nvidia` of Python environments.
fn python_packages() -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Some(home) = std::env::var_os("VIRTUAL_ENV") {
        let versions = Path::new(&home).join("lib").read_dir();
        for version in versions.into_iter().flatten().flatten() {
            found.push(version.path().join("site-packages/nvidia"));
        }
    }
    let script = "import nvidia; print('\\n'.join(nvidia.__path__))";
    if let Ok(output) = Command::new("python3").args(["-c", script]).output() {
        let text = String::from_utf8_lossy(&output.stdout);
        found.extend(text.lines().map(PathBuf::from));
    }
    found.retain(|folder| folder.is_dir());
    found
}
