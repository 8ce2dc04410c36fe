//! The panels and what they have in common.
//!
//! A panel is a plain struct with three functions: [`Panel::update`] changes it, [`Panel::view`] only
//! reads it, [`Panel::hints`] says which keys mean something now. Adding one touches this file,
//! `command.rs` (its commands), `app.rs` (its value) and its own file.

pub mod architectures;
pub mod ghns;
pub mod parameters;
pub mod runs;
pub mod shift;

use std::path::Path;

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::command::Command;
use super::effect::Effect;
use super::shared::Shared;
use crate::engine::protocol::Answer;

/// The panels, in the order of their digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PanelId {
    Architectures,
    Parameters,
    Shift,
    Runs,
    Ghns,
}

impl PanelId {
    pub const ALL: [Self; 5] = [
        Self::Architectures,
        Self::Parameters,
        Self::Shift,
        Self::Runs,
        Self::Ghns,
    ];

    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Architectures => "Architectures",
            Self::Parameters => "Parameters",
            Self::Shift => "Shift",
            Self::Runs => "Runs",
            Self::Ghns => "GHNs",
        }
    }
}

/// What a panel hears.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A command of its own or one of those for everywhere.
    Command(Command),
    /// A key, only while [`Panel::takes_text`].
    Key(KeyEvent),
    /// Pasted text, only while [`Panel::takes_text`].
    Paste(&'a str),
    /// It came to the front.
    Shown,
    /// The area changed (see [`Shared::area`]); also once before the first frame.
    Resized,
    /// The app's one selection changed.
    SelectionChanged,
    /// [`Shared::archs`] has news about the selected architecture or the zoo's sizes.
    ArchsChanged,
    /// The engine said something (state common to all is already in [`Shared`]).
    Answer(&'a Answer),
    /// The engine died; what it held is lost.
    EngineGone,
    /// A fine-tuning run was started here.
    Launched(&'a Path),
    /// Starting one failed.
    LaunchFailed(&'a str),
    /// Files of runs have news.
    Runs(&'a runs::RunsMsg),
    /// A timer that [`Panel::wakes_every_ms`] asked for.
    Tick,
}

/// A key that means something now, for the footer and the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    pub command: Command,
    /// One or two words: what it does here and now.
    pub label: &'static str,
}

impl Hint {
    #[must_use]
    pub const fn new(command: Command, label: &'static str) -> Self {
        Self { command, label }
    }
}

/// One panel.
pub trait Panel {
    /// Takes one event in. Sets [`Shared::dirty`] if something on the screen changed and the event
    /// was no key (keys always draw).
    fn update(&mut self, event: Event<'_>, shared: &mut Shared) -> Vec<Effect>;

    /// Draws itself into `area`, which is [`Shared::area`].
    fn view(&self, shared: &Shared, area: Rect, buf: &mut Buffer);

    /// The keys that mean something now, the most useful first. The footer shows as many as fit.
    fn hints(&self, shared: &Shared) -> Vec<Hint>;

    /// Whether keys are text for an input of this panel now.
    fn takes_text(&self) -> bool {
        false
    }

    /// Whether `Esc` or `q` has something to leave in this panel (a form, a filter, a zoom).
    fn can_leave(&self) -> bool {
        false
    }

    /// How often it wants [`Event::Tick`], if at all. Only what moves needs one.
    fn wakes_every_ms(&self, _shared: &Shared) -> Option<u64> {
        None
    }
}
