//! Picks a network by letters of its name, in one line.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;

use crate::arch::zoo;
use crate::tui::selection::Selection;
use crate::tui::shared::Look;
use crate::tui::widgets::form::{Line, Typed};
use crate::tui::widgets::write::{Slot, put, width};

/// Cells for what is typed.
const TYPED: u16 = 14;

/// Which of the selection's networks is picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    First,
    Second,
}

/// The open line.
#[derive(Debug)]
pub struct Picker {
    which: Which,
    line: Line,
    /// Networks whose name holds every word typed.
    found: Vec<&'static str>,
    at: usize,
    /// What was selected before, for Esc.
    before: Selection,
}

impl Picker {
    /// Begins at the network that is selected.
    #[must_use]
    pub fn new(which: Which, selection: &Selection) -> Self {
        let mut picker = Self {
            which,
            line: Line::default(),
            found: Vec::new(),
            at: 0,
            before: selection.clone(),
        };
        picker.search();
        let now = match which {
            Which::First => Some(&selection.arch.name),
            Which::Second => selection.second.as_ref(),
        };
        let at = picker
            .found
            .iter()
            .position(|name| Some(*name) == now.map(String::as_str));
        picker.at = at.unwrap_or(0);
        picker
    }

    /// Takes a key; Up and Down go through what was found. Going tells that the choice may have changed.
    pub fn key(&mut self, key: KeyEvent) -> Typed {
        match key.code {
            KeyCode::Up => self.at = self.at.saturating_sub(1),
            KeyCode::Down => self.at = (self.at + 1).min(self.found.len().saturating_sub(1)),
            _ => {
                let before = self.line.text().to_owned();
                let typed = self.line.key(key);
                if before != self.line.text() {
                    self.search();
                }
                return typed;
            }
        }
        Typed::Going
    }

    /// Takes pasted text.
    pub fn paste(&mut self, text: &str) {
        self.line.paste(text);
        self.search();
    }

    fn search(&mut self) {
        let text = self.line.text().to_lowercase();
        let words: Vec<&str> = text.split_whitespace().collect();
        let names = zoo::names();
        self.found = names
            .filter(|name| words.iter().all(|w| name.contains(w)))
            .collect();
        self.at = 0;
    }

    /// Puts the choice into the selection.
    pub fn choose(&self, selection: &mut Selection) {
        let Some(name) = self.found.get(self.at) else {
            return;
        };
        match self.which {
            Which::First => (*name).clone_into(&mut selection.arch.name),
            Which::Second => selection.second = Some((*name).to_owned()),
        }
    }

    /// Takes the choice back.
    pub fn restore(&self, selection: &mut Selection) {
        selection.arch.name.clone_from(&self.before.arch.name);
        selection.second.clone_from(&self.before.second);
    }

    /// Draws what is typed, the choice, and what comes after it.
    pub fn view(&self, slot: Slot, look: &Look, buf: &mut Buffer) {
        let theme = &look.theme;
        let label = match self.which {
            Which::First => "/ ",
            Which::Second => "compare with ",
        };
        let end = slot.x + slot.width;
        let mut x = slot.x + put(buf, slot, label, theme.accent);
        let room = TYPED.min(end.saturating_sub(x));
        self.line.view(buf, Slot::new(x, slot.y, room), look);
        x += room + 1;
        if self.found.is_empty() {
            let rest = Slot::new(x, slot.y, end.saturating_sub(x));
            put(buf, rest, "no name has these letters", theme.dim);
        }
        for (index, name) in self.found.iter().enumerate().skip(self.at) {
            if x + width(name) > end {
                return;
            }
            let style = if index == self.at {
                theme.title
            } else {
                theme.faint
            };
            x += put(buf, Slot::new(x, slot.y, end - x), name, style) + 2;
        }
    }
}
