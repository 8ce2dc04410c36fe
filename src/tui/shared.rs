//! What all panels see: the look, the one selection, the engine, the architectures.

use std::time::Duration;

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::catalogue::Catalogue;
use super::charts;
use super::effect::Effect;
use super::engine_state::{EngineState, Work};
use super::glyphs::{GlyphSet, Glyphs};
use super::keymap::Keymap;
use super::panels::PanelId;
use super::selection::Selection;
use super::theme::{Level, Theme};
use crate::engine::protocol;
use crate::text::Shown;

/// How things are drawn.
#[derive(Clone, Debug)]
pub struct Look {
    pub theme: Theme,
    pub level: Level,
    pub glyphs: Glyphs,
}

impl Look {
    /// Numbers and curves before post-processing.
    #[must_use]
    pub const fn before(&self) -> Style {
        self.theme.series(1)
    }

    /// Numbers and curves after post-processing.
    #[must_use]
    pub const fn after(&self) -> Style {
        self.theme.series(0)
    }

    /// The same look for the charts, which know no themes.
    #[must_use]
    pub const fn charts(&self) -> (charts::Palette, charts::Glyphs) {
        let palette = charts::Palette {
            text: self.theme.text,
            dim: self.theme.dim,
            faint: self.theme.faint,
            line: self.theme.line,
            accent: self.theme.title,
            bad: self.theme.bad,
        };
        let glyphs = match self.glyphs.set {
            GlyphSet::Unicode => charts::Glyphs::Braille,
            GlyphSet::Blocks => charts::Glyphs::Blocks,
            GlyphSet::Ascii => charts::Glyphs::Ascii,
        };
        (palette, glyphs)
    }
}

/// How serious a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Good,
    Warning,
    Bad,
}

/// One line that the user should read; shown at the bottom until the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub severity: Severity,
    pub text: Shown,
}

/// A question that must be answered with yes or no before anything else.
#[derive(Clone, Debug, PartialEq)]
pub struct Confirm {
    /// Names what would be done to what: `Stop run 20261123-0914-resnet50?`
    pub question: Shown,
    /// One line more: what is kept, what is lost.
    pub detail: Shown,
    pub yes: Vec<Effect>,
}

/// State common to all panels. Panels change it only through [`Panel::update`](super::panels::Panel::update).
#[derive(Debug)]
pub struct Shared {
    pub look: Look,
    pub keymap: Keymap,
    pub selection: Selection,
    pub engine: EngineState,
    pub archs: Catalogue,
    /// Where panels are drawn: the screen without the top and the bottom line.
    pub area: Rect,
    /// The panel in front.
    pub front: PanelId,
    /// Time since the app's start, moved on by ticks while something moves.
    pub now: Duration,
    pub notice: Option<Notice>,
    pub confirm: Option<Confirm>,
    /// Whether the screen must be drawn again.
    pub dirty: bool,
    /// Set by [`Shared::select`]; `update` tells all panels and clears it.
    pub(super) selection_changed: bool,
    /// The panel that should come to the front, see [`Shared::go_to`].
    pub(super) wanted_panel: Option<PanelId>,
    /// Path of the module that Architectures should show when it comes to the front.
    pub wanted_module: Option<String>,
    next_request: u64,
}

impl Shared {
    #[must_use]
    pub fn new(look: Look, keymap: Keymap, selection: Selection) -> Self {
        Self {
            look,
            keymap,
            selection,
            engine: EngineState::default(),
            archs: Catalogue::default(),
            area: Rect::default(),
            front: PanelId::Architectures,
            now: Duration::ZERO,
            notice: None,
            confirm: None,
            dirty: true,
            selection_changed: true,
            wanted_panel: None,
            wanted_module: None,
            next_request: 1,
        }
    }

    /// Changes the selection; all panels hear of it.
    pub fn select(&mut self, change: impl FnOnce(&mut Selection)) {
        let before = self.selection.clone();
        change(&mut self.selection);
        if before != self.selection {
            self.selection_changed = true;
            self.dirty = true;
        }
    }

    /// A request to the engine with a number of its own.
    pub fn ask(&mut self, command: protocol::Command) -> (u64, Effect) {
        let id = self.next_request;
        self.next_request += 1;
        (id, Effect::Ask(protocol::Request { id, command }))
    }

    /// Shows work as begun before the engine says so itself.
    pub fn begin_work(&mut self, id: u64, what: &str) {
        self.engine.work = Some(Work {
            id,
            what: Shown::new(what),
            done: 0,
            total: 0,
            since: self.now,
        });
    }

    /// As [`Shared::begin_work`], for work that other requests do not wait for.
    pub fn begin_background(&mut self, id: u64, what: &str) {
        self.engine.background = Some(Work {
            id,
            what: Shown::new(what),
            done: 0,
            total: 0,
            since: self.now,
        });
    }

    /// Brings a panel to the front after this message.
    pub const fn go_to(&mut self, panel: PanelId) {
        self.wanted_panel = Some(panel);
    }

    /// Shows one line at the bottom.
    pub fn say(&mut self, severity: Severity, text: &str) {
        self.notice = Some(Notice {
            severity,
            text: Shown::new(text),
        });
        self.dirty = true;
    }
}
