//! Prediction: which node gives which tensor, and how the tensor is written.

use std::sync::PoisonError;
use std::time::Instant;

use super::super::graph::Graph;
use super::super::{GhnError, Parameter};
use super::plan::{Form, Made};
use super::propagate::States;
use super::writer::Writer;
use super::{ClassLayers, Ghn, PredictOptions, Prediction, Seconds};
use crate::arch::Arch;
use crate::nn::{StateDict, Tensor};

impl Ghn {
    /// Predicts the parameters of `arch`.
    ///
    /// # Errors
    /// [`GhnError::Memory`] if there is not enough for the parameters, [`GhnError::DeviceMemory`] if there is not on
    /// the device of [`Ghn::on`], and [`GhnError::Device`] if that fails.
    pub fn predict(
        &self,
        arch: &Arch,
        options: &PredictOptions<'_>,
    ) -> Result<Prediction, GhnError> {
        let start = Instant::now();
        let (graph, parameters) = Graph::with_parameters(arch);
        let graph_s = start.elapsed().as_secs_f64();
        let options = options.resolved(self.config().num_classes == arch.classes());
        let mut prediction = self.predict_graph(&graph, &parameters, &options)?;
        prediction.seconds.graph = graph_s;
        Ok(prediction)
    }

    /// Predicts the parameters of the network that has this graph and these parameters.
    ///
    /// [`ClassLayers::WhenClassesMatch`] compares with the length of the classifier's bias.
    ///
    /// # Errors
    /// As [`Ghn::predict`].
    pub fn predict_graph(
        &self,
        graph: &Graph,
        parameters: &[Parameter],
        options: &PredictOptions<'_>,
    ) -> Result<Prediction, GhnError> {
        let classes = graph.nodes.last().and_then(|n| n.parameter);
        let classes = classes.and_then(|p| parameters[p].shape.first().copied());
        let options = options.resolved(classes == Some(self.config().num_classes));
        let writer = Writer::new(self.config(), graph, parameters, &options);
        let (mut tensors, seconds) = match &self.there {
            Some(there) => {
                let mut there = there.lock().unwrap_or_else(PoisonError::into_inner);
                there.predict(&self.model, graph, parameters, &writer)?
            }
            // Not called from outside for each product, which would wake threads each time.
            None => rayon::scope(|_| self.on_processor(graph, parameters, &writer))?,
        };
        let unpredicted = parameters
            .iter()
            .zip(&tensors)
            .filter(|(p, t)| t.is_none() || !options.wants(&p.name))
            .map(|(p, _)| p.name.clone())
            .collect();
        let named = parameters.iter().zip(&mut tensors);
        // A norm's two vectors come from one node, of which only one may be asked for.
        let tensors: StateDict = named
            .filter(|(p, _)| options.wants(&p.name))
            .filter_map(|(p, t)| t.take().map(|t| (p.name.clone(), t)))
            .collect();
        Ok(Prediction {
            tensors,
            unpredicted,
            seconds,
        })
    }

    /// The tensor of each parameter that is asked for, as the CPU writes them.
    fn on_processor(
        &self,
        graph: &Graph,
        parameters: &[Parameter],
        writer: &Writer<'_>,
    ) -> Result<(Vec<Option<Tensor>>, Seconds), GhnError> {
        let start = Instant::now();
        let (_, states) = self.states(graph, parameters);
        let gnn = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let written = writer.run(&self.model, &states.normalised);
        let (tensors, _) = written.map_err(|_| GhnError::no_room_for(parameters))?;
        let seconds = Seconds {
            gnn,
            decode: start.elapsed().as_secs_f64(),
            ..Seconds::default()
        };
        Ok((tensors, seconds))
    }

    /// Node features and node states, each `[nodes, hid]`.
    #[must_use]
    pub fn states(&self, graph: &Graph, parameters: &[Parameter]) -> (Vec<f32>, States) {
        let features = self.model.features.of(graph, parameters);
        let propagation = &self.model.propagation;
        let states = propagation.run(features.clone(), &graph.distances);
        (features, states)
    }

    /// For each node, the rows of the two channel tables and the two spatial tables that describe
    /// its shape.
    #[must_use]
    pub fn shape_rows(&self, graph: &Graph, parameters: &[Parameter]) -> Vec<[usize; 4]> {
        self.model.features.rows(graph, parameters)
    }
}

impl PredictOptions<'_> {
    fn resolved(&self, classes_match: bool) -> Self {
        let class_layers = match self.class_layers {
            ClassLayers::WhenClassesMatch if classes_match => ClassLayers::Always,
            ClassLayers::WhenClassesMatch => ClassLayers::Never,
            given => given,
        };
        Self {
            class_layers,
            ..*self
        }
    }

    fn wants(&self, name: &str) -> bool {
        self.only.is_none_or(|only| only.has(name))
    }

    /// Whether a tensor that this makes is asked for.
    pub(super) fn wants_any(&self, made: &Made, parameters: &[Parameter]) -> bool {
        let offset = match made.form {
            Form::Vector(form) => form.offset(),
            Form::Weight(_) | Form::ClassWeight(_) => None,
        };
        let mut made = [Some(made.parameter), offset].into_iter().flatten();
        made.any(|parameter| self.wants(&parameters[parameter].name))
    }
}
