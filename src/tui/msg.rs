//! Everything that can happen to the app.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::KeyEvent;

use super::catalogue::{ArchReport, Surveyed};
use super::command::Command;
use super::panels::runs::RunsMsg;
use crate::engine::protocol::{Answer, ArchSpec};

/// One thing that happened; [`update`](super::update::update) is the only one who reads it.
#[derive(Clone, Debug)]
pub enum Msg {
    Key(KeyEvent),
    /// A command without a key: what the app is opened for.
    Perform(Command),
    /// Bracketed paste.
    Paste(String),
    /// Columns and rows.
    Resize(u16, u16),
    /// A timer that runs only while something moves; the time since the app's start.
    Tick(Duration),
    /// The engine child said something.
    Answer(Box<Answer>),
    /// The engine child is gone; why, with what it last wrote to its standard error.
    EngineGone(String),
    /// An architecture was built, or could not be.
    Built(ArchSpec, Result<Arc<ArchReport>, String>),
    /// Sizes of all zoo networks.
    Surveyed(Surveyed),
    /// `finetune --detach` answered with the run's directory, or failed with its message.
    Launched(Result<PathBuf, String>),
    /// Files of runs.
    Runs(RunsMsg),
    /// Something outside the panels went wrong and should be read.
    Trouble(String),
}
