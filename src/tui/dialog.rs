//! A form over a panel: lines to fill in, accepted or dropped as a whole.

use std::collections::BTreeMap;

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::overlay;
use super::shared::Look;
use super::widgets::form::{Line, Typed};
use super::widgets::pane::{self, Focus};
use super::widgets::write::{Slot, cut, put, put_all, put_right, width};
use crate::text::Shown;

/// One line to fill in.
#[derive(Debug)]
pub struct Entry {
    /// Name under which it is remembered.
    pub name: &'static str,
    pub label: &'static str,
    pub line: Line,
    /// What an empty line means.
    pub empty: &'static str,
}

impl Entry {
    /// A line that holds what was typed the last time, or else `first`.
    #[must_use]
    pub fn new(
        [name, label, first, empty]: [&'static str; 4],
        last: &BTreeMap<String, String>,
    ) -> Self {
        Self {
            name,
            label,
            line: Line::new(last.get(name).map_or(first, String::as_str)),
            empty,
        }
    }
}

/// An open form.
#[derive(Debug)]
pub struct Dialog {
    title: &'static str,
    /// Above the entries.
    intro: Shown,
    entries: Vec<Entry>,
    /// What Enter does.
    verb: &'static str,
    at: usize,
    error: Option<Shown>,
    /// Accepted, and waiting for the answer.
    pub sent: bool,
}

/// What a key did to a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    NotYet,
    Accepted,
    Dropped,
}

const COLUMNS: u16 = 66;
/// Where values begin.
const LABEL: u16 = 18;

impl Dialog {
    /// A form with at least one entry, the cursor on the first.
    #[must_use]
    pub fn new(title: &'static str, intro: &str, verb: &'static str, entries: Vec<Entry>) -> Self {
        Self {
            title,
            intro: Shown::new(intro),
            entries,
            verb,
            at: 0,
            error: None,
            sent: false,
        }
    }

    /// Takes one key. While an answer is awaited only `Esc` means something.
    pub fn key(&mut self, key: KeyEvent) -> Done {
        if self.sent {
            return match key.code {
                KeyCode::Esc => Done::Dropped,
                _ => Done::NotYet,
            };
        }
        self.error = None;
        let last = self.entries.len() - 1;
        match key.code {
            KeyCode::Down | KeyCode::Tab => self.at = (self.at + 1) % (last + 1),
            KeyCode::Up | KeyCode::BackTab => self.at = self.at.checked_sub(1).unwrap_or(last),
            _ => match self.entries[self.at].line.key(key) {
                Typed::Going => {}
                Typed::Accepted => return Done::Accepted,
                Typed::Dropped => return Done::Dropped,
            },
        }
        Done::NotYet
    }

    /// Takes pasted text into the line under the cursor.
    pub fn paste(&mut self, text: &str) {
        if !self.sent {
            self.entries[self.at].line.paste(text.trim());
        }
    }

    /// What was typed, by name.
    #[must_use]
    pub fn values(&self) -> BTreeMap<String, String> {
        self.entries
            .iter()
            .map(|e| (e.name.to_owned(), e.line.text().trim().to_owned()))
            .collect()
    }

    /// Shows why what was accepted did not work; it can be changed and accepted again.
    pub fn fail(&mut self, message: &str) {
        self.error = Some(Shown::new(message));
        self.sent = false;
    }

    /// Draws it over `screen`.
    pub fn view(&self, screen: Rect, look: &Look, buf: &mut Buffer) {
        let columns = COLUMNS.min(screen.width.saturating_sub(4));
        let intro = pane::wrap(self.intro.as_str(), columns.saturating_sub(4));
        let error = self.error.as_ref().map(Shown::as_str).unwrap_or_default();
        let errors = pane::wrap(error, columns.saturating_sub(4));
        let rows = intro.len() + self.entries.len() + errors.len() + 5;
        let area = overlay::open(screen, columns, rows as u16, look, buf);
        let inner = pane::titled(buf, area, self.title, Focus::Yes, look);
        let x = inner.x + 1;
        let room = inner.width.saturating_sub(2);
        let mut y = inner.y;
        for line in &intro {
            put(buf, Slot::new(x, y, room), line, look.theme.dim);
            y += 1;
        }
        y += 1;
        for (index, entry) in self.entries.iter().enumerate() {
            if y < area.bottom().saturating_sub(1) {
                self.entry(entry, index == self.at, Slot::new(x, y, room), look, buf);
            }
            y += 1;
        }
        self.foot(
            &errors,
            Rect {
                x,
                y: y + 1,
                width: room,
                height: area.bottom().saturating_sub(y + 2),
            },
            look,
            buf,
        );
    }

    fn entry(&self, entry: &Entry, here: bool, slot: Slot, look: &Look, buf: &mut Buffer) {
        let label = if self.entries.len() == 1 {
            width(entry.label) + 2
        } else {
            LABEL
        };
        if here {
            let row = Rect::new(slot.x - 1, slot.y, slot.width + 2, 1);
            buf.set_style(row, look.theme.selection_idle);
        }
        put(
            buf,
            Slot::new(slot.x, slot.y, label),
            entry.label,
            look.theme.dim,
        );
        let value = Slot::new(slot.x + label, slot.y, slot.width.saturating_sub(label));
        if here && !self.sent {
            entry.line.view(buf, value, look);
            if entry.line.text().is_empty() {
                let after = Slot::new(value.x + 2, value.y, value.width.saturating_sub(2));
                put(buf, after, entry.empty, look.theme.faint);
            }
        } else if entry.line.text().is_empty() {
            put(buf, value, entry.empty, look.theme.faint);
        } else {
            let text = Shown::new(entry.line.text());
            let text = cut(text.as_str(), value.width, look.glyphs.ellipsis);
            put(buf, value, &text, look.theme.text);
        }
    }

    fn foot(&self, errors: &[String], area: Rect, look: &Look, buf: &mut Buffer) {
        if self.error.is_some() {
            for (index, line) in errors.iter().enumerate() {
                let y = area.y + index as u16;
                if y < area.bottom() {
                    put(buf, Slot::new(area.x, y, area.width), line, look.theme.bad);
                }
            }
            return;
        }
        let slot = Slot::new(area.x, area.y, area.width);
        if area.height == 0 {
            return;
        }
        if self.sent {
            put(buf, slot, "Starting the run", look.theme.accent);
            return;
        }
        let theme = &look.theme;
        let enter = format!(" {}   ", self.verb);
        let keys = [
            ("Enter", theme.accent),
            (enter.as_str(), theme.dim),
            ("Esc", theme.accent),
            (" back", theme.dim),
        ];
        put_all(buf, slot, &keys);
        if self.entries.len() > 1 {
            put_right(buf, slot, look.glyphs.up_down, theme.faint);
        }
    }
}
