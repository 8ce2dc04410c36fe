//! How cells follow one another: which one reads how many channels of what, and makes how many.

use super::{Plan, Preparation, StemKind};
use crate::arch::deepnets::{Cell, Gene};

/// A cell in its network.
pub(super) struct Place<'a> {
    /// From 0.
    pub number: usize,
    pub cell: &'a Cell,
    /// Whether it halves the image.
    pub reduces: bool,
    /// Whether the first of its inputs has twice the side of the second.
    pub follows_reduction: bool,
    /// Channels of what it reads: the outputs of the two cells before it.
    pub from: [usize; 2],
    /// Channels that its inputs are brought to.
    pub width: usize,
    /// Channels that its ops read and make.
    pub ops: [usize; 2],
}

impl Place<'_> {
    /// Channels of its output.
    pub const fn channels(&self) -> usize {
        self.width * self.cell.concat.len()
    }

    /// Stride of an op.
    pub const fn stride(&self, gene: Gene) -> usize {
        if self.reduces && gene.input < 2 { 2 } else { 1 }
    }
}

impl Plan {
    /// All cells in order, behind a stem of so many channels.
    pub(super) fn stack(&self, stem_channels: usize) -> Vec<Place<'_>> {
        let resizes = !self.genotype.attends();
        let mut follows_reduction = resizes && self.stem == StemKind::Deep;
        let mut from = [stem_channels; 2];
        let mut width = self.channels;
        let mut places = Vec::with_capacity(self.cells);
        for number in 0..self.cells {
            let is_reduction = self.is_reduction(number);
            let (cell, widening) = if is_reduction {
                (&self.genotype.reduce, self.widening)
            } else {
                (&self.genotype.normal, 1)
            };
            width *= widening;
            let reduces = resizes && is_reduction;
            places.push(Place {
                number,
                cell,
                reduces,
                follows_reduction,
                from,
                width,
                ops: self.op_widths(number, width, from[1]),
            });
            follows_reduction = reduces;
            from = [from[1], width * cell.concat.len()];
        }
        places
    }

    /// Ops keep the width, unless they have to read what nothing has prepared.
    fn op_widths(&self, number: usize, width: usize, from: usize) -> [usize; 2] {
        match self.preparation {
            Preparation::Pointwise => [width; 2],
            Preparation::None if self.is_reduction(number + 1) && self.joins_one_step(number) => {
                [from, width * self.widening]
            }
            Preparation::None => [from, width],
        }
    }

    fn joins_one_step(&self, number: usize) -> bool {
        let cell = if self.is_reduction(number) {
            &self.genotype.reduce
        } else {
            &self.genotype.normal
        };
        cell.concat.len() == 1
    }

    /// A third and two thirds down, but not the first.
    const fn is_reduction(&self, number: usize) -> bool {
        number > 0 && (number == self.cells / 3 || number == 2 * self.cells / 3)
    }
}
