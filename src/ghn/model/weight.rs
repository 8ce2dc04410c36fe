//! A tensor of a GHN.

use std::ops::{Deref, DerefMut};

use crate::nn::{Tensor, Values};

/// A tensor of a GHN, or what training keeps beside each of its values: derivatives, moments.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// What checkpoints call it.
    name: String,
    /// As in checkpoints.
    shape: Vec<usize>,
    /// Whether the matrix lies in memory column by column.
    turned: bool,
    values: Vec<f32>,
}

impl Weight {
    /// `values` are row-major.
    #[must_use]
    pub(super) fn new(name: String, shape: Vec<usize>, values: Vec<f32>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len(), "{name}");
        Self {
            name,
            shape,
            turned: false,
            values,
        }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Columns of the matrix that lies in memory row by row: that of a layer that lies by columns is its transpose.
    ///
    /// # Panics
    /// If it is no matrix.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.shape[usize::from(!self.turned)]
    }

    /// The same matrix, lying column by column.
    #[must_use]
    pub(super) fn by_columns(self) -> Self {
        let values = self.in_other_order();
        Self {
            turned: !self.turned,
            values,
            ..self
        }
    }

    /// As checkpoints have it.
    #[must_use]
    pub fn tensor(&self) -> Tensor {
        let values = if self.turned {
            self.in_other_order()
        } else {
            self.values.clone()
        };
        Tensor::new(self.shape.clone(), values)
    }

    /// Takes the values of a tensor over, if it has this shape.
    #[must_use]
    pub fn take(&mut self, tensor: Tensor) -> bool {
        let fits = tensor.shape == self.shape;
        let (true, Values::F32(values)) = (fits, tensor.values) else {
            return false;
        };
        let name = std::mem::take(&mut self.name);
        let fresh = Self::new(name, tensor.shape, values);
        *self = if self.turned {
            fresh.by_columns()
        } else {
            fresh
        };
        true
    }

    /// The values of a matrix in the order that they do not lie in.
    fn in_other_order(&self) -> Vec<f32> {
        let [rows, columns] = self.shape[..] else {
            unreachable!("only matrices are turned");
        };
        // As the matrix lies in memory, a column-major one is its own transpose.
        let columns = if self.turned { rows } else { columns };
        transposed(&self.values, columns)
    }
}

impl Deref for Weight {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values
    }
}

impl DerefMut for Weight {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }
}

/// A matrix with `columns` columns, transposed.
pub(super) fn transposed(matrix: &[f32], columns: usize) -> Vec<f32> {
    let rows = matrix.len() / columns;
    let mut turned = Vec::with_capacity(matrix.len());
    for c in 0..columns {
        turned.extend((0..rows).map(|r| matrix[r * columns + c]));
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_matrix_reads_and_writes_as_checkpoints_have_it() {
        let values: Vec<f32> = (0..6).map(|v| v as f32).collect();
        let mut weight = Weight::new("w".to_owned(), vec![2, 3], values.clone()).by_columns();
        assert_eq!(&weight[..], [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(weight.tensor(), Tensor::new(vec![2, 3], values.clone()));
        let twice = Tensor::new(vec![2, 3], values.iter().map(|v| 2.0 * v).collect());
        assert!(weight.take(twice.clone()));
        assert_eq!(weight.tensor(), twice);
        assert!(!weight.take(Tensor::new(vec![3, 2], values)));
        assert_eq!(weight.tensor(), twice);
    }
}
