//! Graph HyperNetworks: the graph that a GHN reads, GHN models and their checkpoints, prediction.
//!
//! A prediction walks through the room like this: [`Trace::of`] writes down what PyTorch's autograd
//! would record for an architecture, [`Graph`] turns that record into the primitive ops, edges and
//! distances of Knyazev et al. (2021), and a [`Ghn`] turns the graph into parameters.

mod embed;
mod error;
pub mod graph;
pub mod hub;
mod model;
mod parameter;
pub mod reference;
mod trace;

pub use embed::{Embedding, Neighbour, norm};
pub use error::GhnError;
pub use graph::{Graph, Primitive};
pub use model::{
    Axis, BlockShape, CARD, ClassLayers, Config, DEFAULT, Decoder, EVALUATIONS, Fallback, Form,
    Ghn, Gradient, HyperNet, LARGEST_OPENED_BYTES, Listed, Made, Notes, PredictOptions, Prediction,
    Published, Seconds, ShapeTables, Stamp, States, UNTRAINED, VectorForm, Weight, folder, list,
};
pub use parameter::Parameter;
pub use trace::{Function, Trace};
