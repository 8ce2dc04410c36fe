//! Architectures: what a network computes, without any parameter values.
//!
//! An [`Arch`] is the one description of a network. The browser draws it, the GHN graph is derived
//! from it, the executor runs and differentiates it, and its cost and parameter list come from it.
//! This room knows no tensors.

mod alike;
mod attention;
mod builder;
mod choice;
mod cost;
pub mod deepnets;
mod diff;
mod error;
mod graph;
mod infer;
pub mod onnx;
mod op;
mod scheme;
mod shape;
mod tree;
mod window;
pub mod zoo;

pub(crate) use alike::alike;
pub use attention::{Attention, AttentionKind, Projection};
pub use builder::{Builder, Draw, ModuleId};
pub use choice::TensorChoice;
pub use cost::{Cost, node_cost};
pub use diff::{
    Diff, DiffRow, ModuleDiff, NodeDiff, Part, Side as DiffSide, Tally, block as diff_block,
};
pub use error::ArchError;
pub use graph::{Arch, Module, Node, NodeId, TensorId, TensorRole, TensorSpec};
pub use op::{Activation, Conv2d, Linear, Op, Pool};
pub use scheme::Scheme;
pub use shape::Shape;
pub use tree::{ModuleTree, TreeRow};
pub use window::{Deal, Offsets, Partition, Shift};

/// Builds the network called `name`: one of the zoo's or of [`deepnets`], or that in an ONNX file.
///
/// # Errors
/// As [`zoo::build`], [`deepnets::build`] and [`onnx::build`].
pub fn build(name: &str, options: &zoo::Options) -> Result<Arch, ArchError> {
    if deepnets::is_name(name) {
        deepnets::build(name, options)
    } else if onnx::is_name(name) {
        onnx::build(name, options)
    } else {
        zoo::build(name, options)
    }
}

/// What the network called `name` is built for where nobody says anything else: a file's own classes and
/// images, and ImageNet's for all others.
///
/// # Errors
/// As [`onnx::own_options`].
pub fn usual_options(name: &str) -> Result<zoo::Options, ArchError> {
    if onnx::is_name(name) {
        onnx::own_options(name)
    } else {
        Ok(zoo::Options::default())
    }
}
