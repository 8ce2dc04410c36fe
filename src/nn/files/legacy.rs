//! `torch.save` before 1.6: five pickles in a row (magic number, version, sizes, the object, keys of
//! the storages), then each storage as a count and raw elements. And single pickles with such
//! streams inside, as joblib writes a state dict.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use super::checkpoint::{self, Storages};
use super::element::Element;
use super::kind::LEGACY_MAGIC;
use super::strided::Budget;
use super::{Loaded, Problem};
use crate::nn::pickle::{self, Pickle, Storage, Value};

/// Reads a checkpoint from a whole legacy stream.
pub(super) fn read_stream(bytes: &[u8]) -> Result<Loaded, Problem> {
    let (pickle, mut storages) = Stream::open(bytes)?;
    checkpoint::load(&pickle, &mut storages, Budget::for_file(bytes.len() as u64))
}

/// Reads a checkpoint from one pickle whose tensors lie inside it.
pub(super) fn read_pickle(bytes: &[u8]) -> Result<Loaded, Problem> {
    let pickle = pickle::read(bytes)?;
    let mut none = Stream::default();
    checkpoint::load(&pickle, &mut none, Budget::for_file(bytes.len() as u64))
}

/// The one storage of a stream that lies inside a pickle: its class and bytes.
pub(super) fn inner_storage(bytes: &[u8]) -> Result<(String, &[u8]), Problem> {
    let (pickle, stream) = Stream::open(bytes)?;
    let Value::Storage(Storage::Entry { class, key, .. }) = pickle.get(pickle.root) else {
        return Err(Problem::damaged("a storage inside it is something else"));
    };
    match stream.raw.get(*key) {
        Some(raw) => Ok(((*class).to_owned(), raw)),
        None => Err(Problem::damaged("a storage inside it has no elements")),
    }
}

/// Raw bytes of the storages of a stream.
#[derive(Default)]
struct Stream<'a> {
    raw: HashMap<String, &'a [u8]>,
}

impl<'a> Stream<'a> {
    fn open(bytes: &'a [u8]) -> Result<(Pickle<'a>, Self), Problem> {
        if !bytes.starts_with(LEGACY_MAGIC) {
            return Err(Problem::damaged("a stream inside it has no magic number"));
        }
        let mut rest = &bytes[LEGACY_MAGIC.len()..];
        // Protocol version and machine: what they say has never changed in files that exist.
        for _ in 0..2 {
            rest = &rest[pickle::read(rest)?.used..];
        }
        let object = pickle::read(rest)?;
        rest = &rest[object.used..];
        let keys = pickle::read(rest)?;
        rest = &rest[keys.used..];
        let Value::List(listed) = keys.get(keys.root) else {
            return Err(Problem::damaged("the list of storages is missing"));
        };
        let sizes = element_sizes(&object);
        let mut raw = HashMap::new();
        for key in listed {
            let key = keys
                .text(*key)
                .ok_or_else(|| Problem::damaged("a storage's key is no text"))?;
            let size = sizes.get(key).copied();
            let (elements, after) = next_storage(rest, key, size)?;
            raw.insert(key.to_owned(), elements);
            rest = after;
        }
        Ok((object, Self { raw }))
    }
}

/// Bytes of one element of each storage that the object names; an unknown class gives `None`.
fn element_sizes<'p>(object: &'p Pickle<'_>) -> HashMap<&'p str, Option<usize>> {
    object
        .values()
        .filter_map(|value| match value {
            Value::Storage(Storage::Entry { class, key, .. }) => {
                Some((*key, Element::of_storage(class).map(Element::size)))
            }
            _ => None,
        })
        .collect()
}

/// The elements of the storage that `rest` begins with, and what follows it.
fn next_storage<'a>(
    rest: &'a [u8],
    key: &str,
    element: Option<Option<usize>>,
) -> Result<(&'a [u8], &'a [u8]), Problem> {
    let cut_short = || Problem::damaged(format!("storage {key} ends too early"));
    let Some(Some(element)) = element else {
        return Err(Problem::damaged(format!(
            "storage {key} has elements of an unknown size"
        )));
    };
    let (count, rest) = rest.split_first_chunk::<8>().ok_or_else(cut_short)?;
    let count = usize::try_from(u64::from_le_bytes(*count)).map_err(|_| cut_short())?;
    let bytes = count.checked_mul(element).ok_or_else(cut_short)?;
    rest.split_at_checked(bytes).ok_or_else(cut_short)
}

impl Storages for Stream<'_> {
    fn size(&mut self, key: &str) -> Result<u64, Problem> {
        match self.raw.get(key) {
            Some(raw) => Ok(raw.len() as u64),
            None => Err(Problem::damaged(format!("storage {key} is missing"))),
        }
    }

    fn bytes(&mut self, key: &str, bytes: Range<u64>) -> Result<Cow<'_, [u8]>, Problem> {
        let raw = self.raw.get(key).copied().unwrap_or_default();
        raw.get(bytes.start as usize..bytes.end as usize)
            .map(Cow::Borrowed)
            .ok_or_else(|| Problem::damaged(format!("storage {key} ends too early")))
    }
}
