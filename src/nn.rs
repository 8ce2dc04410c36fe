//! Networks with values: parameters and their files, and the executor that runs an architecture
//! forward and backward.

pub mod correlation;
mod error;
pub mod files;
mod kernel;
mod layer;
pub mod linalg;
mod network;
pub mod parallel;
mod pickle;
mod state;

pub use error::{Mismatch, NnError};
pub use kernel::loss::predicted;
pub use network::{Images, Mode, Network, ParamMut, Regularisation, StepOptions, StepOutput};
pub use state::{StateDict, Tensor, Values};
