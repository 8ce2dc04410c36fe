//! `torch.save` since 1.6: a zip archive with `data.pkl` and one entry per storage.

use std::borrow::Cow;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::rc::Rc;

use zip::ZipArchive;
use zip::result::ZipError;

use super::checkpoint;
use super::element::Element;
use super::storages::{About, Asked, Storages};
use super::strided::Budget;
use super::{Loaded, Problem};
use crate::nn::Values;
use crate::nn::pickle::{self, Input, Storage};

/// Largest `data.pkl` that is read; a state dict of a thousand tensors takes 100 kB.
const LARGEST_PICKLE: u64 = 32 << 20;

/// Largest small entry (`byteorder`).
const LARGEST_NOTE: u64 = 64;

/// Reads a checkpoint from an archive of `length` bytes.
pub(super) fn read(file: impl Read + Seek, length: u64) -> Result<Loaded, Problem> {
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
    let left = bytes.len() as u64;
    let pickle = pickle::read(&mut Input::new(&mut bytes.as_slice(), left))?;
    checkpoint::load(&pickle, &mut archive, Budget::for_file(length))
}

struct Archive<R> {
    zip: ZipArchive<BufReader<R>>,
    /// Folder that everything lies in, with its slash.
    folder: String,
}

impl<R: Read + Seek> Archive<R> {
    fn open(file: R) -> Result<Self, Problem> {
        let mut zip = ZipArchive::new(BufReader::new(file)).map_err(bad_zip)?;
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
        // Entries that share bytes are a trick to make much of a small file.
        if zip.has_overlapping_files().map_err(bad_zip)? {
            return Err(Problem::damaged("entries of the archive overlap"));
        }
        Ok(Self { zip, folder })
    }

    /// A whole entry of at most `largest` bytes.
    fn whole(&mut self, name: &str, largest: u64) -> Result<Vec<u8>, Problem> {
        let size = self.size(name)?;
        if size > largest {
            return Err(Problem::TooMuch);
        }
        let mut bytes = Vec::new();
        self.at(name, 0)?.take(size).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == size {
            Ok(bytes)
        } else {
            Err(ends_too_early(name))
        }
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
        // Where it lies was checked by the other size.
        if entry.size() != entry.compressed_size() {
            return Err(Problem::damaged(format!("its entry {name} has two sizes")));
        }
        Ok(entry.size())
    }

    /// An entry from its byte `start` on.
    fn at(&mut self, name: &str, start: u64) -> Result<impl Read, Problem> {
        let name = format!("{}{name}", self.folder);
        let mut entry = self.zip.by_name_seek(&name).map_err(bad_zip)?;
        entry.seek(SeekFrom::Start(start))?;
        Ok(entry)
    }
}

/// The entry of a storage.
fn entry_of(storage: &Storage) -> Result<(String, &Rc<str>), Problem> {
    match storage {
        Storage::Entry { class, key } => Ok((format!("data/{key}"), class)),
        Storage::Stream(_) => Err(Problem::damaged(
            "a tensor lies outside the archive's entries",
        )),
    }
}

fn ends_too_early(name: &str) -> Problem {
    Problem::damaged(format!("its entry {name} ends too early"))
}

impl<R: Read + Seek> Storages for Archive<R> {
    fn about(&mut self, storage: &Storage) -> Result<About, Problem> {
        let (name, class) = entry_of(storage)?;
        Ok(About {
            class: Rc::clone(class),
            bytes: self.size(&name)?,
        })
    }

    /// Read from the file each time.
    fn elements(
        &mut self,
        storage: &Storage,
        range: Range<u64>,
        _: Asked,
    ) -> Result<Values, Problem> {
        let (name, class) = entry_of(storage)?;
        let Some(element) = Element::of_storage(class) else {
            return Err(Problem::damaged("a storage has no elements"));
        };
        let bytes = self.size(&name)?;
        let size = element.size() as u64;
        let start = range.start * size;
        let mut entry = self.at(&name, start)?;
        let values = element.read(range.end - range.start, &mut entry, bytes - start);
        values.map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => ends_too_early(&name),
            _ => error.into(),
        })
    }
}

fn bad_zip(error: ZipError) -> Problem {
    match error {
        ZipError::Io(e) if e.kind() != ErrorKind::UnexpectedEof => Problem::Io(e),
        e => Problem::damaged(format!("it is no complete zip archive ({e})")),
    }
}
