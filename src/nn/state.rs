//! A network's parameters and buffers by name, in PyTorch's order, shapes and layout.

use std::ops::Range;

use indexmap::IndexMap;

/// A tensor's values, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    F32(Vec<f32>),
    /// Counters such as `num_batches_tracked`, and tables of indices.
    I64(Vec<i64>),
}

impl Values {
    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::F32(v) => v.len(),
            Self::I64(v) => v.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of some of the elements.
    ///
    /// # Panics
    /// If there are not as many.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        match self {
            Self::F32(v) => Self::F32(v[range].to_vec()),
            Self::I64(v) => Self::I64(v[range].to_vec()),
        }
    }
}

/// A tensor as it stands in a file: PyTorch's shape, row-major values.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub values: Values,
}

impl Tensor {
    /// A tensor of 32-bit floats.
    ///
    /// # Panics
    /// If the number of values does not match the shape.
    #[must_use]
    pub fn new(shape: Vec<usize>, values: Vec<f32>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), values.len());
        Self {
            shape,
            values: Values::F32(values),
        }
    }

    /// A tensor of whole numbers.
    ///
    /// # Panics
    /// If the number of values does not match the shape.
    #[must_use]
    pub fn whole(shape: Vec<usize>, values: Vec<i64>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), values.len());
        Self {
            shape,
            values: Values::I64(values),
        }
    }

    /// A whole number without dimensions.
    #[must_use]
    pub fn count(value: i64) -> Self {
        Self::whole(Vec::new(), vec![value])
    }

    /// The values, unless they are integers.
    #[must_use]
    pub fn floats(&self) -> Option<&[f32]> {
        match &self.values {
            Values::F32(v) => Some(v),
            Values::I64(_) => None,
        }
    }

    /// The values to change, unless they are integers.
    #[must_use]
    pub fn floats_mut(&mut self) -> Option<&mut Vec<f32>> {
        match &mut self.values {
            Values::F32(v) => Some(v),
            Values::I64(_) => None,
        }
    }

    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether a dimension is zero.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Named tensors in a fixed order: torchvision's state dict.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateDict {
    tensors: IndexMap<String, Tensor>,
}

impl StateDict {
    /// Adds a tensor at the end, or replaces the one of that name in its place.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) {
        self.tensors.insert(name.into(), tensor);
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut Tensor> {
        self.tensors.get_mut(name)
    }

    /// Takes a tensor out; the order of the others is kept no longer.
    pub fn take(&mut self, name: &str) -> Option<Tensor> {
        self.tensors.swap_remove(name)
    }

    /// Names and tensors, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(n, t)| (n.as_str(), t))
    }

    /// Names and tensors to change, in order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Tensor)> {
        self.tensors.iter_mut().map(|(n, t)| (n.as_str(), t))
    }

    /// Number of tensors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }
}

impl IntoIterator for StateDict {
    type Item = (String, Tensor);
    type IntoIter = indexmap::map::IntoIter<String, Tensor>;

    fn into_iter(self) -> Self::IntoIter {
        self.tensors.into_iter()
    }
}

impl FromIterator<(String, Tensor)> for StateDict {
    fn from_iter<I: IntoIterator<Item = (String, Tensor)>>(iter: I) -> Self {
        Self {
            tensors: iter.into_iter().collect(),
        }
    }
}
