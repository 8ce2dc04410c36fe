//! The app as a whole, without a terminal: messages in, state, effects and cells out.

mod any_input;
mod harness;
mod parameters;
mod shell;
mod snapshots;
