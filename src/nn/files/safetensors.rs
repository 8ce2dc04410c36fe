//! The safetensors format: eight bytes of header length, a JSON header, raw little-endian tensors.
//!
//! The header is read by our own strict reader: names once only, tensors that fill the file without
//! gaps or overlaps, sizes that match shapes.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value as Json, json};

use super::element::{Element, write_floats, write_halves, write_whole};
use super::{FileError, Loaded, Problem, write_aside};
use crate::nn::{StateDict, Tensor, Values};

/// Longest header, as the format's own library has it.
const LONGEST_HEADER: u64 = 100_000_000;

/// Key of the free text in the header.
const METADATA: &str = "__metadata__";

/// Reads a file of `length` bytes.
pub(super) fn read(file: impl Read + Seek, length: u64) -> Result<Loaded, Problem> {
    let mut file = BufReader::new(file);
    let header = read_header(&mut file, length)?;
    let mut tensors = StateDict::default();
    let data = length - header.end;
    let places = places(&header.entries, data)?;
    for (name, place) in header.entries.iter().map(|(n, _)| n).zip(&places) {
        file.seek(SeekFrom::Start(header.end + place.start))?;
        let bytes = place.end - place.start;
        let count = bytes / place.element.size() as u64;
        let values = place.element.read(count, &mut file, bytes)?;
        let shape = place.shape.clone();
        tensors.insert(name.as_str(), Tensor { shape, values });
    }
    let config = header.metadata.get("config");
    Ok(Loaded {
        tensors,
        config: config.and_then(|c| serde_json::from_str(c).ok()),
        epoch: header.metadata.get("epoch").and_then(|e| e.parse().ok()),
        metadata: header.metadata,
    })
}

/// A tensor as the header describes it, checked.
struct Place {
    element: Element,
    shape: Vec<usize>,
    start: u64,
    end: u64,
}

/// Where each entry's bytes lie, within `data` bytes after the header.
fn places(entries: &[(String, Entry)], data: u64) -> Result<Vec<Place>, Problem> {
    let places: Vec<Place> = entries
        .iter()
        .map(|(name, entry)| place(name, entry))
        .collect::<Result<_, _>>()?;
    let mut by_start: Vec<usize> = (0..places.len()).collect();
    by_start.sort_by_key(|i| (places[*i].start, places[*i].end));
    let mut at = 0;
    for i in by_start {
        let (name, place) = (&entries[i].0, &places[i]);
        if place.start < at {
            return Err(Problem::damaged(format!(
                "{name} overlaps the tensor before it"
            )));
        }
        if place.start > at {
            return Err(Problem::damaged(format!("there is a gap before {name}")));
        }
        at = place.end;
    }
    if at != data {
        return Err(Problem::damaged(format!(
            "its header speaks of {at} bytes of tensors, but {data} follow it"
        )));
    }
    Ok(places)
}

fn place(name: &str, entry: &Entry) -> Result<Place, Problem> {
    let element = Element::of_safetensors(&entry.dtype).ok_or_else(|| Problem::ElementType {
        tensor: name.to_owned(),
        element: entry.dtype.clone(),
    })?;
    let [start, end] = entry.data_offsets;
    let bytes = entry
        .shape
        .iter()
        .try_fold(element.size() as u64, |bytes, d| bytes.checked_mul(*d));
    if bytes.is_none() || end.checked_sub(start) != bytes {
        return Err(Problem::damaged(format!(
            "the bytes of {name} do not match its shape"
        )));
    }
    let shape = entry.shape.iter().map(|d| *d as usize).collect();
    Ok(Place {
        element,
        shape,
        start,
        end,
    })
}

struct Header {
    entries: Vec<(String, Entry)>,
    metadata: BTreeMap<String, String>,
    /// Where the tensors begin.
    end: u64,
}

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

fn read_header(file: &mut impl Read, length: u64) -> Result<Header, Problem> {
    let mut size = [0; 8];
    file.read_exact(&mut size)
        .map_err(|_| Problem::damaged("it ends within its first eight bytes"))?;
    let size = u64::from_le_bytes(size);
    if size > LONGEST_HEADER || size > length - 8 {
        return Err(Problem::damaged(format!(
            "its header should have {size} bytes, the file has {length}"
        )));
    }
    let mut text = vec![0; size as usize];
    file.read_exact(&mut text)?;
    let Parsed { entries, metadata } = serde_json::from_slice(&text)
        .map_err(|e| Problem::damaged(format!("its header is not as the format has it ({e})")))?;
    Ok(Header {
        entries,
        metadata,
        end: 8 + size,
    })
}

/// The header's JSON object in its order; a name that comes twice is an error.
struct Parsed {
    entries: Vec<(String, Entry)>,
    metadata: BTreeMap<String, String>,
}

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Parsed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parsed, A::Error> {
        let mut names = std::collections::HashSet::new();
        let mut entries = Vec::new();
        let mut metadata = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom(format!("the name {name} comes twice")));
            }
            if name == METADATA {
                metadata = map.next_value()?;
            } else {
                entries.push((name, map.next_value()?));
            }
        }
        Ok(Parsed { entries, metadata })
    }
}

/// Writes the tensors, in their order, with `metadata` as free text in the header.
///
/// The file is complete or absent: see [`write_aside`].
///
/// # Errors
/// [`FileError::Write`] if it cannot be written.
pub fn write_safetensors(
    path: impl AsRef<Path>,
    tensors: &StateDict,
    metadata: &BTreeMap<String, String>,
) -> Result<(), FileError> {
    write(path.as_ref(), tensors, metadata, Element::F32)
}

/// As [`write_safetensors`], with floating point in half precision, to the nearest: half as large, and exact to
/// three digits.
///
/// # Errors
/// [`FileError::Write`] if it cannot be written.
pub fn write_half_safetensors(
    path: impl AsRef<Path>,
    tensors: &StateDict,
    metadata: &BTreeMap<String, String>,
) -> Result<(), FileError> {
    write(path.as_ref(), tensors, metadata, Element::F16)
}

fn write(
    path: &Path,
    tensors: &StateDict,
    metadata: &BTreeMap<String, String>,
    floats: Element,
) -> Result<(), FileError> {
    let (header, order) = header_of(tensors, metadata, floats);
    write_aside(path, |out| {
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        for values in order {
            match values {
                Values::F32(v) if floats == Element::F16 => write_halves(v, out)?,
                Values::F32(v) => write_floats(v, out)?,
                Values::I64(v) => write_whole(v, out)?,
            }
        }
        Ok(())
    })
}

/// The header's bytes, and the values in the order in which they follow it: the widest elements
/// first, so that every tensor begins at a multiple of its element's size.
fn header_of<'t>(
    tensors: &'t StateDict,
    metadata: &BTreeMap<String, String>,
    floats: Element,
) -> (Vec<u8>, Vec<&'t Values>) {
    let is_wide = |t: &Tensor| matches!(t.values, Values::I64(_));
    let wide = tensors.iter().filter(|(_, t)| is_wide(t));
    let narrow = tensors.iter().filter(|(_, t)| !is_wide(t));
    let mut offsets = BTreeMap::new();
    let mut order = Vec::with_capacity(tensors.len());
    let mut at = 0;
    for (name, tensor) in wide.chain(narrow) {
        let element = if is_wide(tensor) {
            Element::I64
        } else {
            floats
        };
        let end = at + tensor.len() * element.size();
        offsets.insert(name, [at, end]);
        order.push(&tensor.values);
        at = end;
    }
    let mut object = Map::new();
    let mut text = metadata.clone();
    text.entry("format".to_owned())
        .or_insert_with(|| "pt".to_owned());
    object.insert(METADATA.to_owned(), json!(text));
    for (name, tensor) in tensors.iter() {
        let dtype = match (is_wide(tensor), floats) {
            (true, _) => "I64",
            (false, Element::F16) => "F16",
            (false, _) => "F32",
        };
        object.insert(
            name.to_owned(),
            json!({"dtype": dtype, "shape": tensor.shape, "data_offsets": offsets[name]}),
        );
    }
    let mut header = Json::Object(object).to_string().into_bytes();
    // Spaces at the end align the tensors.
    header.resize(header.len().next_multiple_of(8), b' ');
    (header, order)
}
