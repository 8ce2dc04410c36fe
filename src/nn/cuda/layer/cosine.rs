//! What attention by cosines does before its products and after their way back (cosine.cuh).
//!
//! Letters: `M` tokens of all sequences, `H` heads, `D` channels of a head, `C = H D`.

use super::Context;
use super::columns::{Totals, add_sums_of};
use crate::nn::cuda::argument::Argument;
use crate::nn::cuda::grid;
use crate::nn::cuda::memory::{Buffer, View};
use crate::nn::device::{DeviceError, Precision};
use crate::nn::network::TensorIndex;

/// Queries and keys as directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directions {
    /// Logarithms of the heads' factors, `[H]`.
    pub exponents: TensorIndex,
    /// `H`.
    pub heads: usize,
    /// `D`.
    pub width: usize,
}

impl Directions {
    const fn rows(&self, qkv: View) -> usize {
        qkv.values / (3 * self.heads * self.width)
    }

    /// `[M, 2 C]` from `qkv [M, 3 C]`: queries have the length of their head's factor, keys length one.
    pub fn of(&self, cx: &mut Context<'_>, qkv: View) -> Result<Buffer, DeviceError> {
        let rows = self.rows(qkv);
        let directions = cx.take(rows * 2 * self.heads * self.width)?;
        let arguments = [
            qkv.into(),
            Argument::Address(cx.tensors.value(self.exponents)),
            (&directions).into(),
            Argument::count(rows),
            Argument::count(self.heads),
            Argument::count(self.width),
        ];
        let grid = grid::rows(rows * 2 * self.heads);
        cx.launch_typed("cosine_directions", grid, &arguments)?;
        Ok(directions)
    }

    /// In place, from the gradients by directions among `dqkv [M, 3 C]` to those by queries and keys. Adds the
    /// gradient of the exponents.
    pub fn back(&self, cx: &mut Context<'_>, qkv: View, dqkv: View) -> Result<(), DeviceError> {
        let rows = self.rows(qkv);
        let by_exponents = cx.floats(rows * self.heads)?;
        let arguments = [
            qkv.into(),
            Argument::Address(cx.tensors.value(self.exponents)),
            dqkv.into(),
            (&by_exponents).into(),
            Argument::count(rows),
            Argument::count(self.heads),
            Argument::count(self.width),
        ];
        let grid = grid::rows(rows * 2 * self.heads);
        cx.launch_typed("cosine_directions_backward", grid, &arguments)?;
        let totals = Totals::one(cx.tensors.gradient(self.exponents), self.heads);
        let floats = Precision::F32;
        add_sums_of(cx, floats, by_exponents.view(), self.heads, totals)?;
        cx.give(by_exponents);
        Ok(())
    }
}

/// The biases between their bounds, `[offsets, H]` in f32, from what a small network gave.
pub fn biases(cx: &mut Context<'_>, raw: View) -> Result<Buffer, DeviceError> {
    let biases = cx.floats(raw.values)?;
    let arguments = [raw.into(), (&biases).into(), Argument::count(raw.values)];
    cx.launch_typed("cosine_biases", grid::threads(raw.values), &arguments)?;
    Ok(biases)
}

/// The gradient of what the small network gave.
pub fn biases_back(
    cx: &mut Context<'_>,
    biases: &Buffer,
    by_biases: &Buffer,
) -> Result<Buffer, DeviceError> {
    let count = biases.values();
    let by_raw = cx.take(count)?;
    let arguments = [
        biases.into(),
        by_biases.into(),
        (&by_raw).into(),
        Argument::count(count),
    ];
    let grid = grid::threads(count);
    cx.launch_typed("cosine_biases_backward", grid, &arguments)?;
    Ok(by_raw)
}
