//! One line of text that is being typed.

use crossterm::event::{Event, KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::style::Modifier;
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler as _;

use super::write::{Slot, put};
use crate::text::Shown;
use crate::tui::shared::Look;

/// Longest text that an input takes, in characters.
const LONGEST: usize = 1024;

/// What a key did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Text or cursor changed, or nothing did.
    Going,
    /// Enter.
    Accepted,
    /// Esc.
    Dropped,
}

/// A line of text with a cursor.
#[derive(Clone, Debug, Default)]
pub struct Line {
    input: Input,
}

impl Line {
    /// A line that holds `text`, the cursor at its end.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self {
            input: Input::new(text.to_owned()),
        }
    }

    #[must_use]
    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// Takes one key.
    pub fn key(&mut self, key: KeyEvent) -> Typed {
        match key.code {
            KeyCode::Enter => return Typed::Accepted,
            KeyCode::Esc => return Typed::Dropped,
            KeyCode::Char(c) if c.is_control() => return Typed::Going,
            KeyCode::Char(_) if self.text().chars().count() >= LONGEST => return Typed::Going,
            _ => {}
        }
        self.input.handle_event(&Event::Key(key));
        Typed::Going
    }

    /// Takes pasted text; line breaks and other controls become spaces.
    pub fn paste(&mut self, text: &str) {
        let room = LONGEST.saturating_sub(self.text().chars().count());
        let clean = text.chars().take(room);
        for c in clean {
            let c = if c.is_control() { ' ' } else { c };
            self.input.handle(tui_input::InputRequest::InsertChar(c));
        }
    }

    /// Draws text and cursor; a text longer than the slot scrolls with the cursor.
    pub fn view(&self, buf: &mut Buffer, slot: Slot, look: &Look) {
        if slot.width == 0 {
            return;
        }
        let scroll = self.input.visual_scroll(usize::from(slot.width - 1));
        let shown = Shown::new(self.text());
        let visible = skip_cells(shown.as_str(), scroll);
        put(buf, slot, visible, look.theme.text);
        let at = self.input.visual_cursor().saturating_sub(scroll);
        let x = slot.x + u16::try_from(at).unwrap_or(u16::MAX).min(slot.width - 1);
        if let Some(cell) = buf.cell_mut((x, slot.y)) {
            cell.modifier.insert(Modifier::REVERSED);
        }
    }
}

/// `text` without its first `cells` cells.
fn skip_cells(text: &str, cells: usize) -> &str {
    use unicode_width::UnicodeWidthChar as _;
    let mut skipped = 0;
    for (index, c) in text.char_indices() {
        if skipped >= cells {
            return &text[index..];
        }
        skipped += c.width().unwrap_or(0);
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyModifiers;

    #[test]
    fn typing_and_pasting_fill_the_line() {
        let mut line = Line::new("a");
        line.key(KeyEvent::new(KeyCode::Char('b'), KeyModifiers::NONE));
        line.paste("c\nd\x1b");
        assert_eq!(line.text(), "abc d ");
        let enter = KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE);
        assert_eq!(line.key(enter), Typed::Accepted);
    }
}
