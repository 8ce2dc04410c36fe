//! The app as a whole, without a terminal: messages in, state, effects and cells out.

mod any_input;
mod compare;
pub(super) mod ghns;
pub(super) mod harness;
pub(super) mod made_runs;
mod parameters;
mod shell;
mod shift;
mod snapshots;
