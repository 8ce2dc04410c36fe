//! The zoo as a list: families that fold, their networks with their size, a filter.

use std::collections::BTreeSet;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::compare::{ADDED, REMOVED};
use super::layout::LIST_HEAD;
use crate::arch::zoo;
use crate::tui::command::Command;
use crate::tui::shared::Shared;
use crate::tui::widgets::cursor::Cursor;
use crate::tui::widgets::form::Line;
use crate::tui::widgets::number;
use crate::tui::widgets::pane::{self, Focus};
use crate::tui::widgets::write::{Slot, cut_middle, put, put_right};

/// One line of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    /// Index into [`zoo::FAMILIES`].
    Family(usize),
    Arch(&'static str),
}

/// The list with its cursor.
#[derive(Debug, Default)]
pub struct ArchList {
    rows: Vec<Row>,
    cursor: Cursor,
    folded: BTreeSet<usize>,
    filter: String,
}

impl ArchList {
    /// Whether the cursor is on a network.
    #[must_use]
    pub fn on_arch(&self) -> bool {
        matches!(self.rows.get(self.cursor.at), Some(Row::Arch(_)))
    }

    #[must_use]
    pub fn filter_text(&self) -> &str {
        &self.filter
    }

    #[must_use]
    pub const fn is_filtered(&self) -> bool {
        !self.filter.is_empty()
    }

    /// Keeps only networks whose name holds every word of `text`, and puts the cursor on the first
    /// of them unless the chosen one is still there.
    pub fn filter(&mut self, text: &str, shared: &Shared) {
        text.clone_into(&mut self.filter);
        self.refresh(shared);
        if !self.on_arch() {
            let first = self.rows.iter().position(|r| matches!(r, Row::Arch(_)));
            self.cursor.at = first.unwrap_or(0);
        }
    }

    /// Makes the rows anew and puts the cursor on the chosen network, unless it was on a family.
    pub fn refresh(&mut self, shared: &Shared) {
        let words: Vec<String> = self
            .filter
            .split_whitespace()
            .map(str::to_lowercase)
            .collect();
        let fits = |name: &str| words.iter().all(|w| name.contains(w.as_str()));
        let on_family = match self.rows.get(self.cursor.at) {
            Some(row @ Row::Family(_)) => Some(*row),
            _ => None,
        };
        self.rows.clear();
        for (index, family) in zoo::FAMILIES.iter().enumerate() {
            let names: Vec<_> = family.names.iter().filter(|n| fits(n)).collect();
            if names.is_empty() {
                continue;
            }
            self.rows.push(Row::Family(index));
            if !self.folded.contains(&index) || !words.is_empty() {
                self.rows.extend(names.into_iter().map(|n| Row::Arch(n)));
            }
        }
        let selection = &shared.selection;
        let chosen = selection.second.as_ref().unwrap_or(&selection.arch.name);
        let wanted = |row: &Row| match (on_family, row) {
            (Some(family), row) => *row == family,
            (None, Row::Arch(name)) => *name == chosen,
            (None, Row::Family(_)) => false,
        };
        if let Some(at) = self.rows.iter().position(wanted) {
            self.cursor.at = at;
        }
    }

    /// Opens or closes the family under the cursor; on a network, `Left` goes to its family.
    pub fn fold(&mut self, command: Command, shared: &Shared) {
        match (self.rows.get(self.cursor.at), command) {
            (Some(Row::Family(index)), _) => {
                let index = *index;
                let close = match command {
                    Command::Left => true,
                    Command::Right => false,
                    _ => !self.folded.contains(&index),
                };
                if close {
                    self.folded.insert(index);
                } else {
                    self.folded.remove(&index);
                }
                self.refresh(shared);
            }
            (Some(Row::Arch(_)), Command::Left) => {
                let above = self.rows[..self.cursor.at]
                    .iter()
                    .rposition(|r| matches!(r, Row::Family(_)));
                self.cursor.at = above.unwrap_or(0);
            }
            _ => {}
        }
    }

    /// Moves the cursor.
    pub fn motion(&mut self, command: Command, page: usize) {
        self.cursor.command(command, self.rows.len(), page);
    }

    pub fn settle(&mut self, page: usize) {
        self.cursor.settle(self.rows.len(), page);
    }

    /// Makes the network under the cursor the app's selection, or the one compared with while two are.
    pub fn choose(&self, shared: &mut Shared) {
        if let Some(Row::Arch(name)) = self.rows.get(self.cursor.at) {
            shared.select(|selection| (*name).clone_into(selection.pointed()));
        }
    }

    /// Puts the cursor on the network that moving changes, also from a family; a filter that hides it goes.
    pub fn point(&mut self, shared: &Shared) {
        self.cursor.at = usize::MAX;
        self.refresh(shared);
        if self.cursor.at == usize::MAX {
            self.filter.clear();
            self.refresh(shared);
        }
    }

    /// Draws the pane; `typing` is the filter while it is being typed.
    pub fn view(
        &self,
        area: Rect,
        focused: bool,
        typing: Option<&Line>,
        shared: &Shared,
        buf: &mut Buffer,
    ) {
        let look = &shared.look;
        let title = if shared.selection.second.is_some() {
            "Compare with"
        } else {
            "Architectures"
        };
        let inner = pane::titled(buf, area, title, Focus::when(focused), look);
        self.filter_view(inner, typing, shared, buf);
        let rows = area.height.saturating_sub(LIST_HEAD);
        if self.rows.is_empty() {
            let below = Rect {
                y: inner.y + 1,
                height: inner.height.saturating_sub(1),
                ..inner
            };
            pane::message(
                buf,
                below,
                &["No name has these letters.", "Esc clears the filter."],
                look,
            );
            return;
        }
        let window = self.cursor.window(self.rows.len(), usize::from(rows));
        for (line, at) in window.enumerate() {
            let slot = Slot::new(inner.x, inner.y + 1 + line as u16, inner.width);
            if at == self.cursor.at {
                let style = look.theme.cursor(focused);
                buf.set_style(Rect::new(slot.x, slot.y, slot.width, 1), style);
            }
            self.row_view(self.rows[at], slot, shared, buf);
        }
    }

    fn filter_view(&self, inner: Rect, typing: Option<&Line>, shared: &Shared, buf: &mut Buffer) {
        let theme = &shared.look.theme;
        let slot = Slot::new(inner.x + 1, inner.y, inner.width.saturating_sub(2));
        let rest = Slot::new(slot.x + 2, slot.y, slot.width.saturating_sub(2));
        if let Some(line) = typing {
            put(buf, slot, "/", theme.accent);
            line.view(buf, rest, &shared.look);
        } else if self.is_filtered() {
            put(buf, slot, "/", theme.accent);
            let text = crate::text::Shown::new(&self.filter);
            put(buf, rest, text.as_str(), theme.text);
        } else {
            let count = zoo::names().count();
            put(buf, slot, &format!("{count} networks"), theme.faint);
        }
        put_right(buf, slot, "params", theme.faint);
    }

    fn row_view(&self, row: Row, slot: Slot, shared: &Shared, buf: &mut Buffer) {
        let (theme, glyphs) = (&shared.look.theme, &shared.look.glyphs);
        match row {
            Row::Family(index) => {
                let open = !self.folded.contains(&index) || self.is_filtered();
                let mark = if open { glyphs.open } else { glyphs.closed };
                put(buf, Slot::new(slot.x + 1, slot.y, 2), mark, theme.dim);
                let title = Slot::new(slot.x + 3, slot.y, slot.width.saturating_sub(3));
                put(buf, title, zoo::FAMILIES[index].title, theme.dim);
            }
            Row::Arch(name) => {
                let mark = mark(name, shared);
                if let Some((glyph, style)) = mark {
                    put(buf, Slot::new(slot.x + 1, slot.y, 1), glyph, style);
                }
                let size = shared.archs.sizes.params.get(name);
                let words = match size {
                    None => String::new(),
                    Some(None) => "too small".to_owned(),
                    Some(Some(params)) => number::count(*params),
                };
                let right = Slot::new(slot.x, slot.y, slot.width - 1);
                let used = put_right(buf, right, &words, theme.dim);
                let room = slot.width.saturating_sub(5 + used);
                let style = mark.map_or(theme.text, |(_, style)| style);
                let text = cut_middle(name, room, glyphs.ellipsis);
                put(buf, Slot::new(slot.x + 3, slot.y, room), &text, style);
            }
        }
    }
}

/// What marks a chosen network: of two that are compared, what only the first has is removed, what only
/// the second has is added.
fn mark(name: &str, shared: &Shared) -> Option<(&'static str, Style)> {
    let (theme, selection) = (&shared.look.theme, &shared.selection);
    let is_first = selection.arch.name == name;
    match &selection.second {
        Some(second) if second == name => Some((ADDED, theme.good)),
        Some(_) => is_first.then_some((REMOVED, theme.bad)),
        None => is_first.then_some((shared.look.glyphs.cursor, theme.accent)),
    }
}
