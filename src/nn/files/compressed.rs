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
    let mut bytes = vec![0; 2];
    let mut begun = 0;
    while begun < bytes.len() {
        match stream
            .read(&mut bytes[begun..])
            .map_err(|e| damaged(how, &e))?
        {
            0 => break,
            n => begun += n,
        }
    }
    if !is_pickle(&bytes[..begun]) {
        return Err(Problem::Foreign {
            what: how.archive(),
            advice: "unpack it first",
        });
    }
    let most = (packed.len() as u64 * LARGEST_RATIO).max(ALWAYS_ALLOWED_BYTES);
    stream
        .by_ref()
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(|e| damaged(how, &e))?;
    if bytes.len() as u64 > most {
        return Err(Problem::TooMuch);
    }
    Ok(bytes)
}

fn damaged(how: Compression, error: &std::io::Error) -> Problem {
    Problem::damaged(format!("{}: {error}", how.archive()))
}
