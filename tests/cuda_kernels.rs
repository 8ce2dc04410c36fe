//! The CUDA kernels on the processor: the same sources, compiled as plain C++ against a small shim, against
//! plain loops (`tests/cuda/`). No GPU and no CUDA compiler are needed, only `g++`.

#![cfg(target_os = "linux")]

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output};

/// `CXX` if it is set.
fn compiler() -> OsString {
    std::env::var_os("CXX").unwrap_or_else(|| "g++".into())
}

fn compile(compiler: &OsString, program: &Path) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    Command::new(compiler)
        .args(["-std=c++17", "-O1", "-w"])
        // Packs of values are moved as one; fibres jump between stacks.
        .args(["-fno-strict-aliasing", "-U_FORTIFY_SOURCE"])
        .args(["-fsanitize=alignment", "-fsanitize-undefined-trap-on-error"])
        .arg("-I")
        .arg(root.join("src/nn/cuda/kernels"))
        .arg(root.join("tests/cuda/main.cpp"))
        .arg("-o")
        .arg(program)
        .output()
        .expect("the compiler starts")
}

#[test]
fn cuda_kernels_compute_what_plain_loops_compute() {
    let compiler = compiler();
    if Command::new(&compiler).arg("--version").output().is_err() {
        eprintln!(
            "skipped: there is no {} to compile the kernels with",
            compiler.display()
        );
        return;
    }
    let folder = tempfile::tempdir().expect("a folder to build in");
    let program = folder.path().join("cuda_kernels");
    let built = compile(&compiler, &program);
    let messages = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "it does not compile:\n{messages}");

    let run = Command::new(&program).output().expect("the program starts");
    let lines = String::from_utf8_lossy(&run.stdout);
    println!("{lines}");
    let failed: Vec<&str> = lines.lines().filter(|l| l.starts_with("FAILED")).collect();
    assert!(
        run.status.success() && failed.is_empty(),
        "{}:\n{}",
        run.status,
        failed.join("\n")
    );
}
