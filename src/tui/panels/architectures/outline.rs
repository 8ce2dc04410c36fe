//! Rows that open and close, with a cursor that stays on its row.

use std::collections::HashSet;

use crate::tui::command::Command;
use crate::tui::widgets::cursor::Cursor;

/// Whether a row has others below it, and shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    Leaf,
    Open,
    Closed,
}

/// What the outline must know about a row.
pub trait OutlineRow {
    /// Tells rows apart, also when they are made anew.
    fn key(&self) -> &str;
    fn depth(&self) -> usize;
    fn fold(&self) -> Fold;
}

/// What a key did to the outline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folded {
    /// There was nothing to do.
    Nothing,
    /// The cursor moved.
    Moved,
    /// A row was opened or closed: the rows must be made anew.
    Changed,
}

/// The rows with their cursor.
#[derive(Debug)]
pub struct Outline<R> {
    rows: Vec<R>,
    cursor: Cursor,
    /// Keys of the rows that are open.
    pub open: HashSet<String>,
}

impl<R> Default for Outline<R> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            cursor: Cursor::default(),
            open: HashSet::new(),
        }
    }
}

impl<R: OutlineRow> Outline<R> {
    #[must_use]
    pub fn rows(&self) -> &[R] {
        &self.rows
    }

    #[must_use]
    pub const fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// The row under the cursor.
    #[must_use]
    pub fn row(&self) -> Option<&R> {
        self.rows.get(self.cursor.at)
    }

    /// Takes rows that were made anew; the cursor stays on its row if that is still there.
    pub fn replace(&mut self, rows: Vec<R>) {
        let key = self.row().map(|row| row.key().to_owned());
        self.rows = rows;
        self.cursor.at = key.and_then(|key| self.place(&key)).unwrap_or(0);
    }

    /// Puts the cursor on the row with this key, if there is one.
    pub fn go_to(&mut self, key: &str) {
        if let Some(at) = self.place(key) {
            self.cursor.at = at;
        }
    }

    fn place(&self, key: &str) -> Option<usize> {
        self.rows.iter().position(|row| row.key() == key)
    }

    /// Opens or closes the row under the cursor; `Left` on a closed row goes to its parent, `Right` on an
    /// open one into it.
    pub fn fold(&mut self, command: Command) -> Folded {
        let Some(row) = self.row() else {
            return Folded::Nothing;
        };
        let (key, depth) = (row.key().to_owned(), row.depth());
        match (row.fold(), command) {
            (Fold::Open, Command::Left | Command::Open | Command::Toggle) => {
                self.open.remove(&key);
            }
            (Fold::Closed, Command::Right | Command::Open | Command::Toggle) => {
                self.open.insert(key);
            }
            (_, Command::Left) => {
                let above = &self.rows[..self.cursor.at];
                let Some(parent) = above.iter().rposition(|r| r.depth() < depth) else {
                    return Folded::Nothing;
                };
                self.cursor.at = parent;
                return Folded::Moved;
            }
            (Fold::Open, Command::Right) => {
                self.cursor.at += 1;
                return Folded::Moved;
            }
            _ => return Folded::Nothing,
        }
        Folded::Changed
    }

    /// Opens all of these, or closes everything if all of them are open.
    pub fn toggle_all(&mut self, all: HashSet<String>) {
        if all.is_subset(&self.open) {
            self.open.clear();
        } else {
            self.open = all;
        }
    }

    /// Moves the cursor.
    pub fn motion(&mut self, command: Command, page: usize) {
        self.cursor.command(command, self.rows.len(), page);
    }

    /// Keeps the cursor on a row and in a window of `page` rows.
    pub fn settle(&mut self, page: usize) {
        self.cursor.settle(self.rows.len(), page);
    }
}
