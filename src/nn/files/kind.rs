//! Tells what a file is by its first bytes.

use std::io::{Read, Seek, SeekFrom};

use super::Problem;
use crate::nn::pickle::STREAM_MAGIC;

/// Files that can hold parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Safetensors,
    /// `torch.save` since 1.6.
    Zip,
    /// `torch.save` before 1.6: pickles, then raw storages.
    LegacyTorch,
    /// One pickle with the tensors inside, as joblib writes it.
    Pickle,
    /// The same, compressed.
    Compressed(Compression),
    /// A whole network.
    Onnx,
}

/// What joblib compresses with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Zlib,
    Gzip,
    Bzip2,
    Xz,
    Lzma,
}

/// How compressed files begin.
const COMPRESSED: &[(&[u8], Compression)] = &[
    (b"\x1f\x8b", Compression::Gzip),
    (b"BZh", Compression::Bzip2),
    (b"\xfd7zXZ\0", Compression::Xz),
    (b"\x5d\0\0", Compression::Lzma),
    (b"\x78\x01", Compression::Zlib),
    (b"\x78\x5e", Compression::Zlib),
    (b"\x78\x9c", Compression::Zlib),
    (b"\x78\xda", Compression::Zlib),
];

/// How much of the beginning is looked at.
const LOOKED_AT: u64 = 512;

const FETCH: &str = "open the address in a browser or fetch it with a tool that follows redirects";
const UNPACK: &str = "unpack it first";
const CONVERT: &str = "convert it to safetensors, or save it with torch.save";

/// Kinds that are often met by mistake: how they begin, what they are, what to do.
const FOREIGN: &[(&[u8], &str, &str)] = &[
    (
        b"version https://git-lfs",
        "a Git LFS pointer",
        "run `git lfs pull` where it came from",
    ),
    (b"\x28\xb5\x2f\xfd", "a zstandard archive", UNPACK),
    (b"GGUF", "a GGUF file", CONVERT),
    (b"\x89HDF\r\n", "an HDF5 file", CONVERT),
    (b"\x93NUMPY", "a NumPy array", CONVERT),
    (
        b"PAR1",
        "a Parquet file",
        "give it as --data, if it holds images",
    ),
    (b"\x89PNG", "a picture", "give a file of parameters"),
    (b"\xff\xd8\xff", "a picture", "give a file of parameters"),
    (b"%PDF", "a PDF", "give a file of parameters"),
    (b"\x7fELF", "a program", "give a file of parameters"),
];

impl Kind {
    /// Looks at the beginning of `file`, of `length` bytes, and goes back to its start.
    pub fn of(file: &mut (impl Read + Seek), length: u64) -> Result<Self, Problem> {
        let mut head = Vec::new();
        file.by_ref().take(LOOKED_AT).read_to_end(&mut head)?;
        file.seek(SeekFrom::Start(0))?;
        Self::of_head(&head, length)
    }

    fn of_head(head: &[u8], length: u64) -> Result<Self, Problem> {
        if head.is_empty() {
            return Err(Problem::Empty);
        }
        if head.starts_with(b"PK\x03\x04") {
            return Ok(Self::Zip);
        }
        if head.starts_with(STREAM_MAGIC) {
            return Ok(Self::LegacyTorch);
        }
        // Before all signatures: a header's length may have the bytes of one of them.
        if is_safetensors(head, length) {
            return Ok(Self::Safetensors);
        }
        if is_pickle(head) {
            return Ok(Self::Pickle);
        }
        if is_onnx(head) {
            return Ok(Self::Onnx);
        }
        let compressed = COMPRESSED.iter().find(|(magic, _)| head.starts_with(magic));
        match compressed {
            Some((_, compression)) => Ok(Self::Compressed(*compression)),
            None => Err(foreign(head, length)),
        }
    }
}

/// Whether it begins like a pickle of protocol 2 or later.
pub(super) fn is_pickle(head: &[u8]) -> bool {
    head.starts_with(&[0x80]) && head.get(1).is_some_and(|p| (2..=5).contains(p))
}

/// Eight bytes of header length, then a JSON object.
fn is_safetensors(head: &[u8], length: u64) -> bool {
    let Some((size, rest)) = head.split_first_chunk::<8>() else {
        return false;
    };
    let size = u64::from_le_bytes(*size);
    // A header that is longer than the file is still a header if it looks like one: cut short.
    rest.first() == Some(&b'{') && (size < length || rest.get(1) == Some(&b'"'))
}

/// A small version number, then one of the fields that follow it in an ONNX model.
fn is_onnx(head: &[u8]) -> bool {
    const VERSION: u8 = 1 << 3;
    let field = |number: u8, wire: u8| number << 3 | wire;
    match head {
        [VERSION, 1..=32, next, ..] => {
            (2..=14).any(|n| *next == field(n, 2)) || *next == field(5, 0)
        }
        _ => false,
    }
}

fn foreign(head: &[u8], length: u64) -> Problem {
    if let Some((_, what, advice)) = FOREIGN.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Problem::Foreign { what, advice };
    }
    let text = String::from_utf8_lossy(head).trim_start().to_lowercase();
    if text.starts_with("<!doctype html") || text.starts_with("<html") {
        return Problem::Foreign {
            what: "an HTML page",
            advice: FETCH,
        };
    }
    if text.starts_with("<?xml") {
        return Problem::Foreign {
            what: "an XML page, perhaps an error message of a server",
            advice: FETCH,
        };
    }
    if text.starts_with(['{', '[']) {
        return Problem::Foreign {
            what: "JSON text",
            advice: "give the file of parameters that lies beside it",
        };
    }
    if length < 16 {
        return Problem::damaged(format!("it has only {length} bytes"));
    }
    Problem::Foreign {
        what: "a file of an unknown kind",
        advice: "files of safetensors, torch.save and ONNX can be read",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(head: &[u8]) -> String {
        match Kind::of_head(head, head.len() as u64) {
            Ok(kind) => format!("{kind:?}"),
            Err(problem) => problem.to_string(),
        }
    }

    #[test]
    fn files_that_are_no_parameters_are_called_by_their_name() {
        assert!(said(b"").contains("empty"));
        assert!(said(b"\n<!DOCTYPE HTML><title>Sign in").contains("an HTML page"));
        assert!(said(b"version https://git-lfs.github.com/spec/v1\noid").contains("git lfs pull"));
        assert!(said(b"\x89HDF\r\n\x1a\n").contains("HDF5"));
        assert!(said(b"{\"hid\": 32}").contains("JSON"));
        assert!(said(b"abc").contains("3 bytes"));
        assert!(said(&[7; 40]).contains("unknown kind"));
    }

    #[test]
    fn kinds_follow_from_the_first_bytes() {
        assert_eq!(said(b"PK\x03\x04...."), "Zip");
        assert_eq!(said(STREAM_MAGIC), "LegacyTorch");
        assert_eq!(said(b"\x80\x04\x95abc"), "Pickle");
        assert_eq!(said(b"\x08\x07\x12\x07pytorch"), "Onnx");
        assert_eq!(said(b"\x02\0\0\0\0\0\0\0{}"), "Safetensors");
        // A header of 0x8b1f bytes begins like gzip.
        assert_eq!(said(b"\x1f\x8b\0\0\0\0\0\0{\"a\":"), "Safetensors");
    }
}
