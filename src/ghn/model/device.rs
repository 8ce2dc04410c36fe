//! A GHN on a device: its weights lie there, and what it predicts comes down whole, in one transfer.
//!
//! What is small or goes from node to node stays on the processor: node features, the sweeps of the gated GNN,
//! the MLP without a graph. Everything wide is done on the device: the Graphormer, the decoders, tiling. The
//! files here are the counterparts of those one floor up and compute the same; they differ in how arrays lie.
//!
//! Letters: `N` nodes, `n` some of them, `C` width of a state.

mod clock;
mod decode;
mod dense;
mod graphormer;
mod parameters;
#[cfg(test)]
mod tests;

use super::super::graph::Graph;
use super::super::{GhnError, Parameter};
use super::writer::Writer;
use super::{Model, Seconds};
use crate::nn::DeviceError;
use crate::nn::Tensor;
use crate::nn::arrays::{Array, Arrays};
use clock::Clock;
use decode::{VectorDecoder, WeightDecoder};
use dense::LayerNorm;
use graphormer::Graphormer;
use parameters::Places;

/// A GHN's weights on a device, as far as they are used there.
#[derive(Debug)]
pub(super) struct DeviceGhn {
    arrays: Arrays,
    /// None for a GHN whose states the processor makes.
    graphormer: Option<Graphormer>,
    /// The last normalisation of a Graphormer's states.
    norm: Option<LayerNorm>,
    weights: WeightDecoder,
    vectors: VectorDecoder,
}

impl DeviceGhn {
    /// Uploads the weights.
    ///
    /// # Errors
    /// If the device fails or has not enough memory.
    pub fn new(model: &Model, mut arrays: Arrays) -> Result<Self, DeviceError> {
        let to = &mut arrays;
        let propagation = &model.propagation;
        let graphormer = propagation.graphormer();
        let graphormer = graphormer.map(|g| Graphormer::keep(g, to)).transpose()?;
        let norm = propagation.norm().filter(|_| graphormer.is_some());
        let norm = norm.map(|norm| LayerNorm::keep(norm, to)).transpose()?;
        Ok(Self {
            graphormer,
            norm,
            weights: WeightDecoder::keep(&model.weights, to)?,
            vectors: VectorDecoder::keep(&model.vectors, to)?,
            arrays,
        })
    }

    /// The tensor of each parameter that `writer` writes, as [`Writer::run`] gives them; `model` is the GHN
    /// whose weights these are.
    ///
    /// # Errors
    /// [`GhnError::DeviceMemory`] and [`GhnError::Memory`] if there is not enough memory there or here, and if
    /// the device fails. The weights stay usable.
    pub fn predict(
        &mut self,
        model: &Model,
        graph: &Graph,
        parameters: &[Parameter],
        writer: &Writer<'_>,
    ) -> Result<(Vec<Option<Tensor>>, Seconds), GhnError> {
        let predicted = self.predicted(model, graph, parameters, writer);
        if predicted.is_err() {
            self.arrays.release();
        }
        predicted
    }

    fn predicted(
        &mut self,
        model: &Model,
        graph: &Graph,
        parameters: &[Parameter],
        writer: &Writer<'_>,
    ) -> Result<(Vec<Option<Tensor>>, Seconds), GhnError> {
        let mut seconds = Seconds::default();
        let mut clock = Clock::start();
        let nodes = writer.nodes();
        if nodes.is_empty() {
            return Ok((vec![None; parameters.len()], seconds));
        }
        let states = self.states(model, graph, parameters, &mut clock, &mut seconds)?;
        let arrays = &mut self.arrays;
        let nodes = arrays.upload_indices(&nodes)?;
        let states = arrays.rows(states.view(), writer.config.hid, nodes.view())?;
        let places = Places::new(writer, arrays)?;
        places.write(writer, &self.weights, &self.vectors, states.view(), arrays)?;
        seconds.decode = clock.lap(arrays)?;
        let tensors = places.fetch(writer, arrays)?;
        seconds.down = clock.lap(arrays)?;
        Ok((tensors, seconds))
    }

    /// The states of all nodes as the decoders read them, `[N, C]`.
    fn states(
        &mut self,
        model: &Model,
        graph: &Graph,
        parameters: &[Parameter],
        clock: &mut Clock,
        seconds: &mut Seconds,
    ) -> Result<Array, DeviceError> {
        let arrays = &mut self.arrays;
        let features = model.features.of(graph, parameters);
        let Some(graphormer) = &self.graphormer else {
            let states = model.propagation.run(features, &graph.distances);
            seconds.gnn = clock.lap(arrays)?;
            let states = arrays.upload(&states.normalised)?;
            seconds.up = clock.lap(arrays)?;
            return Ok(states);
        };
        let input = graphormer.upload(features, &graph.distances, arrays)?;
        seconds.up = clock.lap(arrays)?;
        let mut states = graphormer.run(input, arrays)?;
        if let Some(norm) = &self.norm {
            states = norm.apply(states.view(), arrays)?;
        }
        seconds.gnn = clock.lap(arrays)?;
        Ok(states)
    }
}
