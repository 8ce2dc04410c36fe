//! Initial node features: what kind of op a node is, and the shape of its parameter.
//!
//! Letters: `N` nodes, `C` width of a state.

use super::super::graph::{Graph, Primitive};
use super::super::{GhnError, Parameter};
use super::config::Config;
use super::weights::Weights;

/// Tables that turn a node into a vector.
#[derive(Clone, Debug)]
pub(super) struct Features {
    width: usize,
    /// `[15, C]`.
    primitives: Vec<f32>,
    channels: Table,
    spatial: Table,
}

/// An embedding of sizes: one row per known size, and a last one for "no shape".
#[derive(Clone, Debug)]
struct Table {
    axis: Axis,
    sizes: Vec<usize>,
    /// `[sizes + 1, C / 4]`.
    rows: Vec<f32>,
}

#[derive(Clone, Copy, Debug)]
enum Axis {
    Channels,
    Spatial,
}

impl Features {
    pub fn new(config: &Config, weights: &Weights) -> Result<Self, GhnError> {
        let width = config.hid;
        let table = |name: &str, axis, sizes: Vec<usize>| -> Result<Table, GhnError> {
            let rows = weights.embedding(name, sizes.len() + 1, width / 4)?;
            Ok(Table { axis, sizes, rows })
        };
        let spatial = spatial_sizes(config.max_shape[3]);
        let channels = channel_sizes(config.num_classes);
        Ok(Self {
            width,
            primitives: weights.embedding("embed", Primitive::ALL.len(), width)?,
            spatial: table("shape_enc.embed_spatial", Axis::Spatial, spatial)?,
            channels: table("shape_enc.embed_channel", Axis::Channels, channels)?,
        })
    }

    /// The features of every node, `[N, C]`.
    pub fn of(&self, graph: &Graph, parameters: &[Parameter]) -> Vec<f32> {
        let piece = self.width / 4;
        let mut features = Vec::with_capacity(graph.len() * self.width);
        for (node, rows) in graph.nodes.iter().zip(self.rows(graph, parameters)) {
            let tables = [&self.channels, &self.channels, &self.spatial, &self.spatial];
            let shape = tables
                .iter()
                .zip(rows)
                .flat_map(|(table, row)| &table.rows[row * piece..(row + 1) * piece]);
            let start = node.primitive.id() * self.width;
            let primitive = &self.primitives[start..start + self.width];
            features.extend(primitive.iter().zip(shape).map(|(p, s)| p + s));
        }
        features
    }

    /// For each node the rows of the two channel and the two spatial tables.
    pub fn rows(&self, graph: &Graph, parameters: &[Parameter]) -> Vec<[usize; 4]> {
        let none = [self.channels.sizes.len(), self.spatial.sizes.len()];
        let mut rows = Vec::with_capacity(graph.len());
        for node in &graph.nodes {
            let shape = match (node.parameter, &node.shape) {
                (Some(p), _) => Some(parameters[p].shape.as_slice()),
                (None, shape) => shape.as_deref(),
            };
            rows.push(shape.map_or([none[0], none[0], none[1], none[1]], |shape| {
                let [out, input, h, w] = four_dimensions(shape);
                let (channels, spatial) = (&self.channels, &self.spatial);
                [
                    channels.row(out),
                    channels.row(input),
                    spatial.row(h),
                    spatial.row(w),
                ]
            }));
        }
        rows
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

impl Table {
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
}
