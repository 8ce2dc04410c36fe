//! Shift: how far a network lies from those that GHNs are trained on.
//!
//! A [`Profile`] is what is looked at in one network, a [`Population`] what many networks of one split of
//! DeepNets-1M have in common, a [`Reference`] the populations of all splits for one kind of images.
//! [`Report::of`] sets a network against them; [`Embedding`] does so in the eyes of a certain GHN.

mod counts;
mod embedding;
mod error;
mod file;
mod nearest;
mod population;
mod profile;
mod reference;
mod report;
mod summary;
mod unseen;

pub use counts::Counts;
pub use embedding::{Embedding, EmbeddingShift};
pub use error::ShiftError;
pub use nearest::Neighbour;
pub use population::{Population, Standing};
pub use profile::{Feature, Measure, Measures, Profile};
pub use reference::{Reference, SIDES, size_of};
pub use report::{Against, Bar, Bins, FeatureShift, MeasureShift, Report, SplitStanding};
pub use unseen::{Kind, Layer, Tiling, Unseen};

#[cfg(test)]
mod tests;
