//! Compiles the CUDA kernels, if the feature `cuda` asks for them, into one file that the program holds.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const KERNELS: &str = "src/nn/cuda/kernels";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    println!("cargo:rerun-if-changed={KERNELS}");
    println!("cargo:rerun-if-env-changed=HYPERSCOPE_NVCC");
    println!("cargo:rerun-if-env-changed=CUDA_HOME");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let fatbin = out.join("kernels.fatbin");
    match nvcc() {
        Some(nvcc) => compile(&nvcc, &fatbin),
        None => {
            // Enough to check and lint the code; the program says so when a GPU is asked for.
            println!(
                "cargo:warning=no nvcc (HYPERSCOPE_NVCC or CUDA_HOME): built without GPU kernels"
            );
            std::fs::write(&fatbin, []).expect("cargo's own folder");
        }
    }
}

fn nvcc() -> Option<PathBuf> {
    let named = env::var_os("HYPERSCOPE_NVCC").map(PathBuf::from);
    let home = env::var_os("CUDA_HOME").map(|home| Path::new(&home).join("bin/nvcc"));
    named.or_else(|| home.filter(|nvcc| nvcc.is_file()))
}

/// Native code for Hopper, and code that the driver finishes for anything from Ampere on.
fn compile(nvcc: &Path, to: &Path) {
    let status = Command::new(nvcc)
        .args(["-std=c++17", "--fatbin"])
        .args(["-gencode", "arch=compute_90,code=sm_90"])
        .args(["-gencode", "arch=compute_80,code=compute_80"])
        .arg(Path::new(KERNELS).join("kernels.cu"))
        .arg("-o")
        .arg(to)
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{} failed: {status}", nvcc.display()),
        Err(error) => panic!("cannot start {}: {error}", nvcc.display()),
    }
}
