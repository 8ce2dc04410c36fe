//! The parameters of a network in an ONNX file, as its recipes ([`arch::onnx`](crate::arch::onnx)) say.

use std::collections::HashSet;
use std::path::Path;

use super::element::Element;
use super::{Loaded, Problem};
use crate::arch::onnx::proto::{DataType, TensorProto};
use crate::arch::onnx::{self, Part, Recipe, Source, Weights};
use crate::nn::{StateDict, Tensor, Values};

/// Numbers that a network may have beyond those in its files: constant fills come to VGG-19's 144 million
/// from nine kilobytes, and few networks to more.
const MOST_FILLED: usize = 1 << 28;

/// Reads the tensors of the network in `file`, which lies at `path`, if anywhere.
pub(super) fn read(file: Vec<u8>, path: Option<&Path>) -> Result<Loaded, Problem> {
    let network = onnx::read(file.into(), path)?;
    Ok(Loaded {
        tensors: onnx_state(&network.weights)?,
        ..Loaded::default()
    })
}

/// The tensors of a network from an ONNX file.
///
/// # Errors
/// [`Problem`] if one is of an unknown type or lies in a file that cannot be read, or all together are more
/// than the file warrants.
pub fn onnx_state(weights: &Weights) -> Result<StateDict, Problem> {
    let mut reader = Reader {
        weights,
        read: HashSet::new(),
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
    /// Stored tensors that were read.
    read: HashSet<usize>,
    /// Numbers that may still be made of nothing.
    left: usize,
}

impl Reader<'_> {
    fn tensor(&mut self, recipe: &Recipe) -> Result<Tensor, Problem> {
        let count = recipe
            .shape
            .iter()
            .try_fold(1_usize, |n, d| n.checked_mul(*d));
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
                let stored = self.stored(*index)?;
                let Values::F32(all) = stored else {
                    return Err(Problem::ElementType {
                        tensor: self.weights.stored.tensor(*index).name.clone(),
                        element: "of whole numbers".to_owned(),
                    });
                };
                // What is read twice or repeated is not backed by further bytes of the file.
                if !self.read.insert(*index) || view.len() > all.len() {
                    self.spend(view.len().max(all.len()))?;
                }
                if view.is_whole() && view.len() == all.len() {
                    all
                } else {
                    view.places().map(|i| all[i]).collect()
                }
            }
        };
        if part.factor != 1.0 {
            numbers.iter_mut().for_each(|v| *v *= part.factor as f32);
        }
        Ok(numbers)
    }

    fn spend(&mut self, count: usize) -> Result<(), Problem> {
        self.left = self.left.checked_sub(count).ok_or(Problem::TooMuch)?;
        Ok(())
    }

    /// All numbers of a stored tensor.
    fn stored(&self, index: usize) -> Result<Values, Problem> {
        let tensor = self.weights.stored.tensor(index);
        let element = element(tensor)?;
        if onnx::is_external(tensor) {
            return Ok(element.decode(&self.weights.stored.external(index)?));
        }
        match onnx::raw(tensor) {
            Some(raw) => Ok(element.decode(raw)),
            None => listed(tensor, element),
        }
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
