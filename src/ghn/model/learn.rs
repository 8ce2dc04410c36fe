//! Learning: predictions that can be gone back through, and a GHN's weights to change.

use super::super::graph::Graph;
use super::super::{GhnError, Parameter};
use super::propagate::{States, Tape};
use super::weight::Weight;
use super::writer::{Writer, WriterTape};
use super::{ClassLayers, Ghn, Model, PredictOptions};
use crate::nn::{Device, StateDict};

/// A loss's derivatives by all weights of a GHN.
#[derive(Clone, Debug)]
pub struct Gradient(Model);

/// What the way back from a prediction needs.
#[derive(Clone, Debug)]
pub struct Notes<'a> {
    graph: &'a Graph,
    parameters: &'a [Parameter],
    propagation: Tape,
    states: States,
    writer: Writer<'a>,
    written: WriterTape,
}

impl Gradient {
    /// Its tensors, in the order of [`Ghn::weights_mut`].
    pub fn weights_mut(&mut self) -> Vec<&mut Weight> {
        self.0.list()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        for weight in self.0.list() {
            weight.fill(0.0);
        }
    }
}

impl Ghn {
    /// Zero derivatives by its weights.
    #[must_use]
    pub fn gradient(&self) -> Gradient {
        let mut gradient = Gradient(self.model.clone());
        gradient.clear();
        gradient
    }

    /// Its weights, to be changed. A copy of them on a device is given up: it predicts on the CPU from now on.
    pub fn weights_mut(&mut self) -> Vec<&mut Weight> {
        self.leave_device();
        self.model.list()
    }

    /// Its weights as checkpoints have them.
    pub fn state(&mut self) -> StateDict {
        let weights = self.model.list().into_iter();
        weights.map(|w| (w.name().to_owned(), w.tensor())).collect()
    }

    /// Takes over what [`Ghn::state`] gave; false, with weights of both, if it is of another GHN.
    #[must_use]
    pub fn load(&mut self, mut state: StateDict) -> bool {
        self.leave_device();
        let mut weights = self.model.list().into_iter();
        weights.all(|weight| state.take(weight.name()).is_some_and(|t| weight.take(t)))
            && state.is_empty()
    }

    /// What lies on a device would not follow a change.
    fn leave_device(&mut self) {
        (self.device, self.there) = (Device::Cpu, None);
    }

    /// Predicts all parameters of the network that has this graph and these parameters, its classification
    /// layer included, with notes for the way back.
    ///
    /// # Errors
    /// [`GhnError::Memory`] if there is not enough for the parameters.
    pub fn predict_noting<'a>(
        &self,
        graph: &'a Graph,
        parameters: &'a [Parameter],
        seed: u64,
    ) -> Result<(StateDict, Notes<'a>), GhnError> {
        let options = PredictOptions {
            class_layers: ClassLayers::Always,
            seed,
            ..PredictOptions::default()
        };
        let features = self.model.features.of(graph, parameters);
        let distances = &graph.distances;
        let (states, propagation) = self.model.propagation.run_noting(features, distances);
        let writer = Writer::new(self.config(), graph, parameters, &options);
        let (tensors, written) = writer
            .run(&self.model, &states.normalised)
            .map_err(|_| GhnError::no_room_for(parameters))?;
        let named = parameters.iter().zip(tensors);
        let tensors = named.filter_map(|(p, tensor)| Some((p.name.clone(), tensor?)));
        let notes = Notes {
            graph,
            parameters,
            propagation,
            states,
            writer,
            written,
        };
        Ok((tensors.collect(), notes))
    }

    /// Adds to the derivatives by the weights, from those by the predicted parameters, by name; parameters
    /// without derivatives change nothing.
    pub fn backward(&self, notes: &Notes<'_>, by_parameters: &StateDict, gradient: &mut Gradient) {
        let (model, Gradient(gradient)) = (&self.model, gradient);
        let mut by_states = vec![0.0; notes.states.normalised.len()];
        let written = &notes.written;
        notes
            .writer
            .back(model, written, by_parameters, &mut by_states, gradient);
        let by_features = model.propagation.back(
            &notes.states,
            &notes.propagation,
            &notes.graph.distances,
            by_states,
            &mut gradient.propagation,
        );
        let (graph, parameters) = (notes.graph, notes.parameters);
        let features = &model.features;
        features.back(graph, parameters, &by_features, &mut gradient.features);
    }
}

impl Model {
    /// All tensors.
    fn list(&mut self) -> Vec<&mut Weight> {
        let mut all = Vec::new();
        self.features.list(&mut all);
        self.propagation.list(&mut all);
        self.weights.list(&mut all);
        self.vectors.list(&mut all);
        all
    }
}
