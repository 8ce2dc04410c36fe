//! A cursor in a list that is longer than its window.

use crate::tui::command::Command;

/// Which row has the cursor, and which is the first on the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    pub at: usize,
    pub top: usize,
}

impl Cursor {
    /// Moves by a command that moves; gives whether it was one. `rows` is the list's length,
    /// `page` the window's.
    pub fn command(&mut self, command: Command, rows: usize, page: usize) -> bool {
        let last = rows.saturating_sub(1);
        let page_step = page.saturating_sub(1).max(1);
        self.at = match command {
            Command::Up => self.at.saturating_sub(1),
            Command::Down => self.at.saturating_add(1),
            Command::PageUp => self.at.saturating_sub(page_step),
            Command::PageDown => self.at.saturating_add(page_step),
            Command::First => 0,
            Command::Last => last,
            _ => return false,
        };
        self.settle(rows, page);
        true
    }

    /// Keeps the cursor in the list and the window around the cursor, one row of context kept
    /// where there is room.
    pub fn settle(&mut self, rows: usize, page: usize) {
        self.at = self.at.min(rows.saturating_sub(1));
        let context = usize::from(page > 4);
        let highest = self.at.saturating_sub(context);
        let lowest = (self.at + context + 1).saturating_sub(page);
        self.top = self.top.clamp(lowest.min(highest), highest);
        self.top = self.top.min(rows.saturating_sub(page));
    }

    /// The rows in a window of `page`.
    #[must_use]
    pub fn window(&self, rows: usize, page: usize) -> std::ops::Range<usize> {
        let top = self.top.min(rows);
        top..rows.min(top.saturating_add(page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_cursor_is_always_in_the_window(
            moves in proptest::collection::vec(0_usize..6, 0..60),
            rows in 0_usize..40,
            page in 1_usize..12,
        ) {
            const COMMANDS: [Command; 6] = [
                Command::Up, Command::Down, Command::PageUp,
                Command::PageDown, Command::First, Command::Last,
            ];
            let mut cursor = Cursor::default();
            for m in moves {
                cursor.command(COMMANDS[m], rows, page);
                if rows > 0 {
                    prop_assert!(cursor.window(rows, page).contains(&cursor.at), "{cursor:?}");
                }
            }
        }
    }
}
