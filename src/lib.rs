//! hyperscope: predict a network's parameters with a Graph HyperNetwork, look at them, post-process
//! them, fine-tune from them and watch.
//!
//! The rooms, from the ground floor up; a room uses the rooms above it in this list, never one below
//! (`tests/rooms.rs` holds the code to this):
//!
//! | room | what it owns |
//! | --- | --- |
//! | [`random`], [`text`], `private`, [`setup`] | ground floor: seeded streams, text made safe to show, files of one's own, the process itself |
//! | [`arch`] | architectures: graph of ops with shapes, names and costs; the zoo |
//! | [`data`] | data sets and loaders |
//! | [`nn`] | parameters and their files; the executor that runs an [`arch::Arch`] forward and backward |
//! | [`ghn`] | the GHN graph, GHN models and their checkpoints, prediction |
//! | [`init`] | random initialisation and post-processing |
//! | [`stats`] | numbers about parameters: spectra, diversity |
//! | [`train`] | optimisers, schedules, metrics and the fine-tuning loop |
//! | [`run`] | a run's directory: request, events, checkpoints, lock, control; workers |
//! | [`engine`] | requests and answers between the app and its engine child |
//! | [`tui`] | the app |
//! | [`cli`] | the command line |

pub mod arch;
pub mod cli;
pub mod data;
pub mod engine;
pub mod ghn;
pub mod init;
mod memory;
pub mod nn;
mod private;
pub mod random;
pub mod run;
pub mod setup;
pub mod stats;
pub mod text;
pub mod train;
pub mod tui;
