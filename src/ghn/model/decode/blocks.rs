//! Blocks of weights on their way into tensors: whole, or decoded output by output while they are written, so that
//! what is decoded stays in a core's cache until it is used.
//!
//! Letters: `n` nodes, `O`/`I` channels out/in, `P` kernel positions.

use std::ops::Range;

use rayon::prelude::*;

use super::super::dense::Dense;
use crate::nn::matmul::{Fill, Packed, View, ViewMut, multiply_panels, multiply_vector};

/// Rows of a product that keep a core busy.
const ROWS: usize = 128;
/// Values that there are already, and that are a task's worth.
const VALUES: usize = 1 << 12;

/// Blocks `[O, I, P, n]`.
#[derive(Clone, Debug)]
pub enum Blocks<'a> {
    /// The values, and how many of them belong to an output.
    Whole(Vec<f32>, usize),
    ByOutput(LastLayer<'a>),
}

/// A decoder's last layer with all that it sees; its results for an output's inputs are neighbours.
#[derive(Clone, Debug)]
pub struct LastLayer<'a> {
    layer: &'a Dense,
    seen: Seen,
    inputs: usize,
    /// Results of the layer from one output to the next.
    step: usize,
}

/// What a layer sees, `[layer's inputs, P n]`.
#[derive(Clone, Debug)]
enum Seen {
    /// A single column.
    Vector(Vec<f32>),
    Columns(Packed),
}

impl Blocks<'_> {
    /// How many outputs are best asked for at a time.
    pub fn at_a_time(&self) -> usize {
        match self {
            Self::Whole(_, per_output) => (VALUES / per_output).max(1),
            Self::ByOutput(last) => last.at_a_time(),
        }
    }

    /// Values of some outputs, which `room` may be used for.
    pub fn of<'a>(&'a self, outputs: Range<usize>, room: &'a mut Vec<f32>) -> &'a [f32] {
        match self {
            Self::Whole(values, per_output) => {
                &values[outputs.start * per_output..outputs.end * per_output]
            }
            Self::ByOutput(last) => {
                room.resize(outputs.len() * last.per_output(), 0.0);
                last.write(outputs.start, room);
                room
            }
        }
    }
}

impl<'a> LastLayer<'a> {
    /// `seen` is `[layer's inputs, P n]`.
    pub fn new(layer: &'a Dense, seen: &[f32], inputs: usize, step: usize) -> Self {
        let seen = match seen.len() / layer.inputs {
            1 => Seen::Vector(seen.to_vec()),
            columns => Seen::Columns(Packed::of(View::dense(seen, layer.inputs, columns))),
        };
        Self {
            layer,
            seen,
            inputs,
            step,
        }
    }

    /// All values of `outputs` outputs.
    pub fn all(&self, outputs: usize) -> Vec<f32> {
        let mut values = vec![0.0; outputs * self.per_output()];
        let step = self.at_a_time();
        let parts = values.par_chunks_mut(step * self.per_output());
        parts
            .enumerate()
            .for_each(|(i, values)| self.write(i * step, values));
        values
    }

    fn at_a_time(&self) -> usize {
        (ROWS / self.inputs).max(1)
    }

    /// Number of columns that the layer sees.
    const fn width(&self) -> usize {
        match &self.seen {
            Seen::Vector(_) => 1,
            Seen::Columns(seen) => seen.width(),
        }
    }

    const fn per_output(&self) -> usize {
        self.inputs * self.width()
    }

    /// Writes the values of as many outputs, from `first` on, as there is room for.
    fn write(&self, first: usize, values: &mut [f32]) {
        let width = self.width();
        let outputs = values.len() / self.per_output();
        let row = |output: usize| (first + output) * self.step;
        let rows = (0..outputs).flat_map(|output| row(output)..row(output) + self.inputs);
        for (row, values) in rows.zip(values.chunks_exact_mut(width)) {
            values.fill(self.layer.bias_of(row));
        }
        // One product where the rows of all outputs are equally far apart.
        let (products, step) = if self.inputs == 1 {
            (1, self.step)
        } else {
            (outputs, 1)
        };
        let height = outputs * self.inputs / products;
        for (i, values) in values.chunks_exact_mut(height * width).enumerate() {
            let rows = self.layer.rows(row(i), height, step);
            match &self.seen {
                Seen::Vector(seen) => multiply_vector(values, rows, seen),
                Seen::Columns(seen) => {
                    let mut out = ViewMut::dense(values, height, width);
                    multiply_panels(&mut out, rows, seen.panels(), Fill::Accumulate);
                }
            }
        }
    }
}
