//! Data sets: what is found on disk (or drawn), and the loaders that turn it into batches.
//!
//! [`open`] recognises a data set and reads its labels, not its pixels. A [`TrainLoader`] or an
//! [`EvalLoader`] then takes the images that its part of the [`Protocol`] names, decodes them, and
//! prepares batches on threads of its own, ahead of the step that consumes them.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `set` | [`DataSet`]: name, classes, parts; shots, validation split |
//! | `recognise`, `cifar`, `columns`, `folder`, `mnist`, `synthetic` | the kinds of data sets |
//! | `source` | one part of a data set: labels, and images that are not yet decoded |
//! | `picture` | decoded images: crop, resize |
//! | `protocol` | what the fine-tuning protocol asks for; sides and normalisation |
//! | `pool` | the images of one loader, decoded in memory or when asked |
//! | `prepare` | augmentation and normalisation of one image |
//! | `prefetch`, `loader`, `buffer` | batches in order from other threads, in memory used again |

mod buffer;
mod cifar;
mod columns;
mod error;
mod folder;
mod loader;
mod mnist;
mod picture;
mod pool;
mod prefetch;
mod prepare;
mod protocol;
mod recognise;
mod set;
mod source;
mod synthetic;
#[cfg(test)]
mod tests;

pub use buffer::Pixels;
pub use error::DataError;
pub use loader::{Batch, EvalLoader, TrainLoader};
pub use protocol::{Normalisation, Protocol};
pub use recognise::open;
pub use set::{DataSet, Split};
