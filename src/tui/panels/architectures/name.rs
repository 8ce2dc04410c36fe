//! The cell with a row's name: indented, with its mark for folding and its count.

use ratatui::buffer::Buffer;
use ratatui::style::Style;

use super::outline::Fold;
use crate::tui::shared::Look;
use crate::tui::widgets::write::{Slot, cut, cut_left, put, put_right};

/// What stands in the cell.
pub struct Name<'a> {
    pub depth: usize,
    pub fold: Fold,
    /// How many equal blocks the row stands for.
    pub repeats: usize,
    pub label: &'a str,
    /// The operation of a function where that has no column of its own: the function is called by it.
    pub op: Option<&'a str>,
    pub style: Style,
}

impl Name<'_> {
    pub fn draw(&self, slot: Slot, look: &Look, buf: &mut Buffer) {
        let glyphs = &look.glyphs;
        let indent = u16::try_from(2 * self.depth)
            .unwrap_or(u16::MAX)
            .min(slot.width / 2);
        let mark = match self.fold {
            Fold::Leaf => " ",
            Fold::Open => glyphs.open,
            Fold::Closed => glyphs.closed,
        };
        let at = Slot::new(slot.x + indent, slot.y, 1);
        put(buf, at, mark, look.theme.dim);
        let count = match self.repeats {
            0 | 1 => String::new(),
            repeats => format!("x{repeats}"),
        };
        let counted = put_right(buf, slot, &count, look.theme.dim);
        let room = slot.width.saturating_sub(indent + 2 + counted);
        let rest = Slot::new(slot.x + indent + 2, slot.y, room);
        match self.op {
            Some(op) => put(buf, rest, &cut(op, room, glyphs.ellipsis), look.theme.dim),
            None => {
                let text = cut_left(self.label, room, glyphs.ellipsis);
                put(buf, rest, &text, self.style)
            }
        };
    }
}
