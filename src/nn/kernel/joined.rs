//! Matrices whose columns lie in several arrays side by side, as in a concatenation that nobody writes down.

use std::ops::Range;

use rayon::prelude::*;

use super::conv::with_scratch;
use super::rows::{self, rows_per_chunk};

/// A matrix `[M, C]` that is read some rows at a time.
pub trait Rows: Sync {
    /// Works with the values in this range, which covers whole rows.
    fn with<R>(&self, at: Range<usize>, work: impl FnOnce(&[f32]) -> R) -> R;
}

impl Rows for [f32] {
    fn with<R>(&self, at: Range<usize>, work: impl FnOnce(&[f32]) -> R) -> R {
        work(&self[at])
    }
}

/// A matrix in parts: each `[M, columns.len()]` with the columns that it fills, which follow one another.
#[derive(Clone, Copy, Debug)]
pub struct Joined<'a> {
    pub parts: &'a [&'a [f32]],
    pub columns: &'a [Range<usize>],
}

/// The gradient of one part.
#[derive(Debug)]
pub struct PartGradient<'a> {
    pub values: &'a mut [f32],
    /// Whether there is something to add to; otherwise what lies there is arbitrary.
    pub add: bool,
}

impl Joined<'_> {
    fn channels(&self) -> usize {
        self.columns.last().map_or(0, |c| c.end)
    }

    /// Writes down the rows from this one on.
    fn gather(&self, first: usize, whole: &mut [f32]) {
        for (part, columns) in self.parts.iter().zip(self.columns) {
            let part = part[first * columns.len()..].chunks_exact(columns.len());
            for (whole, part) in whole.chunks_exact_mut(self.channels()).zip(part) {
                whole[columns.clone()].copy_from_slice(part);
            }
        }
    }

    /// Writes down all rows.
    pub fn write(&self, whole: &mut [f32]) {
        let count = rows_per_chunk(self.channels());
        let blocks = whole.par_chunks_mut(count * self.channels());
        let blocks = blocks.enumerate();
        blocks.for_each(|(i, whole)| self.gather(i * count, whole));
    }

    /// Has `work` turn blocks of a gradient `[M, C]` into that of the matrix, whose rows it is given first, and
    /// deals it out to the parts that have a gradient.
    pub fn backward(
        &self,
        gradient: &mut [f32],
        parts: Vec<Option<PartGradient<'_>>>,
        work: impl Fn(&[f32], &mut [f32]) + Sync,
    ) {
        let channels = self.channels();
        let count = rows_per_chunk(channels);
        let blocks = gradient.par_chunks_mut(count * channels);
        let parts = in_blocks(parts, self.columns, count, blocks.len());
        blocks.zip(parts).enumerate().for_each(|(i, (g, parts))| {
            let start = i * count * channels;
            self.with(start..start + g.len(), |x| work(x, g));
            for (part, columns) in parts.into_iter().zip(self.columns) {
                let Some(part) = part else { continue };
                let part_rows = part.values.chunks_exact_mut(columns.len());
                for (part_row, g) in part_rows.zip(g.chunks_exact(channels)) {
                    let g = &g[columns.clone()];
                    if part.add {
                        rows::add(part_row, g);
                    } else {
                        part_row.copy_from_slice(g);
                    }
                }
            }
        });
    }
}

impl Rows for Joined<'_> {
    fn with<R>(&self, at: Range<usize>, work: impl FnOnce(&[f32]) -> R) -> R {
        with_scratch(at.len(), |whole| {
            self.gather(at.start / self.channels(), whole);
            work(whole)
        })
    }
}

/// The parts' gradients for every block of `count` rows.
fn in_blocks<'a>(
    parts: Vec<Option<PartGradient<'a>>>,
    columns: &[Range<usize>],
    count: usize,
    blocks: usize,
) -> Vec<Vec<Option<PartGradient<'a>>>> {
    let mut by_block: Vec<_> = (0..blocks).map(|_| Vec::new()).collect();
    for (part, columns) in parts.into_iter().zip(columns) {
        let add = part.as_ref().is_some_and(|p| p.add);
        let values = part.map_or(&mut [][..], |p| p.values);
        let mut values = values.chunks_mut(count * columns.len());
        for block in &mut by_block {
            let values = values.next();
            block.push(values.map(|values| PartGradient { values, add }));
        }
    }
    by_block
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::kernel::testing::numbers;

    #[test]
    fn rows_are_put_together_and_their_gradients_dealt_out() {
        let (m, channels) = (9000, 7);
        let columns = [0..3, 3..4, 4..7];
        let given: Vec<Vec<f32>> = columns
            .iter()
            .map(|c| numbers(&format!("{c:?}"), m * c.len()))
            .collect();
        let parts: Vec<&[f32]> = given.iter().map(|p| &p[..]).collect();
        let joined = Joined {
            parts: &parts,
            columns: &columns,
        };
        let at = |row: usize, column: usize| {
            let part = columns.iter().position(|c| c.contains(&column)).unwrap();
            given[part][row * columns[part].len() + column - columns[part].start]
        };
        joined.with(14..35, |rows| {
            for (i, value) in rows.iter().enumerate() {
                assert_eq!(*value, at(2 + i / channels, i % channels));
            }
        });

        let dy = numbers("dy", m * channels);
        let mut sums = given.clone();
        let mut gradients: Vec<_> = sums
            .iter_mut()
            .map(|values| Some(PartGradient { values, add: true }))
            .collect();
        gradients[1] = None;
        gradients[2].as_mut().unwrap().add = false;
        let work = |x: &[f32], g: &mut [f32]| {
            for (g, x) in g.iter_mut().zip(x) {
                *g += 2.0 * x;
            }
        };
        joined.backward(&mut dy.clone(), gradients, work);
        for row in 0..m {
            for column in 0..channels {
                let part = columns.iter().position(|c| c.contains(&column)).unwrap();
                let place = row * columns[part].len() + column - columns[part].start;
                let x = at(row, column);
                let dx = dy[row * channels + column] + 2.0 * x;
                let expected = [x + dx, x, dx][part];
                assert!((sums[part][place] - expected).abs() < 1e-6);
            }
        }
    }
}
