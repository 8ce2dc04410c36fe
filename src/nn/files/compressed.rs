//! Dumps that joblib compressed: a pickle inside zlib, gzip, bzip2, xz or lzma.

use std::io::Read;

use bzip2::read::BzDecoder;
use flate2::read::{GzDecoder, ZlibDecoder};
use lzma_rust2::{LzmaReader, XzReader};

use super::Problem;
use super::kind::{Compression, is_pickle};

/// What tensors that were worth storing are compressed to, at most: far less than a bomb's.
const LARGEST_RATIO: u64 = 100;
/// Small files of zeros may be compressed further.
const ALWAYS_ALLOWED_BYTES: u64 = 64 << 20;
/// What tells a pickle.
const PICKLE_HEAD_BYTES: u64 = 2;
/// Dictionary of an xz or lzma stream at most, in KiB: the largest that presets ask for is 64 MiB.
const LARGEST_DICTIONARY_KIB: u32 = 1 << 17;

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

/// The pickle inside. Nothing is kept of a stream that turns out to hold something else, or far more than a
/// file of its size can.
pub(super) fn unpacked(how: Compression, packed: &[u8]) -> Result<Vec<u8>, Problem> {
    let mut stream: Box<dyn Read + '_> = match how {
        Compression::Zlib => Box::new(ZlibDecoder::new(packed)),
        Compression::Gzip => Box::new(GzDecoder::new(packed)),
        Compression::Bzip2 => Box::new(BzDecoder::new(packed)),
        Compression::Xz => Box::new(XzReader::new_mem_limit(
            packed,
            true,
            LARGEST_DICTIONARY_KIB,
        )),
        Compression::Lzma => Box::new(
            LzmaReader::new_mem_limit(packed, LARGEST_DICTIONARY_KIB, None)
                .map_err(|e| damaged(how, &e))?,
        ),
    };
    let mut bytes = Vec::new();
    let mut read = |most: u64, bytes: &mut Vec<u8>| -> Result<(), Problem> {
        let part = stream.by_ref().take(most).read_to_end(bytes);
        part.map(drop).map_err(|e| damaged(how, &e))
    };
    read(PICKLE_HEAD_BYTES, &mut bytes)?;
    if !is_pickle(&bytes) {
        return Err(Problem::Foreign {
            what: how.archive(),
            advice: "unpack it first",
        });
    }
    let most = (packed.len() as u64 * LARGEST_RATIO).max(ALWAYS_ALLOWED_BYTES);
    read(most, &mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(Problem::TooMuch);
    }
    Ok(bytes)
}

fn damaged(how: Compression, error: &std::io::Error) -> Problem {
    Problem::damaged(format!("{}: {error}", how.archive()))
}
