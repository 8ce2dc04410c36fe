//! The line in which a filter or a setting is typed, and in which a filter stays.

use ratatui::buffer::Buffer;

use super::{Setting, Typing};
use crate::text::Shown;
use crate::tui::shared::Look;
use crate::tui::widgets::write::{Slot, put};

/// Draws what is being typed about the tree, else its filter. False if there is neither.
pub fn draw(typing: &Typing, filter: &str, slot: Slot, look: &Look, buf: &mut Buffer) -> bool {
    let (label, line) = match typing {
        Typing::Setting(Setting::Classes, line) => ("number of classes ", Some(line)),
        Typing::Setting(Setting::Side, line) => ("image height and width ", Some(line)),
        Typing::TreeFilter(line) => ("/ ", Some(line)),
        Typing::Nothing | Typing::ListFilter(_) if filter.is_empty() => return false,
        Typing::Nothing | Typing::ListFilter(_) => ("/ ", None),
    };
    let used = put(buf, slot, label, look.theme.accent);
    let rest = Slot::new(slot.x + used, slot.y, slot.width.saturating_sub(used));
    match line {
        Some(line) => line.view(buf, rest, look),
        None => {
            put(buf, rest, Shown::new(filter).as_str(), look.theme.text);
        }
    }
    true
}
