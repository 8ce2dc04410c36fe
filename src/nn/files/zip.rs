//! `torch.save` since 1.6: a zip archive with `data.pkl` and one entry per storage.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::ops::Range;

use zip::ZipArchive;
use zip::result::ZipError;

use super::checkpoint::{self, Storages};
use super::strided::Budget;
use super::{Loaded, Problem};
use crate::nn::pickle;

/// Largest `data.pkl` that is read; a state dict of a thousand tensors takes 100 kB.
const LARGEST_PICKLE: u64 = 32 << 20;

/// Largest small entry (`byteorder`).
const LARGEST_NOTE: u64 = 64;

/// Reads a checkpoint from an archive of `length` bytes.
pub(super) fn read(file: File, length: u64) -> Result<Loaded, Problem> {
    let mut archive = Archive::open(file)?;
    if let Some(order) = archive.small("byteorder")?
        && order != b"little"
    {
        return Err(Problem::Foreign {
            what: "a checkpoint with big-endian numbers",
            advice: "save it again on a little-endian machine",
        });
    }
    let bytes = archive.whole("data.pkl", LARGEST_PICKLE)?;
    let pickle = pickle::read(&bytes)?;
    checkpoint::load(&pickle, &mut archive, Budget::for_file(length))
}

struct Archive {
    zip: ZipArchive<BufReader<File>>,
    /// Folder that everything lies in, with its slash.
    folder: String,
}

impl Archive {
    fn open(file: File) -> Result<Self, Problem> {
        let zip = ZipArchive::new(BufReader::new(file)).map_err(bad_zip)?;
        let names: Vec<Cow<'_, str>> = zip.file_names().filter_map(Result::ok).collect();
        let pickle = names
            .iter()
            .find(|n| **n == "data.pkl" || n.ends_with("/data.pkl"));
        let Some(pickle) = pickle else {
            let is_numpy = names.iter().any(|n| n.ends_with(".npy"));
            return Err(Problem::Foreign {
                what: if is_numpy {
                    "an archive of NumPy arrays"
                } else {
                    "a zip archive without the data.pkl that torch.save writes"
                },
                advice: "unpack it and give the file of parameters",
            });
        };
        let folder = pickle.trim_end_matches("data.pkl").to_owned();
        if names.iter().any(|n| n.ends_with("/constants.pkl")) {
            return Err(Problem::Foreign {
                what: "a TorchScript program",
                advice: "load it in Python and save its state_dict()",
            });
        }
        Ok(Self { zip, folder })
    }

    /// A whole entry of at most `largest` bytes.
    fn whole(&mut self, name: &str, largest: u64) -> Result<Vec<u8>, Problem> {
        let size = self.size(name)?;
        if size > largest {
            return Err(Problem::TooMuch);
        }
        self.part(name, 0..size)
    }

    /// A small entry, if there is one.
    fn small(&mut self, name: &str) -> Result<Option<Vec<u8>>, Problem> {
        let name_inside = format!("{}{name}", self.folder);
        if self.zip.index_for_name(&name_inside).is_none() {
            return Ok(None);
        }
        self.whole(name, LARGEST_NOTE).map(Some)
    }

    fn size(&mut self, name: &str) -> Result<u64, Problem> {
        let name = format!("{}{name}", self.folder);
        let Some(index) = self.zip.index_for_name(&name) else {
            return Err(Problem::damaged(format!("its entry {name} is missing")));
        };
        let entry = self.zip.by_index_raw(index).map_err(bad_zip)?;
        if entry.compression() != zip::CompressionMethod::Stored || entry.encrypted() {
            return Err(Problem::Foreign {
                what: "a zip archive with compressed or encrypted entries",
                advice: "torch.save stores them plainly: unpack it, or save it again",
            });
        }
        Ok(entry.size())
    }

    /// Some bytes of an entry. The buffer grows with what is truly there.
    fn part(&mut self, name: &str, bytes: Range<u64>) -> Result<Vec<u8>, Problem> {
        let name = format!("{}{name}", self.folder);
        let mut entry = self.zip.by_name_seek(&name).map_err(bad_zip)?;
        entry.seek(SeekFrom::Start(bytes.start))?;
        let wanted = bytes.end - bytes.start;
        let mut part = Vec::new();
        entry.take(wanted).read_to_end(&mut part)?;
        if part.len() as u64 == wanted {
            Ok(part)
        } else {
            Err(Problem::damaged(format!("its entry {name} ends too early")))
        }
    }
}

impl Storages for Archive {
    fn size(&mut self, key: &str) -> Result<u64, Problem> {
        self.size(&format!("data/{key}"))
    }

    fn bytes(&mut self, key: &str, bytes: Range<u64>) -> Result<Cow<'_, [u8]>, Problem> {
        self.part(&format!("data/{key}"), bytes).map(Cow::Owned)
    }
}

fn bad_zip(error: ZipError) -> Problem {
    match error {
        ZipError::Io(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => Problem::Io(e),
        e => Problem::damaged(format!("it is no complete zip archive ({e})")),
    }
}
