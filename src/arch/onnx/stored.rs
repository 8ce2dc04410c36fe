//! Tensors as a file stores them: in the model, or in files beside it.

use std::cell::Cell;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;

use super::OnnxError;
use super::constant::MOST_COMPUTED;
use super::dims::bounded;
use super::proto::{DataLocation, DataType, TensorProto};

/// Numbers that may be read while the graph is walked through, those that are read again counted again.
const MOST_READ: usize = 1 << 28;

/// Longest dimension of a tensor: beyond, nothing could be run.
const LONGEST_DIMENSION: i64 = 1 << 31;

/// The tensors of a file.
#[derive(Debug, Default)]
pub struct Stored {
    tensors: Vec<TensorProto>,
    /// Where the model lies; without, files beside it cannot be read.
    folder: Option<PathBuf>,
    read: Cell<usize>,
}

impl Stored {
    pub(super) fn new(tensors: Vec<TensorProto>, folder: Option<&Path>) -> Self {
        Self {
            tensors,
            folder: folder.map(Path::to_owned),
            read: Cell::new(0),
        }
    }

    /// The message of a tensor.
    #[must_use]
    pub fn tensor(&self, index: usize) -> &TensorProto {
        &self.tensors[index]
    }

    /// A tensor's shape, once it is sure that it has as many elements as that says, unless they lie in
    /// another file.
    pub(super) fn shape(&self, index: usize) -> Result<Vec<usize>, String> {
        let tensor = &self.tensors[index];
        let wrong = |what: String| format!("tensor \"{}\": {what}", tensor.name);
        let mut shape = Vec::with_capacity(tensor.dims.len());
        for &dim in &tensor.dims {
            if !(0..=LONGEST_DIMENSION).contains(&dim) {
                return Err(wrong(format!("dims has an impossible length, {dim}")));
            }
            shape.push(dim as usize);
        }
        let shape = bounded(shape).map_err(wrong)?;
        let count: usize = shape.iter().product();
        let unknown = || {
            wrong(format!(
                "data_type {} cannot be taken over",
                tensor.data_type
            ))
        };
        let size = element_bytes(tensor).ok_or_else(unknown)?;
        if is_external(tensor) {
            return Ok(shape);
        }
        let (have, unit) = match raw(tensor) {
            Some(raw) => (raw.len(), size),
            None => (listed(tensor), 1),
        };
        if have != count * unit {
            return Err(wrong(format!(
                "dims ask for {count} elements, and the data is that of {}",
                have / unit
            )));
        }
        Ok(shape)
    }

    /// All numbers of a small tensor whose shape was checked.
    pub(super) fn numbers(&self, index: usize) -> Result<Vec<f64>, String> {
        let tensor = &self.tensors[index];
        let name = &tensor.name;
        let count: usize = tensor.dims.iter().map(|d| *d as usize).product();
        let read = self.read.get().saturating_add(count);
        if count > MOST_COMPUTED || read > MOST_READ {
            return Err(format!(
                "the graph depends on the values of \"{name}\" and others, which are too many to be worked out"
            ));
        }
        self.read.set(read);
        let external = is_external(tensor).then(|| self.external(index));
        let external = external.transpose().map_err(|e| e.to_string())?;
        let raw = external.as_ref().or_else(|| raw(tensor));
        let list = |numbers: &[i32]| numbers.iter().map(|v| f64::from(*v)).collect();
        let element = DataType::try_from(tensor.data_type).unwrap_or(DataType::Undefined);
        Ok(match (element, raw) {
            (DataType::Float, None) => tensor.float_data.iter().map(|v| f64::from(*v)).collect(),
            (DataType::Float, Some(raw)) => of(raw, |b| f64::from(f32::from_le_bytes(b))),
            (DataType::Double, None) => tensor.double_data.clone(),
            (DataType::Double, Some(raw)) => of(raw, f64::from_le_bytes),
            (DataType::Int64, None) => tensor.int64_data.iter().map(|v| *v as f64).collect(),
            (DataType::Int64, Some(raw)) => of(raw, |b| i64::from_le_bytes(b) as f64),
            (DataType::Int32 | DataType::Bool | DataType::Uint8 | DataType::Int8, None) => {
                list(&tensor.int32_data)
            }
            (DataType::Int32, Some(raw)) => of(raw, |b| f64::from(i32::from_le_bytes(b))),
            (DataType::Bool | DataType::Uint8, Some(raw)) => {
                raw.iter().map(|b| f64::from(*b)).collect()
            }
            (DataType::Int8, Some(raw)) => raw.iter().map(|b| f64::from(*b as i8)).collect(),
            _ => {
                return Err(format!(
                    "the graph depends on the values of \"{name}\", whose data_type {} cannot be reckoned with",
                    tensor.data_type
                ));
            }
        })
    }

    /// The bytes of a tensor in another file, which must lie in the model's folder or below it.
    ///
    /// # Errors
    /// [`OnnxError::External`] if there is no such file or it is not to be read; nothing is allocated for more
    /// bytes than it has.
    pub fn external(&self, index: usize) -> Result<Bytes, OnnxError> {
        let tensor = &self.tensors[index];
        let find = |key: &str| {
            let mut pairs = tensor.external_data.iter();
            pairs.find(|p| p.key == key).map(|p| p.value.as_str())
        };
        let location = find("location").unwrap_or_default();
        let refused = |reason: &str| OnnxError::External {
            tensor: tensor.name.clone(),
            location: location.to_owned(),
            reason: reason.to_owned(),
        };
        let told = |e: std::io::Error| refused(&e.to_string());
        let number = |key: &str, otherwise: u64| match find(key) {
            None => Ok(otherwise),
            Some(text) => text
                .parse()
                .map_err(|_| refused(&format!("its {key} is no number"))),
        };
        let path = Path::new(location);
        let is_inside = path.components().all(|c| matches!(c, Component::Normal(_)));
        let Some(folder) = self
            .folder
            .as_ref()
            .filter(|_| is_inside && !location.is_empty())
        else {
            return Err(refused("only files in the folder of the model are read"));
        };
        let mut whole = folder.clone();
        for part in path.components() {
            whole.push(part);
            if whole.symlink_metadata().map_err(told)?.is_symlink() {
                return Err(refused("links are not followed"));
            }
        }
        let size = element_bytes(tensor).unwrap_or(1);
        let count: usize = tensor.dims.iter().map(|d| *d as usize).product();
        let bytes = (count * size) as u64;
        let (offset, length) = (number("offset", 0)?, number("length", bytes)?);
        if length != bytes {
            return Err(refused("its length is not that of the tensor's shape"));
        }
        let about = whole.symlink_metadata().map_err(told)?;
        let end = offset.checked_add(length).filter(|end| *end <= about.len());
        if !about.is_file() || end.is_none() {
            return Err(refused("the file is too short for it"));
        }
        let mut data = Vec::new();
        data.try_reserve_exact(count * size)
            .map_err(|e| refused(&e.to_string()))?;
        let mut file = File::open(&whole).map_err(told)?;
        file.seek(SeekFrom::Start(offset)).map_err(told)?;
        file.take(length).read_to_end(&mut data).map_err(told)?;
        if data.len() as u64 != length {
            return Err(refused("the file is too short for it"));
        }
        Ok(data.into())
    }
}

/// Whether a tensor's elements lie in another file.
#[must_use]
pub fn is_external(tensor: &TensorProto) -> bool {
    tensor.data_location == DataLocation::External as i32
}

/// A tensor's elements as bytes, if that is how it has them.
#[must_use]
pub fn raw(tensor: &TensorProto) -> Option<&Bytes> {
    tensor.raw_data.as_ref().filter(|raw| !raw.is_empty())
}

/// Bytes of one element, of a type that a network can be made of.
fn element_bytes(tensor: &TensorProto) -> Option<usize> {
    Some(match DataType::try_from(tensor.data_type).ok()? {
        DataType::Double | DataType::Int64 | DataType::Uint64 => 8,
        DataType::Float | DataType::Int32 | DataType::Uint32 => 4,
        DataType::Float16 | DataType::Bfloat16 | DataType::Int16 | DataType::Uint16 => 2,
        DataType::Int8 | DataType::Uint8 | DataType::Bool => 1,
        DataType::Undefined | DataType::String => return None,
    })
}

/// Number of elements in the list for a tensor's type.
fn listed(tensor: &TensorProto) -> usize {
    match DataType::try_from(tensor.data_type) {
        Ok(DataType::Float) => tensor.float_data.len(),
        Ok(DataType::Double) => tensor.double_data.len(),
        Ok(DataType::Int64) => tensor.int64_data.len(),
        Ok(DataType::Uint32 | DataType::Uint64) => 0,
        _ => tensor.int32_data.len(),
    }
}

fn of<const N: usize>(raw: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    raw.as_chunks().0.iter().map(|b| number(*b)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::proto::StringStringEntryProto;
    use super::*;

    /// Two numbers at byte 4 of `location`.
    fn elsewhere(location: &str, more: &[(&str, &str)]) -> TensorProto {
        let pairs = [("location", location), ("offset", "4")];
        let pair = |(key, value): &(&str, &str)| StringStringEntryProto {
            key: (*key).to_owned(),
            value: (*value).to_owned(),
        };
        TensorProto {
            name: "w".to_owned(),
            dims: vec![2],
            data_type: DataType::Float as i32,
            data_location: DataLocation::External as i32,
            external_data: pairs.iter().chain(more).map(pair).collect(),
            ..TensorProto::default()
        }
    }

    #[test]
    fn data_beside_the_model_is_read_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model");
        std::fs::create_dir_all(model.join("data")).unwrap();
        let numbers: Vec<u8> = [1.0_f32, 2.0, 3.0]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        std::fs::write(model.join("data/w.bin"), &numbers).unwrap();
        std::fs::write(folder.path().join("secret.bin"), &numbers).unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret.bin"), model.join("link.bin"))
            .unwrap();
        std::os::unix::fs::symlink(folder.path(), model.join("out")).unwrap();
        let read = |location: &str, more: &[(&str, &str)]| {
            let stored = Stored::new(vec![elsewhere(location, more)], Some(&model));
            stored.numbers(0)
        };
        assert_eq!(read("data/w.bin", &[]), Ok(vec![2.0, 3.0]));
        let absolute = folder.path().join("secret.bin").display().to_string();
        for (location, why) in [
            ("../secret.bin", "folder of the model"),
            (&absolute, "folder of the model"),
            ("", "folder of the model"),
            ("link.bin", "links"),
            ("out/secret.bin", "links"),
            ("data", "too short"),
            ("absent.bin", "No such file"),
        ] {
            let reason = read(location, &[]).unwrap_err();
            assert!(
                reason.contains(why) && reason.contains("\"w\""),
                "{location}: {reason}"
            );
        }
        let reason = read("data/w.bin", &[("length", "4")]).unwrap_err();
        assert!(reason.contains("length"), "{reason}");
        let mut wide = elsewhere("data/w.bin", &[]);
        wide.dims = vec![1 << 18];
        let reason = Stored::new(vec![wide], Some(&model))
            .numbers(0)
            .unwrap_err();
        assert!(reason.contains("too short"), "{reason}");
    }

    #[test]
    fn a_tensor_must_have_the_elements_that_it_speaks_of() {
        let tensor = |dims: Vec<i64>, bytes: usize| TensorProto {
            dims,
            data_type: DataType::Float as i32,
            raw_data: Some(vec![0; bytes].into()),
            ..TensorProto::default()
        };
        let shape = |t: TensorProto| Stored::new(vec![t], None).shape(0);
        assert_eq!(shape(tensor(vec![2, 3], 24)), Ok(vec![2, 3]));
        for (dims, bytes) in [
            (vec![2, 3], 20),
            (vec![-1], 4),
            (vec![1 << 31, 1 << 31], 16),
            (vec![1 << 31, 1 << 31, 0], 4),
            (vec![i64::MAX], 4),
        ] {
            assert!(shape(tensor(dims.clone(), bytes)).is_err(), "{dims:?}");
        }
    }
}
