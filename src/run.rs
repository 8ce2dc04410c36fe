//! Runs: a run is a directory, a worker is a detached process.
//!
//! This room owns everything in that directory but the contents of `checkpoint/` (those are
//! [`train`](crate::train)'s), and the folders that the program keeps its things in:
//!
//! | part | what it owns |
//! | --- | --- |
//! | [`Home`], [`Config`] | config, cache and runs folders; the user's own settings |
//! | [`RunId`], [`RunDir`], [`Request`] | a run's name, its files, what was asked of it |
//! | [`EventLog`], [`Tail`], [`Line`] | the event log: its one writer and its readers |
//! | [`Standing`] | what a log says about its run so far, folded line by line |
//! | [`Lock`], [`Lease`] | who carries out a run, who uses a device |
//! | [`control`] | commands for the worker |
//! | [`Summary`], [`list`], [`find`] | runs as a list shows them, and by a part of their name |
//! | [`launch`], [`Worker`] | starting a worker; being one |
//! | [`evaluations`] | how good GHNs were found to be |
//! | [`tensorboard`] | a run's curves for TensorBoard |
//! | [`experiment`] | runs that belong together: their protocol, carrying them out, their results |
//!
//! Nothing here waits for another process except [`launch::detached`], which waits until the worker
//! that it started holds the run's lock. Readers never take a lock that a worker needs for longer
//! than a system call, and they never write.

pub mod clock;
mod config;
pub mod control;
mod dir;
mod error;
pub mod evaluations;
pub mod experiment;
mod find;
mod home;
mod id;
pub mod launch;
mod line;
mod list;
mod lock;
mod log;
mod process;
mod request;
mod series;
mod signals;
mod standing;
mod tail;
pub mod tensorboard;
mod worker;

pub use config::Config;
pub use control::Control;
pub use dir::RunDir;
pub use error::RunError;
pub(crate) use error::at;
pub use evaluations::{EvaluationRecord, Evaluations};
pub use find::find;
pub use home::Home;
pub use id::RunId;
pub use line::Line;
pub use list::{Lister, Listing, Status, Summary, list};
pub use lock::{Holder, Lease, Lock, holder, is_alive, lease_holder};
pub use log::EventLog;
pub use request::{DataRequest, GhnRequest, PostRequest, Request, TrainingRequest};
pub use series::without_repeats;
pub use signals::Signals;
pub use standing::{EvalPoint, Standing, TrainPoint};
pub use tail::{News, Tail};
pub use worker::{Terminal, Worker};

pub use crate::train::{Command, Event, RunState, Split, StepPhases};
