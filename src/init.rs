//! Where a network's first parameters come from: the framework's random schemes, a GHN, a file; and
//! what is done to them before training: noise and orthogonal re-initialisation.

mod adapted;
mod error;
mod file;
mod layers;
pub mod post;
pub mod random;
mod recipe;
mod start;

pub use adapted::{Adapted, network_for};
pub use error::InitError;
pub use file::{Classifier, arch_of, network};
pub use layers::FirstLayer;
pub use post::{Post, PostReport, Progress, Warning, post_process};
pub use recipe::{RECIPES, Recipe, recipe};
pub use start::{Source, Start, Started, UsedGhn, start};
