//! Parameters in files: safetensors in and out, what `torch.save` writes, read without Python, and ONNX;
//! a matrix for NumPy.
//!
//! What kind of file it is follows from its first bytes, never from its name. Lengths in a file are
//! checked against the file's size before anything is allocated for them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::Path;

use serde_json::Value as Json;

use super::StateDict;
use super::pickle::Input;

mod aside;
mod checkpoint;
mod compressed;
mod element;
mod error;
mod kind;
mod legacy;
mod npy;
mod onnx;
mod onnx_write;
mod safetensors;
mod search;
mod storages;
mod strided;
mod zip;

pub use aside::write_aside;
pub use error::{FileError, Problem};
pub use npy::write_npy;
pub use onnx::onnx_state;
pub use onnx_write::{Written, write_onnx};
pub use safetensors::{write_half_safetensors, write_safetensors};

use kind::Kind;

/// What a file held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// Named tensors in the file's order, without a `module.` in front of every name.
    pub tensors: StateDict,
    /// The checkpoint's `config` (or `args`), or the JSON text under safetensors' metadata `config`.
    pub config: Option<Json>,
    /// The checkpoint's `epoch`.
    pub epoch: Option<i64>,
    /// safetensors' own free text.
    pub metadata: BTreeMap<String, String>,
}

/// Reads named tensors from a safetensors file, a checkpoint of PyTorch (a state dict, or a
/// dictionary that holds one under `state_dict`, `model` or a like name), or the network in an ONNX file.
///
/// Floating point becomes 32-bit, whole numbers and booleans 64-bit integers.
///
/// # Errors
/// [`FileError`] if the file cannot be read, is of another kind, is damaged, or wants to run code.
pub fn read_state(path: impl AsRef<Path>) -> Result<Loaded, FileError> {
    let path = path.as_ref();
    read(path).map_err(|problem| FileError::Read {
        path: path.to_owned(),
        problem: Box::new(problem),
    })
}

/// The same from a file's content; what an ONNX model keeps in other files is not looked for.
///
/// # Errors
/// [`Problem`], as in [`read_state`].
pub fn read_content(content: &[u8]) -> Result<Loaded, Problem> {
    of_kind(Cursor::new(content), content.len() as u64, None)
}

fn read(path: &Path) -> Result<Loaded, Problem> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    if about.is_dir() {
        return Err(Problem::Folder);
    }
    of_kind(file, about.len(), Some(path))
}

/// Reads a file of `length` bytes as what it is.
fn of_kind(
    mut file: impl Read + Seek,
    length: u64,
    path: Option<&Path>,
) -> Result<Loaded, Problem> {
    match Kind::of(&mut file, length)? {
        Kind::Safetensors => safetensors::read(file, length),
        Kind::Zip => zip::read(file, length),
        Kind::LegacyTorch => {
            legacy::read_stream(&mut Input::new(&mut BufReader::new(file), length))
        }
        Kind::Pickle => legacy::read_pickle(&mut Input::new(&mut BufReader::new(file), length)),
        Kind::Compressed(how) => compressed::read(how, BufReader::new(file), length),
        Kind::Onnx => onnx::read(everything(file, length)?, path),
    }
}

/// The whole file in memory.
fn everything(file: impl Read, length: u64) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let size = usize::try_from(length).map_err(|_| Problem::TooMuch)?;
    bytes
        .try_reserve_exact(size)
        .map_err(|_| Problem::TooMuch)?;
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
