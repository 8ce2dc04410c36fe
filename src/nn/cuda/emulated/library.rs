//! The kernels' sources as a library of this machine.

use std::ffi::{CString, OsString, c_char, c_int, c_uint, c_void};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};

use crate::nn::cuda::argument::Argument;
use crate::nn::device::DeviceError;

/// `emulate` of shim/library.h.
type Emulate = unsafe extern "C" fn(
    *const c_char,
    *const c_uint,
    c_uint,
    *const *const c_void,
    *const usize,
    usize,
) -> c_int;

/// The library, whose threads of kernels are fibres of one thread: one launch at a time.
pub struct Library {
    emulate: Mutex<libloading::Symbol<'static, Emulate>>,
}

impl Library {
    /// Built once for all tests of a process; none without a compiler.
    pub fn get() -> Option<&'static Self> {
        static LIBRARY: LazyLock<Option<Library>> = LazyLock::new(Library::build);
        LIBRARY.as_ref()
    }

    fn build() -> Option<Self> {
        let compiler = std::env::var_os("CXX").unwrap_or_else(|| "g++".into());
        if Command::new(&compiler).arg("--version").output().is_err() {
            eprintln!(
                "there is no {} to build the kernels with",
                compiler.display()
            );
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder to build in");
        let file = compile(&compiler, folder.path());
        // SAFETY: built just now from this project's sources, which do nothing when loaded. It stays
        // loaded to the end.
        let library = unsafe { libloading::Library::new(&file) }.expect("a library");
        let library: &'static libloading::Library = Box::leak(Box::new(library));
        // SAFETY: the type is that of `emulate` in shim/library.h.
        let emulate = unsafe { library.get(b"emulate") }.expect("its only function");
        Some(Self {
            emulate: Mutex::new(emulate),
        })
    }

    /// Runs a kernel to its end.
    pub fn launch(
        &self,
        kernel: &str,
        grid: [u32; 3],
        block: u32,
        arguments: &[Argument],
    ) -> Result<(), DeviceError> {
        let name = CString::new(kernel).expect("a name");
        let pointers: Vec<*const c_void> = arguments.iter().map(Argument::pointer).collect();
        let sizes: Vec<usize> = arguments.iter().map(Argument::bytes).collect();
        let emulate = self.emulate.lock().unwrap_or_else(|e| e.into_inner());
        // SAFETY: the pointers lead to the arguments' values, as many as the sizes say; the addresses
        // among them are of memory that the emulated device holds.
        let code = unsafe {
            emulate(
                name.as_ptr(),
                grid.as_ptr(),
                block,
                pointers.as_ptr(),
                sizes.as_ptr(),
                sizes.len(),
            )
        };
        let reason = match code {
            0 => return Ok(()),
            1 => "there is no such kernel",
            _ => "it takes other arguments",
        };
        Err(DeviceError::Failed {
            doing: format!("launching {kernel}"),
            reason: reason.to_owned(),
        })
    }
}

fn kernels() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/nn/cuda/kernels")
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().expect("the compiler starts");
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "it does not compile:\n{messages}");
    output.stdout
}

fn compile(compiler: &OsString, folder: &Path) -> PathBuf {
    let flags = [
        "-std=c++17",
        "-O1",
        "-w",
        "-fno-strict-aliasing",
        "-U_FORTIFY_SOURCE",
    ];
    let expanded = run(Command::new(compiler)
        .args(flags)
        .args(["-E", "-P", "-x", "c++"])
        .arg(kernels().join("kernels.cu")));
    let source = folder.join("library.cpp");
    std::fs::write(&source, listed(&String::from_utf8_lossy(&expanded))).expect("room for a file");
    let library = folder.join("libkernels.so");
    run(Command::new(compiler)
        .args(flags)
        .args(["-shared", "-fPIC", "-I"])
        .arg(kernels())
        .arg(&source)
        .arg("-o")
        .arg(&library));
    library
}

/// A source that lists all kernels, from the preprocessor's output.
fn listed(expanded: &str) -> String {
    let mut source = "#include \"kernels.cu\"\n#include \"shim/library.h\"\n\
        using namespace for_f32;\nusing namespace for_bf16;\n\
        const std::vector<shim::Entry>& kernel_entries() {\n\
        static const std::vector<shim::Entry> entries = {\n"
        .to_owned();
    for after in expanded.split("extern \"C\"").skip(1) {
        let Some((head, _)) = after.split_once('(') else {
            continue;
        };
        let mut words = head.split_whitespace();
        if let (Some("void"), Some(name), None) = (words.next(), words.next(), words.next())
            && after.contains('{')
        {
            writeln!(source, "ENTRY({name}),").expect("a string");
        }
    }
    source + "};\nreturn entries;\n}\n"
}
