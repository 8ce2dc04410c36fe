//! ONNX models with their values, written value by value: no second copy of the parameters is made.
//!
//! A protocol buffer's message is a row of fields, each a key and its content, in any order. So the
//! small parts are encoded as a whole, and the initialisers follow them one after the other.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use prost::{Message, encode_length_delimiter, length_delimiter_len};

use super::element::{write_floats, write_whole};
use super::{FileError, write_aside};
use crate::arch::onnx::proto::{
    DataLocation, DataType, ModelProto, StringStringEntryProto, TensorProto,
};
use crate::arch::onnx::{Content, Export, Initialiser};
use crate::nn::{StateDict, Values};

/// Largest protocol buffer: lengths in it are 31 bits long.
const LARGEST_MESSAGE: u64 = (1 << 31) - 1;
/// In a model beyond that, tensors with fewer bytes stay in the model all the same.
const SMALLEST_EXTERNAL: u64 = 1024;
/// Where a tensor may begin in a file of its own: whole pages can be mapped into memory.
const PAGE: u64 = 4096;

/// Keys of the fields whose content is written here: number times 8, plus 2 for a length before it.
const GRAPH: u8 = 7 << 3 | 2;
const INITIALISER: u8 = 5 << 3 | 2;
const RAW_DATA: u8 = 9 << 3 | 2;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Size of the model.
    pub bytes: u64,
    /// The file with the values of a model that is too large to hold them, and its size.
    pub data: Option<(PathBuf, u64)>,
    /// A file of that name from an earlier model, which this one does not need.
    pub stale: Option<PathBuf>,
}

/// Writes a model with the values of `state`, which are those of its architecture.
///
/// A model of 2 GiB and more has its values in a second file beside it, of the same name with `.data`
/// behind it. Either file is complete or absent (see [`write_aside`]), the second comes first.
///
/// # Errors
/// [`FileError::Write`] if a file cannot be written, or a tensor is missing or has another shape.
pub fn write_onnx(
    path: impl AsRef<Path>,
    export: &Export,
    state: &StateDict,
) -> Result<Written, FileError> {
    write_within(LARGEST_MESSAGE, path.as_ref(), export, state)
}

/// The same, with the values in a file of their own if the model has more bytes than `largest`.
fn write_within(
    largest: u64,
    path: &Path,
    export: &Export,
    state: &StateDict,
) -> Result<Written, FileError> {
    let refused = |reason| FileError::Write {
        path: path.to_owned(),
        reason,
    };
    let tensors = tensors(export, state).map_err(refused)?;
    let model = Layout::of(&export.model, tensors);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".data");
    let beside = path.with_file_name(&name);
    if model.bytes <= largest {
        write_aside(path, |out| model.write(out))?;
        return Ok(Written {
            bytes: model.bytes,
            data: None,
            stale: beside.is_file().then_some(beside),
        });
    }
    let (model, bytes) = model.with_values_in(&export.model, &name.to_string_lossy());
    // The model takes its name after the values have theirs, and only if both are complete.
    write_aside(path, |out| {
        model.write(out)?;
        let values = write_aside(&beside, |out| model.write_values(out));
        values.map_err(|error| match error {
            FileError::Write { reason, .. } => reason,
            read @ FileError::Read { .. } => io::Error::other(read),
        })
    })?;
    Ok(Written {
        bytes: model.bytes,
        data: Some((beside, bytes)),
        stale: None,
    })
}

/// A tensor of the graph: its message without values, and the values.
struct Tensor<'a> {
    message: TensorProto,
    values: Numbers<'a>,
    /// Where its values begin in a file of their own.
    offset: Option<u64>,
}

#[derive(Clone, Copy)]
enum Numbers<'a> {
    Floats(&'a [f32]),
    Whole(&'a [i64]),
}

impl Numbers<'_> {
    const fn bytes(self) -> u64 {
        match self {
            Self::Floats(v) => 4 * v.len() as u64,
            Self::Whole(v) => 8 * v.len() as u64,
        }
    }

    fn write(self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Floats(v) => write_floats(v, out),
            Self::Whole(v) => write_whole(v, out),
        }
    }
}

fn tensors<'a>(export: &'a Export, state: &'a StateDict) -> io::Result<Vec<Tensor<'a>>> {
    let tensors = export.initialisers.iter().map(|initialiser| {
        let values = numbers(initialiser, state)?;
        let element = match values {
            Numbers::Floats(_) => DataType::Float,
            Numbers::Whole(_) => DataType::Int64,
        };
        let message = TensorProto {
            dims: initialiser.shape.iter().map(|d| *d as i64).collect(),
            data_type: element.into(),
            name: initialiser.name.clone(),
            ..TensorProto::default()
        };
        Ok(Tensor {
            message,
            values,
            offset: None,
        })
    });
    tensors.collect()
}

fn numbers<'a>(initialiser: &'a Initialiser, state: &'a StateDict) -> io::Result<Numbers<'a>> {
    let Initialiser { name, shape, .. } = initialiser;
    match &initialiser.content {
        Content::Floats(v) => return Ok(Numbers::Floats(v)),
        Content::Whole(v) => return Ok(Numbers::Whole(v)),
        Content::Stored => {}
    }
    let refused = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
    let Some(tensor) = state.get(name) else {
        return Err(refused(format!("the parameters have no tensor \"{name}\"")));
    };
    if tensor.shape != *shape {
        let stored = &tensor.shape;
        return Err(refused(format!(
            "\"{name}\" has the shape {stored:?}, the architecture wants {shape:?}"
        )));
    }
    Ok(match &tensor.values {
        Values::F32(v) => Numbers::Floats(v),
        Values::I64(v) => Numbers::Whole(v),
    })
}

/// The parts of a model, and their lengths.
struct Layout<'a> {
    /// The model's fields but its graph.
    head: Vec<u8>,
    /// The graph's fields but its initialisers.
    graph: Vec<u8>,
    tensors: Vec<Tensor<'a>>,
    /// Length of the graph.
    graph_bytes: u64,
    /// Length of the whole.
    bytes: u64,
}

impl<'a> Layout<'a> {
    fn of(model: &ModelProto, tensors: Vec<Tensor<'a>>) -> Self {
        let graph = model.graph.as_ref();
        let graph = graph.map(Message::encode_to_vec).unwrap_or_default();
        let head = ModelProto {
            graph: None,
            ..model.clone()
        };
        let head = head.encode_to_vec();
        let initialisers = tensors.iter().map(|t| field_bytes(t.bytes()));
        let graph_bytes = graph.len() as u64 + initialisers.sum::<u64>();
        Self {
            bytes: head.len() as u64 + field_bytes(graph_bytes),
            head,
            graph,
            tensors,
            graph_bytes,
        }
    }

    /// The same model with its larger tensors in the file `name`, and that file's length.
    fn with_values_in(self, model: &ModelProto, name: &str) -> (Self, u64) {
        let mut end = 0;
        let mut tensors = self.tensors;
        for tensor in &mut tensors {
            let bytes = tensor.values.bytes();
            if bytes < SMALLEST_EXTERNAL {
                continue;
            }
            let offset = u64::next_multiple_of(end, PAGE);
            let place = [
                ("location", name.to_owned()),
                ("offset", offset.to_string()),
                ("length", bytes.to_string()),
            ];
            let place = place.map(|(key, value)| StringStringEntryProto {
                key: key.to_owned(),
                value,
            });
            tensor.message.external_data = place.to_vec();
            tensor.message.data_location = DataLocation::External.into();
            tensor.offset = Some(offset);
            end = offset + bytes;
        }
        (Self::of(model, tensors), end)
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.head)?;
        write_key(GRAPH, self.graph_bytes, out)?;
        out.write_all(&self.graph)?;
        for tensor in &self.tensors {
            write_key(INITIALISER, tensor.bytes(), out)?;
            out.write_all(&tensor.message.encode_to_vec())?;
            if tensor.offset.is_none() {
                write_key(RAW_DATA, tensor.values.bytes(), out)?;
                tensor.values.write(out)?;
            }
        }
        Ok(())
    }

    /// Writes what lies in a file of its own, with zeros in between.
    fn write_values(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut at = 0;
        for tensor in &self.tensors {
            let Some(offset) = tensor.offset else {
                continue;
            };
            io::copy(&mut io::Read::take(io::repeat(0), offset - at), out)?;
            tensor.values.write(out)?;
            at = offset + tensor.values.bytes();
        }
        Ok(())
    }
}

impl Tensor<'_> {
    /// Length of its message.
    fn bytes(&self) -> u64 {
        let values = match self.offset {
            None => field_bytes(self.values.bytes()),
            Some(_) => 0,
        };
        self.message.encoded_len() as u64 + values
    }
}

/// Length of a field whose content has so many bytes; its key is a single one.
fn field_bytes(content: u64) -> u64 {
    1 + length_delimiter_len(content as usize) as u64 + content
}

fn write_key(key: u8, content: u64, out: &mut dyn Write) -> io::Result<()> {
    let mut bytes = vec![key];
    encode_length_delimiter(content as usize, &mut bytes)?;
    out.write_all(&bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::arch::Arch;
    use crate::arch::onnx::{self, Opset};
    use crate::arch::zoo::{self, Options};
    use crate::nn::Tensor;

    fn arch() -> Arch {
        zoo::build("shufflenet_v2_x0_5", &Options::for_images(10, 32)).unwrap()
    }

    /// Every value its own number within its tensor.
    fn state(arch: &Arch) -> StateDict {
        let count = |n: usize| (0..n).map(|i| i as f32).collect();
        let specs = arch.tensors().iter();
        specs
            .map(|s| (s.name.clone(), Tensor::new(s.shape.clone(), count(s.len()))))
            .collect()
    }

    fn little_endian(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    #[test]
    fn a_model_holds_its_graph_and_every_value() {
        let (arch, folder) = (arch(), tempfile::tempdir().unwrap());
        let (export, state) = (onnx::export(&arch, Opset::default()), state(&arch));
        let path = folder.path().join("a.onnx");
        let written = write_onnx(&path, &export, &state).unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!((written.bytes, written.data), (bytes.len() as u64, None));
        let mut model = ModelProto::decode(&*bytes).unwrap();
        let graph = model.graph.as_mut().unwrap();
        let initialisers = std::mem::take(&mut graph.initializer);
        assert_eq!(model, export.model);
        assert_eq!(initialisers.len(), export.initialisers.len());
        for (tensor, wanted) in initialisers.iter().zip(&export.initialisers) {
            assert_eq!(tensor.name, wanted.name);
            let dims: Vec<usize> = tensor.dims.iter().map(|d| *d as usize).collect();
            assert_eq!(dims, wanted.shape);
            let raw = tensor.raw_data.as_ref().unwrap();
            let values = match &wanted.content {
                Content::Stored => {
                    little_endian(state.get(&wanted.name).unwrap().floats().unwrap())
                }
                Content::Floats(v) => little_endian(v),
                Content::Whole(v) => v.iter().flat_map(|v| v.to_le_bytes()).collect(),
            };
            assert_eq!(*raw, values, "{}", wanted.name);
        }
    }

    #[test]
    fn a_model_that_is_too_large_has_its_values_beside_it() {
        let (arch, folder) = (arch(), tempfile::tempdir().unwrap());
        let (export, state) = (onnx::export(&arch, Opset::default()), state(&arch));
        let path = folder.path().join("a.onnx");
        let written = write_within(100_000, &path, &export, &state).unwrap();
        let (beside, size) = written.data.unwrap();
        assert_eq!(beside, folder.path().join("a.onnx.data"));
        let data = fs::read(&beside).unwrap();
        assert_eq!(data.len() as u64, size);
        let bytes = fs::read(&path).unwrap();
        assert_eq!(bytes.len() as u64, written.bytes);
        let model = ModelProto::decode(&*bytes).unwrap();
        let mut outside = 0;
        for tensor in model.graph.unwrap().initializer {
            if tensor.data_location == DataLocation::Default as i32 {
                assert!(tensor.raw_data.is_some() && tensor.external_data.is_empty());
                continue;
            }
            outside += 1;
            let place = |key: &str| {
                let mut entries = tensor.external_data.iter();
                entries.find(|e| e.key == key).unwrap().value.clone()
            };
            assert_eq!(place("location"), "a.onnx.data");
            let [offset, length] =
                ["offset", "length"].map(|key| place(key).parse::<usize>().unwrap());
            assert_eq!((offset % 4096, tensor.raw_data), (0, None));
            let values = state.get(&tensor.name).unwrap().floats().unwrap();
            assert_eq!(data[offset..offset + length], little_endian(values));
        }
        assert!(outside > 10);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        // A model that holds its values itself leaves the other file alone, and says so.
        let whole = write_onnx(&path, &export, &state).unwrap();
        assert_eq!((whole.data, whole.stale), (None, Some(beside.clone())));
        assert!(beside.is_file());
    }

    #[test]
    fn parameters_of_another_network_are_refused_before_anything_is_written() {
        let (arch, folder) = (arch(), tempfile::tempdir().unwrap());
        let export = onnx::export(&arch, Opset::default());
        let path = folder.path().join("a.onnx");
        let refusal = |state: &StateDict| {
            let refused = write_onnx(&path, &export, state);
            refused.unwrap_err().to_string()
        };
        let message = refusal(&StateDict::default());
        assert!(message.contains("no tensor") && message.contains("conv1.0.weight"));
        let mut other = state(&arch);
        other.insert("fc.bias", Tensor::new(vec![9], vec![0.0; 9]));
        let message = refusal(&other);
        assert!(
            message.contains("fc.bias") && message.contains("[9]"),
            "{message}"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_failure_leaves_neither_file() {
        let (arch, folder) = (arch(), tempfile::tempdir().unwrap());
        let (export, state) = (onnx::export(&arch, Opset::default()), state(&arch));
        fs::create_dir(folder.path().join("a.onnx.data")).unwrap();
        let path = folder.path().join("a.onnx");
        let failed = write_within(100_000, &path, &export, &state);
        assert!(
            failed
                .unwrap_err()
                .to_string()
                .contains("a folder has this name")
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
