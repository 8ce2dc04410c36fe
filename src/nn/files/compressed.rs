//! Dumps that joblib compressed: a pickle inside zlib, gzip, bzip2, xz or lzma, unpacked as it is read.

use std::io::{self, BufRead, BufReader, Error, ErrorKind, Read};

use bzip2::bufread::BzDecoder;
use flate2::bufread::{GzDecoder, ZlibDecoder};
use lzma_rust2::{LzmaReader, XzReader};

use super::kind::{Compression, is_pickle};
use super::{Loaded, Problem, legacy};
use crate::nn::pickle::Input;

/// What tensors that were worth storing are compressed to, at most: far less than a bomb's.
const LARGEST_RATIO: u64 = 100;
/// Small files of zeros may be compressed further.
const ALWAYS_ALLOWED_BYTES: u64 = 64 << 20;
/// Dictionary of an xz or lzma stream at most, in KiB: the largest that presets ask for is 64 MiB.
const LARGEST_DICTIONARY_KIB: u32 = 1 << 17;
/// Unpacked bytes that wait to be read.
const BUFFER_BYTES: usize = 1 << 16;

impl Compression {
    /// What a file is called that holds something else.
    const fn archive(self) -> &'static str {
        match self {
            Self::Zlib => "a zlib-compressed stream",
            Self::Gzip => "a gzip archive",
            Self::Bzip2 => "a bzip2 archive",
            Self::Xz => "an xz archive",
            Self::Lzma => "an lzma archive",
        }
    }
}

/// Reads a checkpoint from the pickle inside a compressed file of `length` bytes. Nothing is kept of a stream
/// that turns out to hold something else, or far more than a file of its size can.
pub(super) fn read(how: Compression, packed: impl BufRead, length: u64) -> Result<Loaded, Problem> {
    let stream: Box<dyn Read + '_> = match how {
        Compression::Zlib => Box::new(ZlibDecoder::new(packed)),
        Compression::Gzip => Box::new(GzDecoder::new(packed)),
        Compression::Bzip2 => Box::new(BzDecoder::new(packed)),
        Compression::Xz => Box::new(XzReader::new_mem_limit(
            packed,
            true,
            LARGEST_DICTIONARY_KIB,
        )),
        Compression::Lzma => {
            let stream = LzmaReader::new_mem_limit(packed, LARGEST_DICTIONARY_KIB, None);
            Box::new(stream.map_err(|e| damaged(how, &e))?)
        }
    };
    let most = length
        .saturating_mul(LARGEST_RATIO)
        .max(ALWAYS_ALLOWED_BYTES);
    let mut unpacked = BufReader::with_capacity(
        BUFFER_BYTES,
        Unpacked {
            stream,
            how,
            left: most,
        },
    );
    let mut head = [0; 2];
    let begun = unpacked.read_exact(&mut head);
    match begun {
        Ok(()) if is_pickle(&head) => {}
        Err(e) if e.kind() != ErrorKind::UnexpectedEof => return Err(e.into()),
        _ => {
            return Err(Problem::Foreign {
                what: how.archive(),
                advice: "unpack it first",
            });
        }
    }
    let mut whole = head.as_slice().chain(unpacked);
    // One more, so that what goes too far is refused and not cut off.
    legacy::read_pickle(&mut Input::new(&mut whole, most.saturating_add(1)))
}

/// The bytes inside, as far as a file of its size can be believed.
struct Unpacked<'p> {
    stream: Box<dyn Read + 'p>,
    how: Compression,
    left: u64,
}

impl Read for Unpacked<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(to).map_err(|e| damaged(self.how, &e))?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => return Err(ErrorKind::FileTooLarge.into()),
        }
        Ok(read)
    }
}

/// Errors of the disk stay what they are; the others are the decoder's.
fn damaged(how: Compression, error: &Error) -> Error {
    let what = format!("{}: {error}", how.archive());
    let kind = match error.raw_os_error() {
        Some(_) => error.kind(),
        None => ErrorKind::InvalidData,
    };
    Error::new(kind, what)
}
