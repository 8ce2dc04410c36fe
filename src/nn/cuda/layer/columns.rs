//! Sums over rows, added to gradients of parameters: the two stages of columns.cuh.

use super::Context;
use crate::nn::cuda::argument::Argument;
use crate::nn::cuda::driver::Address;
use crate::nn::cuda::grid::Columns;
use crate::nn::cuda::memory::View;
use crate::nn::device::{DeviceError, Precision};

/// Where the totals of partial sums go.
#[derive(Clone, Copy, Debug)]
pub struct Totals {
    pub first: Address,
    /// Columns that go to `first`; the others go to `second`.
    pub columns_of_first: usize,
    pub second: Option<Address>,
    /// What totals are multiplied by.
    pub factor: f32,
}

impl Totals {
    /// All columns go to one gradient as they are.
    pub const fn one(gradient: Address, columns: usize) -> Self {
        Self {
            first: gradient,
            columns_of_first: columns,
            second: None,
            factor: 1.0,
        }
    }
}

/// Adds the totals of `[parts, columns]`.
pub fn add_totals(
    cx: &mut Context<'_>,
    partials: View,
    parts: usize,
    columns: usize,
    totals: Totals,
) -> Result<(), DeviceError> {
    let arguments = [
        partials.into(),
        Argument::count(parts),
        Argument::count(columns),
        Argument::count(totals.columns_of_first),
        totals.factor.into(),
        Argument::Address(totals.first),
        Argument::maybe(totals.second),
    ];
    cx.launch_totals("add_column_totals", columns, &arguments)
}

/// Adds the sum over the rows of activations `[rows, channels]` to a gradient.
pub fn add_sums(
    cx: &mut Context<'_>,
    x: View,
    channels: usize,
    totals: Totals,
) -> Result<(), DeviceError> {
    add_sums_of(cx, cx.precision, x, channels, totals)
}

/// The same for values of some precision.
pub fn add_sums_of(
    cx: &mut Context<'_>,
    precision: Precision,
    x: View,
    channels: usize,
    totals: Totals,
) -> Result<(), DeviceError> {
    let rows = x.values / channels;
    let columns = Columns::new(rows, channels);
    let partials = cx.floats(columns.parts * channels)?;
    let arguments = [
        x.into(),
        (&partials).into(),
        Argument::count(rows),
        Argument::count(channels),
        Argument::count(columns.rows_per_part),
    ];
    let kernel = format!("column_sums_{precision}");
    cx.launch(&kernel, columns.grid(), &arguments)?;
    add_totals(cx, partials.view(), columns.parts, channels, totals)?;
    cx.give(partials);
    Ok(())
}
