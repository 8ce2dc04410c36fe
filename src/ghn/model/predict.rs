//! Prediction: which node gives which tensor, and how the tensor is written.

use std::collections::{BTreeMap, TryReserveError};
use std::time::Instant;

use rand_distr::{Distribution, Normal};
use rayon::prelude::*;

use super::super::graph::Graph;
use super::super::{GhnError, Parameter};
use super::decode::Vectors;
use super::plan::{BlockShape, Form, Made, VectorForm};
use super::propagate::States;
use super::scale::Scaling;
use super::tile::{Block, repeated};
use super::{ClassLayers, Ghn, PredictOptions, Prediction, Seconds};
use crate::arch::Arch;
use crate::nn::{StateDict, Tensor};
use crate::{memory, random};

/// Deviation of the class token's position encoding, which no GHN predicts.
const CLASS_TOKEN_STD: f32 = 0.02;

impl Ghn {
    /// Predicts the parameters of `arch`.
    ///
    /// # Errors
    /// [`GhnError::Memory`] if there is not enough for the parameters.
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
    /// [`GhnError::Memory`] if there is not enough for the parameters.
    pub fn predict_graph(
        &self,
        graph: &Graph,
        parameters: &[Parameter],
        options: &PredictOptions<'_>,
    ) -> Result<Prediction, GhnError> {
        let start = Instant::now();
        let (_, states) = self.states(graph, parameters);
        let gnn = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let classes = graph.nodes.last().and_then(|n| n.parameter);
        let classes = classes.and_then(|p| parameters[p].shape.first().copied());
        let options = options.resolved(classes == Some(self.config().num_classes));
        let writer = Writer::new(self, graph, parameters, &options);
        let mut tensors = writer.run(&states).map_err(|_| GhnError::Memory {
            values: parameters.iter().map(Parameter::size).sum(),
        })?;
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
            seconds: Seconds {
                graph: 0.0,
                gnn,
                decode: start.elapsed().as_secs_f64(),
            },
        })
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
    fn wants_any(&self, made: &Made, parameters: &[Parameter]) -> bool {
        let offset = match made.form {
            Form::Vector(form) => form.offset(),
            Form::Weight(_) | Form::ClassWeight(_) => None,
        };
        let mut made = [Some(made.parameter), offset].into_iter().flatten();
        made.any(|parameter| self.wants(&parameters[parameter].name))
    }
}

/// A tensor to write: whose node's state, into which parameter.
#[derive(Clone, Copy, Debug)]
struct Target {
    node: usize,
    parameter: usize,
}

type Written = Vec<(usize, Tensor)>;

struct Writer<'a> {
    ghn: &'a Ghn,
    parameters: &'a [Parameter],
    seed: u64,
    scaling: Scaling,
    /// Weights whose blocks are decoded in one go.
    blocks: BTreeMap<BlockShape, Vec<Target>>,
    class_weights: Vec<(BlockShape, Target)>,
    vectors: Vec<(Target, VectorForm)>,
}

impl<'a> Writer<'a> {
    fn new(
        ghn: &'a Ghn,
        graph: &Graph,
        parameters: &'a [Parameter],
        options: &PredictOptions<'_>,
    ) -> Self {
        let config = ghn.config();
        let mut writer = Self {
            ghn,
            parameters,
            seed: options.seed,
            scaling: if config.weight_norm {
                Scaling::FanIn
            } else {
                Scaling::None
            },
            blocks: BTreeMap::new(),
            class_weights: Vec::new(),
            vectors: Vec::new(),
        };
        let class_layers = options.class_layers == ClassLayers::Always;
        let mut plan = config.plan(graph, parameters, class_layers);
        plan.retain(|made| options.wants_any(made, parameters));
        for made in plan {
            let target = Target {
                node: made.node,
                parameter: made.parameter,
            };
            match made.form {
                Form::Weight(shape) => writer.blocks.entry(shape).or_default().push(target),
                Form::ClassWeight(shape) => writer.class_weights.push((shape, target)),
                Form::Vector(form) => writer.vectors.push((target, form)),
            }
        }
        writer
    }

    /// The predicted tensor of each parameter, if there is one.
    fn run(&self, states: &States) -> Result<Vec<Option<Tensor>>, TryReserveError> {
        let mut tensors: Vec<Option<Tensor>> = Vec::new();
        tensors.resize_with(self.parameters.len(), || None);
        let mut written = self.write_weights(states)?;
        written.extend(self.write_vectors(states));
        for (parameter, tensor) in written {
            tensors[parameter] = Some(tensor);
        }
        Ok(tensors)
    }

    /// States of some nodes, one after another.
    fn gather(&self, states: &States, nodes: impl Iterator<Item = usize>) -> Vec<f32> {
        let c = self.ghn.config().hid;
        nodes
            .flat_map(|n| &states.normalised[n * c..(n + 1) * c])
            .copied()
            .collect()
    }

    /// Decodes what is needed, layers of one block shape together, and then writes every weight once.
    fn write_weights(&self, states: &States) -> Result<Written, TryReserveError> {
        let decoder = &self.ghn.model.weights;
        let mut decoded: Vec<(BlockShape, &[Target], Vec<f32>)> = Vec::new();
        for (shape, targets) in &self.blocks {
            let inputs = self.gather(states, targets.iter().map(|t| t.node));
            decoded.push((*shape, targets, decoder.blocks(&inputs, *shape)));
        }
        for (shape, target) in &self.class_weights {
            let state = self.gather(states, [target.node].into_iter());
            let values = decoder.class_block(&state, *shape);
            decoded.push((*shape, std::slice::from_ref(target), values));
        }
        let mut jobs = Vec::new();
        for (shape, targets, values) in &decoded {
            for (node, target) in targets.iter().enumerate() {
                let block = Block {
                    outputs: shape.outputs,
                    inputs: shape.inputs,
                    nodes: targets.len(),
                    node,
                    values,
                };
                let parameter = &self.parameters[target.parameter];
                let room = memory::with_capacity(parameter.size())?;
                jobs.push((target.parameter, block, room));
            }
        }
        let written = jobs.into_par_iter().map(|(parameter, block, room)| {
            let weight = self.write_weight(parameter, block, room);
            (parameter, weight)
        });
        Ok(written.collect())
    }

    /// `values` is empty, with room for the whole weight.
    fn write_weight(&self, parameter: usize, block: Block<'_>, mut values: Vec<f32>) -> Tensor {
        let owner = &self.parameters[parameter];
        let scale = self.scaling.weight(&owner.shape);
        match *owner.shape {
            [1, length, width] => {
                self.random_tokens(owner, length, width, &mut values);
                block.tokens(width, scale, &mut values);
            }
            [out, input, ..] => block.tile([out, input], scale, &mut values),
            _ => {}
        }
        Tensor::new(owner.shape.clone(), values)
    }

    /// Position encodings are predicted for a square of tokens; those before it (the class token) are
    /// random.
    fn random_tokens(&self, owner: &Parameter, length: usize, width: usize, values: &mut Vec<f32>) {
        let side = length.isqrt();
        let outside = (length - side * side) * width;
        let mut rng = random::stream(self.seed, &format!("ghn/{}", owner.name));
        // The deviation is positive and finite, so there is a distribution.
        let normal = Normal::new(0.0, CLASS_TOKEN_STD).ok();
        let random = (0..outside).map(|_| normal.map_or(0.0, |n| n.sample(&mut rng)));
        values.extend(random);
    }

    fn write_vectors(&self, states: &States) -> Written {
        let inputs = self.gather(states, self.vectors.iter().map(|(target, _)| target.node));
        if inputs.is_empty() {
            return Vec::new();
        }
        let batch = self.ghn.model.vectors.vectors(&inputs);
        let mut written = Vec::new();
        for (index, (target, form)) in self.vectors.iter().enumerate() {
            self.write_vector(target.parameter, *form, batch.of(index), &mut written);
        }
        written
    }

    fn write_vector(&self, own: usize, form: VectorForm, vectors: Vectors, written: &mut Written) {
        let fill = |parameter: usize, values: &[f32]| {
            let shape = &self.parameters[parameter].shape;
            (shape.clone(), repeated(values, shape.iter().product()))
        };
        let (parameter, (shape, mut values)) = match form {
            VectorForm::Norm { offset } => {
                let (shape, mut values) = fill(own, vectors.weight);
                self.scaling.norm_weight(&mut values);
                written.push((own, Tensor::new(shape, values)));
                let Some(offset) = offset else { return };
                (offset, fill(offset, vectors.bias))
            }
            VectorForm::ClassBias => {
                let classes = self.ghn.model.vectors.class_bias(vectors);
                (own, fill(own, &classes))
            }
            VectorForm::Bias => (own, fill(own, vectors.bias)),
        };
        self.scaling.bias(&mut values);
        written.push((parameter, Tensor::new(shape, values)));
    }
}
