//! Initial node features: what kind of op a node is, and the shape of its parameter.
//!
//! Letters: `N` nodes, `C` width of a state.

use super::super::graph::{Graph, Primitive};
use super::super::{GhnError, Parameter};
use super::config::Config;
use super::dense::add;
use super::sizes::ShapeTables;
use super::weight::Weight;
use super::weights::Weights;

/// Tables that turn a node into a vector.
#[derive(Clone, Debug)]
pub(super) struct Features {
    width: usize,
    /// `[15, C]`.
    primitives: Weight,
    shapes: ShapeTables,
    /// `[sizes + 1, C / 4]`.
    channels: Weight,
    /// `[sizes + 1, C / 4]`.
    spatial: Weight,
}

impl Features {
    pub fn new(config: &Config, weights: &Weights) -> Result<Self, GhnError> {
        let width = config.hid;
        let shapes = ShapeTables::new(config);
        let (channels, spatial) = (shapes.channels.rows(), shapes.spatial.rows());
        Ok(Self {
            width,
            primitives: weights.embedding("embed", Primitive::ALL.len(), width)?,
            spatial: weights.embedding("shape_enc.embed_spatial", spatial, width / 4)?,
            channels: weights.embedding("shape_enc.embed_channel", channels, width / 4)?,
            shapes,
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
                .flat_map(|(table, row)| &table[row * piece..(row + 1) * piece]);
            let start = node.primitive.id() * self.width;
            let primitive = &self.primitives[start..start + self.width];
            features.extend(primitive.iter().zip(shape).map(|(p, s)| p + s));
        }
        features
    }

    /// The way back of [`Features::of`]: adds to the derivatives by the tables, from those by the features.
    pub fn back(
        &self,
        graph: &Graph,
        parameters: &[Parameter],
        by_features: &[f32],
        gradient: &mut Self,
    ) {
        let piece = self.width / 4;
        let rows = self.rows(graph, parameters);
        let by_nodes = by_features.chunks_exact(self.width);
        for ((node, rows), by_node) in graph.nodes.iter().zip(rows).zip(by_nodes) {
            let start = node.primitive.id() * self.width;
            add(&mut gradient.primitives[start..start + self.width], by_node);
            for (place, (row, by_piece)) in rows.iter().zip(by_node.chunks_exact(piece)).enumerate()
            {
                let table = if place < 2 {
                    &mut gradient.channels
                } else {
                    &mut gradient.spatial
                };
                add(&mut table[row * piece..(row + 1) * piece], by_piece);
            }
        }
    }

    /// Its tensors.
    pub fn list<'a>(&'a mut self, all: &mut Vec<&'a mut Weight>) {
        all.extend([&mut self.primitives, &mut self.spatial, &mut self.channels]);
    }

    /// For each node the rows of the two channel and the two spatial tables.
    pub fn rows(&self, graph: &Graph, parameters: &[Parameter]) -> Vec<[usize; 4]> {
        let shapes = graph.nodes.iter().map(|node| node.described(parameters));
        shapes.map(|shape| self.shapes.rows(shape)).collect()
    }
}
