//! Numbers about parameters: how diverse the rows of each weight are, what a tensor looks like, how
//! two sets of parameters differ, their norm beside a published one; how far an architecture
//! lies from those of DeepNets-1M; and what a few seeds say together. Plain results, ready to be shown or written as JSON.

mod compare;
mod detail;
mod diversity;
mod histogram;
mod moments;
pub mod norms;
pub mod nullable;
mod sample;
pub mod shift;
mod spectrum;
mod student;
mod total;

pub use compare::{Comparison, TensorDifference, compare};
pub use detail::{Detail, LARGEST_CORRELATION, detail};
pub use diversity::{Diversity, diversity, diversity_of, weights_of_arch, weights_of_state};
pub use histogram::Histogram;
pub use moments::Moments;
pub use sample::Sample;
pub use spectrum::Spectrum;
pub use total::Total;
