//! The parameters of a network in an ONNX file, as its recipes ([`arch::onnx`](crate::arch::onnx)) say.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path};

use super::element::Element;
use super::{Loaded, Problem};
use crate::arch::onnx::proto::{DataLocation, DataType, TensorProto};
use crate::arch::onnx::{self, Part, Recipe, Source, Weights};
use crate::nn::{StateDict, Tensor, Values};

/// Numbers that a network may have beyond those in its files: constant fills come to VGG-19's 144 million
/// from nine kilobytes, and few networks to more.
const MOST_FILLED: usize = 1 << 28;

/// Reads the tensors of the network in `file`, which lies at `path`.
pub(super) fn read(file: Vec<u8>, path: &Path) -> Result<Loaded, Problem> {
    let network = onnx::read(file.into())?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let tensors = tensors(&network.weights, folder)?;
    Ok(Loaded {
        tensors,
        ..Loaded::default()
    })
}

fn tensors(weights: &Weights, folder: &Path) -> Result<StateDict, Problem> {
    let mut reader = Reader {
        weights,
        folder,
        read: HashMap::new(),
        left: MOST_FILLED,
    };
    let mut tensors = StateDict::default();
    for recipe in &weights.recipes {
        tensors.insert(recipe.name.as_str(), reader.tensor(recipe)?);
    }
    Ok(tensors)
}

struct Reader<'w> {
    weights: &'w Weights,
    /// Where files of external data must lie.
    folder: &'w Path,
    /// Stored tensors that were read, until all their readers had them.
    read: HashMap<usize, Values>,
    /// Numbers that may still be made of nothing.
    left: usize,
}

impl Reader<'_> {
    fn tensor(&mut self, recipe: &Recipe) -> Result<Tensor, Problem> {
        let count = recipe.shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d));
        let count = count.ok_or(Problem::TooMuch)?;
        if let [part] = &recipe.parts[..]
            && part.constant.integer
        {
            let values = self.numbers(part)?.into_iter().map(|v| v as i64).collect();
            return Ok(Tensor::whole(recipe.shape.clone(), values));
        }
        if let [part] = &recipe.parts[..]
            && part.constant.view.len() == count
        {
            return Ok(Tensor::new(recipe.shape.clone(), self.numbers(part)?));
        }
        self.spend(count)?;
        let mut values = reserved(count)?;
        values.resize(count, 0.0);
        for part in &recipe.parts {
            let numbers = self.numbers(part)?;
            place(&mut values, &recipe.shape, part, &numbers);
        }
        Ok(Tensor::new(recipe.shape.clone(), values))
    }

    /// A part's numbers, row-major.
    fn numbers(&mut self, part: &Part) -> Result<Vec<f32>, Problem> {
        let view = &part.constant.view;
        let mut numbers = match &part.constant.source {
            Source::Filled(value) => {
                self.spend(view.len())?;
                let mut numbers = reserved(view.len())?;
                numbers.resize(view.len(), *value as f32);
                numbers
            }
            Source::Computed(all) => {
                self.spend(view.len())?;
                view.places().map(|i| all[i] as f32).collect()
            }
            Source::Stored(index) => {
                let tensor = &self.weights.stored[*index];
                let first = self.read.is_empty() || !self.read.contains_key(index);
                if first {
                    let values = self.stored(tensor)?;
                    self.read.insert(*index, values);
                } else {
                    // Read again, so not backed by further bytes of the file.
                    self.spend(view.len())?;
                }
                let Some(Values::F32(all)) = self.read.get(index) else {
                    return Err(Problem::ElementType {
                        tensor: tensor.name.clone(),
                        element: "of whole numbers".to_owned(),
                    });
                };
                let numbers: Vec<f32> = if view.is_whole() {
                    all[view.offset..view.offset + view.len()].to_vec()
                } else {
                    if view.len() > all.len() {
                        self.left = self.left.checked_sub(view.len()).ok_or(Problem::TooMuch)?;
                    }
                    view.places().map(|i| all[i]).collect()
                };
                self.keep_if_small(*index);
                numbers
            }
        };
        if part.factor != 1.0 {
            numbers.iter_mut().for_each(|v| *v *= part.factor as f32);
        }
        Ok(numbers)
    }

    /// Large tensors are rarely read twice; small ones stay, as a mark that they were.
    fn keep_if_small(&mut self, index: usize) {
        const SMALL: usize = 1 << 16;
        let is_large = matches!(self.read.get(&index), Some(Values::F32(v)) if v.len() > SMALL);
        if is_large {
            self.read.remove(&index);
        }
    }

    fn spend(&mut self, count: usize) -> Result<(), Problem> {
        self.left = self.left.checked_sub(count).ok_or(Problem::TooMuch)?;
        Ok(())
    }

    /// All numbers of a stored tensor.
    fn stored(&self, tensor: &TensorProto) -> Result<Values, Problem> {
        let element = element(tensor)?;
        let count: usize = tensor.dims.iter().map(|d| *d as usize).product();
        let bytes = if tensor.data_location == DataLocation::External as i32 {
            external(tensor, count * element.size(), self.folder)?
        } else if let Some(raw) = tensor.raw_data.as_ref().filter(|r| !r.is_empty()) {
            return Ok(element.decode(raw));
        } else {
            return listed(tensor, element);
        };
        Ok(element.decode(&bytes))
    }
}

fn reserved(count: usize) -> Result<Vec<f32>, Problem> {
    let mut values = Vec::new();
    values
        .try_reserve_exact(count)
        .map_err(|_| Problem::TooMuch)?;
    Ok(values)
}

/// Sets a part's numbers into a tensor of `shape`.
fn place(values: &mut [f32], shape: &[usize], part: &Part, numbers: &[f32]) {
    let own = &part.constant.view.shape;
    for (i, number) in numbers.iter().enumerate() {
        let (mut rest, mut at, mut step) = (i, 0, 1);
        for axis in (0..shape.len()).rev() {
            at += (rest % own[axis] + part.at[axis]) * step;
            rest /= own[axis];
            step *= shape[axis];
        }
        values[at] = *number;
    }
}

fn element(tensor: &TensorProto) -> Result<Element, Problem> {
    let of_type = match DataType::try_from(tensor.data_type) {
        Ok(DataType::Float) => Some(Element::F32),
        Ok(DataType::Double) => Some(Element::F64),
        Ok(DataType::Float16) => Some(Element::F16),
        Ok(DataType::Bfloat16) => Some(Element::BF16),
        Ok(DataType::Int64) => Some(Element::I64),
        Ok(DataType::Int32) => Some(Element::I32),
        Ok(DataType::Int16) => Some(Element::I16),
        Ok(DataType::Int8) => Some(Element::I8),
        Ok(DataType::Uint8) => Some(Element::U8),
        Ok(DataType::Bool) => Some(Element::Bool),
        _ => None,
    };
    of_type.ok_or_else(|| Problem::ElementType {
        tensor: tensor.name.clone(),
        element: format!("number {} of ONNX", tensor.data_type),
    })
}

/// Numbers that stand in the list for their type.
fn listed(tensor: &TensorProto, element: Element) -> Result<Values, Problem> {
    Ok(match element {
        Element::F32 => Values::F32(tensor.float_data.clone()),
        Element::F64 => Values::F32(tensor.double_data.iter().map(|v| *v as f32).collect()),
        // Sixteen bits of each number.
        Element::F16 | Element::BF16 => {
            let bits = tensor.int32_data.iter();
            let bytes: Vec<u8> = bits.flat_map(|v| (*v as u16).to_le_bytes()).collect();
            element.decode(&bytes)
        }
        Element::I64 => Values::I64(tensor.int64_data.clone()),
        _ => Values::I64(tensor.int32_data.iter().map(|v| (*v).into()).collect()),
    })
}

/// The bytes of a tensor in another file, which must lie in the model's folder or below it.
fn external(tensor: &TensorProto, bytes: usize, folder: &Path) -> Result<Vec<u8>, Problem> {
    let find = |key: &str| {
        let mut pairs = tensor.external_data.iter();
        pairs.find(|p| p.key == key).map(|p| p.value.as_str())
    };
    let location = find("location").unwrap_or_default();
    let refused = |reason: &str| Problem::External {
        tensor: tensor.name.clone(),
        location: location.to_owned(),
        reason: reason.to_owned(),
    };
    let number = |key: &str, otherwise: u64| match find(key) {
        None => Ok(otherwise),
        Some(text) => text.parse().map_err(|_| refused("its place in it is no number")),
    };
    let path = Path::new(location);
    let is_inside = path.components().all(|c| matches!(c, Component::Normal(_)));
    if location.is_empty() || !is_inside {
        return Err(refused("only files in the folder of the model are read"));
    }
    let mut whole = folder.to_owned();
    for part in path.components() {
        whole.push(part);
        let about = whole.symlink_metadata().map_err(|e| refused(&e.to_string()))?;
        if about.is_symlink() {
            return Err(refused("links are not followed"));
        }
    }
    let about = whole.symlink_metadata().map_err(|e| refused(&e.to_string()))?;
    let (offset, length) = (number("offset", 0)?, number("length", bytes as u64)?);
    if length != bytes as u64 {
        return Err(refused("the length given there is not that of the tensor's shape"));
    }
    if !about.is_file() || offset.checked_add(length).is_none_or(|end| end > about.len()) {
        return Err(refused("the file is too short for it"));
    }
    let mut data = Vec::new();
    data.try_reserve_exact(bytes).map_err(|_| Problem::TooMuch)?;
    let mut file = File::open(&whole).map_err(|e| refused(&e.to_string()))?;
    file.seek(SeekFrom::Start(offset))?;
    file.take(length).read_to_end(&mut data)?;
    if data.len() != bytes {
        return Err(refused("the file is too short for it"));
    }
    Ok(data)
}
