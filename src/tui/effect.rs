//! What the app wants done: values, carried out by the [`executor`](super::executor), which answers
//! with a [`Msg`](super::msg::Msg).

use super::panels::runs::RunsEffect;
use super::state_file::Remembered;
use crate::engine::protocol::{ArchSpec, Request};

/// One thing to do outside the app's state.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Leave the app.
    Quit,
    /// Hand the terminal back and stop until the shell continues us.
    Suspend,
    /// Forget what the terminal shows and draw everything.
    Redraw,
    /// Start an engine child if none lives.
    StartEngine,
    /// End the engine child and start another.
    RestartEngine,
    /// Ask the engine.
    Ask(Request),
    /// Build an architecture, away from the drawing.
    Build(ArchSpec),
    /// Count the parameters of the whole zoo for these classes and this image side.
    Survey { classes: usize, side: usize },
    /// Run this program with these arguments and report the run that it started.
    Launch(Vec<String>),
    /// Put text on the terminal's clipboard (OSC 52).
    Copy(String),
    /// Keep the selection for the next start.
    Remember(Box<Remembered>),
    /// Read or steer runs.
    Runs(RunsEffect),
}
