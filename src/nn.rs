//! Networks with values: parameters and their files, and the executor that runs an architecture
//! forward and backward.

mod backend;
pub mod correlation;
mod cuda;
mod device;
mod error;
pub mod files;
mod kernel;
mod layer;
pub mod linalg;
mod network;
pub mod parallel;
mod pickle;
mod state;
mod update;

pub use cuda::arrays;
pub use device::{
    Device, DeviceError, Placement, Precision, UnknownDevice, UnknownPrecision,
    look_for_libraries_in,
};
pub use error::{Mismatch, NnError};
pub use kernel::activation::{backward as activate_backward, in_place as activate};
pub use kernel::attention::Biased as BiasedAttention;
pub use kernel::loss::predicted;
pub use kernel::matmul;
pub use kernel::rows::add_weighted as add_weighted_rows;
pub use kernel::transpose;
pub use kernel::update::adamw;
pub use network::{
    Examples, Images, Mode, Network, Regularisation, StepOptions, StepOutput, StepTime,
};
pub use state::{StateDict, Tensor, Values};
pub use update::{AdamWNumbers, SgdNumbers, Update};
