//! A network's parameters, gradients and buffers in the executor's layout.

use super::packing::Packing;
use crate::arch::{Arch, Scheme, TensorRole, TensorSpec};
use crate::nn::error::{Mismatch, NnError};
use crate::nn::state::{StateDict, Tensor, Values};

/// Index of a tensor in the architecture's list.
pub type TensorIndex = usize;

#[derive(Debug)]
struct Entry {
    name: String,
    shape: Vec<usize>,
    role: TensorRole,
    packing: Packing,
    value: Vec<f32>,
    /// Empty for buffers, and for parameters until a gradient is asked for: inference needs none.
    grad: Vec<f32>,
    /// The values of a tensor of whole numbers; empty for others.
    whole: Vec<i64>,
}

/// A parameter to be changed, in the executor's layout.
#[derive(Debug)]
pub struct ParamMut<'a> {
    pub value: &'a mut [f32],
    /// Same order of values as `value`.
    pub grad: &'a mut [f32],
}

/// All tensors of a network, in state-dict order.
#[derive(Debug)]
pub struct Tensors {
    entries: Vec<Entry>,
}

impl Tensors {
    /// Parameters and running means zero, running variances one, fixed tensors as they must be.
    pub fn new(arch: &Arch) -> Self {
        let mut packings = vec![Packing::Same; arch.tensors().len()];
        for module in arch.modules() {
            for i in module.tensors.clone() {
                let role = arch.tensors()[i].role;
                if matches!(role, TensorRole::Weight | TensorRole::PositionEmbedding) {
                    packings[i] = Packing::of_weight(&module.op);
                }
            }
        }
        let entries = arch
            .tensors()
            .iter()
            .zip(packings)
            .map(|(spec, packing)| Entry {
                name: spec.name.clone(),
                shape: spec.shape.clone(),
                role: spec.role,
                packing,
                value: first_floats(spec),
                grad: Vec::new(),
                whole: first_wholes(spec),
            });
        Self {
            entries: entries.collect(),
        }
    }

    pub fn value(&self, i: TensorIndex) -> &[f32] {
        &self.entries[i].value
    }

    pub fn value_mut(&mut self, i: TensorIndex) -> &mut [f32] {
        &mut self.entries[i].value
    }

    pub fn grad_mut(&mut self, i: TensorIndex) -> &mut [f32] {
        self.entries[i].grad_mut()
    }

    /// Adds one to a batch counter.
    pub fn count(&mut self, i: TensorIndex) {
        self.entries[i].whole[0] += 1;
    }

    pub fn clear_gradients(&mut self) {
        use rayon::prelude::*;
        self.entries
            .par_iter_mut()
            .for_each(|e| e.grad_mut().fill(0.0));
    }

    pub fn parameters_mut(&mut self) -> impl Iterator<Item = ParamMut<'_>> {
        self.entries
            .iter_mut()
            .filter(|e| e.role.is_parameter())
            .map(|e| {
                e.grad_mut();
                ParamMut {
                    value: &mut e.value,
                    grad: &mut e.grad,
                }
            })
    }

    /// Parameters and buffers in PyTorch's layout.
    pub fn state(&self) -> StateDict {
        let tensor = |e: &Entry| match e.role {
            role if role.is_whole() => Tensor::whole(e.shape.clone(), e.whole.clone()),
            _ => e.unpacked(&e.value),
        };
        self.entries
            .iter()
            .map(|e| (e.name.clone(), tensor(e)))
            .collect()
    }

    /// Gradients in PyTorch's layout.
    pub fn gradients(&mut self) -> StateDict {
        self.entries
            .iter_mut()
            .filter(|e| e.role.is_parameter())
            .map(|e| {
                e.grad_mut();
                (e.name.clone(), e.unpacked(&e.grad))
            })
            .collect()
    }

    /// The indices of the parameters.
    pub fn parameters(&self) -> impl Iterator<Item = TensorIndex> {
        let is_parameter = |(_, e): &(usize, &Entry)| e.role.is_parameter();
        let entries = self.entries.iter().enumerate();
        entries.filter(is_parameter).map(|(i, _)| i)
    }

    /// Values as they lie in memory beside a tensor, by its name and as a tensor in PyTorch's shape and
    /// layout.
    pub fn named_unpacked(&self, i: TensorIndex, values: &[f32]) -> (String, Tensor) {
        let entry = &self.entries[i];
        (entry.name.clone(), entry.unpacked(values))
    }

    /// The way back, with the tensor's index: None if there is no such tensor or the shape is another.
    pub fn packed(&self, name: &str, tensor: &Tensor) -> Option<(TensorIndex, Vec<f32>)> {
        let i = self.entries.iter().position(|e| e.name == name)?;
        let entry = &self.entries[i];
        if entry.shape != tensor.shape {
            return None;
        }
        let mut packed = vec![0.0; tensor.len()];
        entry.packing.pack(tensor.floats()?, &mut packed);
        Some((i, packed))
    }

    /// Takes over all values; names, shapes and kinds must be exactly this network's. Nothing changes
    /// in case of an error.
    pub fn load(&mut self, arch: &Arch, state: &StateDict) -> Result<(), NnError> {
        let mismatch = self.compare(state);
        if !mismatch.is_empty() {
            return Err(NnError::Mismatch {
                arch: arch.name().to_owned(),
                classes: arch.classes(),
                mismatch,
            });
        }
        for entry in &mut self.entries {
            match state.get(&entry.name).map(|t| &t.values) {
                Some(Values::F32(values)) => entry.packing.pack(values, &mut entry.value),
                Some(Values::I64(values)) => entry.whole.clone_from(values),
                None => {}
            }
        }
        Ok(())
    }

    fn compare(&self, state: &StateDict) -> Mismatch {
        let mut mismatch = Mismatch::default();
        for entry in &self.entries {
            let wanted = describe(&entry.shape, !entry.role.is_whole());
            match state.get(&entry.name) {
                None => mismatch.missing.push(entry.name.clone()),
                Some(tensor) => {
                    let got = describe(&tensor.shape, tensor.floats().is_some());
                    if got != wanted {
                        mismatch.misshapen.push((entry.name.clone(), wanted, got));
                    }
                }
            }
        }
        let known: std::collections::HashSet<&str> =
            self.entries.iter().map(|e| e.name.as_str()).collect();
        mismatch.unexpected = state
            .iter()
            .map(|(name, _)| name)
            .filter(|name| !known.contains(name))
            .map(str::to_owned)
            .collect();
        mismatch
    }
}

fn first_floats(spec: &TensorSpec) -> Vec<f32> {
    match (spec.role, spec.scheme) {
        (role, _) if role.is_whole() => Vec::new(),
        (_, Scheme::OffsetCoordinates(offsets)) => offsets.coordinates(),
        (TensorRole::RunningVar, _) => vec![1.0; spec.len()],
        _ => vec![0.0; spec.len()],
    }
}

fn first_wholes(spec: &TensorSpec) -> Vec<i64> {
    match spec.scheme {
        Scheme::OffsetIndex(offsets) => offsets.indices_of_pairs(),
        _ if spec.role.is_whole() => vec![0; spec.len()],
        _ => Vec::new(),
    }
}

impl Entry {
    /// The gradient, with zeros if there was none.
    fn grad_mut(&mut self) -> &mut [f32] {
        if self.role.is_parameter() {
            self.grad.resize(self.value.len(), 0.0);
        }
        &mut self.grad
    }

    fn unpacked(&self, values: &[f32]) -> Tensor {
        let mut torch = vec![0.0; values.len()];
        self.packing.unpack(values, &mut torch);
        Tensor::new(self.shape.clone(), torch)
    }
}

/// A shape in words: `64x3x7x7`, `one number`, `one whole number`.
fn describe(shape: &[usize], floats: bool) -> String {
    let kind = if floats { "" } else { "whole " };
    if shape.is_empty() {
        return format!("one {kind}number");
    }
    let dims: Vec<String> = shape.iter().map(usize::to_string).collect();
    let kind = if floats { "" } else { " whole numbers" };
    dims.join("x") + kind
}
