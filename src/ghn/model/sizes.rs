//! The sizes that a GHN has embeddings for.

use super::config::Config;

/// Rows of the two tables that describe a parameter's shape to a GHN.
#[derive(Clone, Debug)]
pub struct ShapeTables {
    pub(super) channels: Sizes,
    pub(super) spatial: Sizes,
}

/// One row per known size; a last one, for "no shape", comes after them.
#[derive(Clone, Debug)]
pub(super) struct Sizes {
    axis: Axis,
    sizes: Vec<usize>,
}

/// What a table tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Axis {
    /// Numbers of channels.
    Channels,
    /// Sides of kernels.
    Spatial,
}

/// A size that a GHN takes for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fallback {
    pub axis: Axis,
    pub size: usize,
    pub taken_for: usize,
}

impl ShapeTables {
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            channels: Sizes {
                axis: Axis::Channels,
                sizes: channel_sizes(config.num_classes),
            },
            spatial: Sizes {
                axis: Axis::Spatial,
                sizes: spatial_sizes(config.max_shape[3]),
            },
        }
    }

    /// Rows of a parameter's shape: two of channels, then two of kernel sides; the last rows without one.
    pub(super) fn rows(&self, shape: Option<&[usize]>) -> [usize; 4] {
        let Some(shape) = shape else {
            let [channels, spatial] = [self.channels.sizes.len(), self.spatial.sizes.len()];
            return [channels, channels, spatial, spatial];
        };
        let [out, input, h, w] = four_dimensions(shape);
        [
            self.channels.row(out),
            self.channels.row(input),
            self.spatial.row(h),
            self.spatial.row(w),
        ]
    }

    /// The sizes of a parameter's shape that have no row of their own, each once.
    #[must_use]
    pub fn fallbacks(&self, shape: &[usize]) -> Vec<Fallback> {
        let [out, input, h, w] = four_dimensions(shape);
        let (channels, spatial) = (&self.channels, &self.spatial);
        let places = [
            (channels, out),
            (channels, input),
            (spatial, h),
            (spatial, w),
        ];
        let mut all: Vec<Fallback> = places
            .iter()
            .filter_map(|(table, size)| table.fallback(*size))
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// Any shape as `[out, in, kh, kw]`.
fn four_dimensions(shape: &[usize]) -> [usize; 4] {
    match *shape {
        [n] => [n, 1, 1, 1],
        [out, input] => [out, input, 1, 1],
        [1, length, width] if length.min(width) > 1 => {
            let side = length.isqrt();
            [1, width, side, side]
        }
        [a, b, c] => [a, b, c, 1],
        [a, b, c, d, ..] => [a, b, c, d],
        [] => [1; 4],
    }
}

/// Channel counts that have a row of their own.
fn channel_sizes(classes: usize) -> Vec<usize> {
    let mut sizes: Vec<usize> = [1, 3, classes]
        .into_iter()
        .chain((8..=56).step_by(8))
        .chain((64..=4080).step_by(16))
        .chain((4096..=8192).step_by(32))
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// Kernel sides that have a row of their own.
fn spatial_sizes(largest: usize) -> Vec<usize> {
    let mut sizes: Vec<usize> = (1..largest.max(12)).step_by(2).chain([14, 16]).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

impl Sizes {
    /// Rows of the table, the one for "no shape" included.
    pub fn rows(&self) -> usize {
        self.sizes.len() + 1
    }

    /// The row for `size`: its own, or that of the nearest size, of two equally near ones the
    /// smaller; with the published exceptions.
    fn row(&self, size: usize) -> usize {
        let size = match (self.axis, size) {
            (Axis::Channels, 4..=7) if !self.sizes.contains(&size) => 8,
            (Axis::Spatial, 2) => 3,
            _ => size,
        };
        let after = self.sizes.partition_point(|s| *s < size);
        match (after.checked_sub(1), self.sizes.get(after)) {
            (None, _) => 0,
            (Some(last), None) => last,
            (Some(before), Some(next)) => {
                if *next == size || size - self.sizes[before] > next - size {
                    after
                } else {
                    before
                }
            }
        }
    }

    fn fallback(&self, size: usize) -> Option<Fallback> {
        let taken_for = self.sizes[self.row(size)];
        (taken_for != size).then_some(Fallback {
            axis: self.axis,
            size,
            taken_for,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_without_a_row_are_taken_for_the_nearest() {
        let tables = ShapeTables::new(&Config::ghn2_imagenet());
        let fallback = |axis, size, taken_for| Fallback {
            axis,
            size,
            taken_for,
        };
        let [channels, spatial] = [Axis::Channels, Axis::Spatial];
        assert_eq!(tables.fallbacks(&[64, 3, 7, 7]), []);
        assert_eq!(tables.fallbacks(&[96, 3, 4, 4]), [fallback(spatial, 4, 3)]);
        assert_eq!(
            tables.fallbacks(&[1000, 100, 2, 1]),
            [fallback(channels, 100, 96), fallback(spatial, 2, 3)]
        );
        assert_eq!(
            tables.fallbacks(&[10_000]),
            [fallback(channels, 10_000, 8192)]
        );
    }
}
