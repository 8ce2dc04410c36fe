//! Draws the details of the row under the cursor, below the tree or beside it.

use ratatui::buffer::Buffer;

use super::details::Details;
use super::layout::Layout;
use crate::tui::shared::Look;
use crate::tui::widgets::pane::{self, Focus};
use crate::tui::widgets::write::{Slot, put};

/// Cells of a label.
const LABEL: u16 = 7;

/// Draws as many lines as there is room for.
pub fn draw(details: &Details, layout: &Layout, look: &Look, buf: &mut Buffer) {
    let area = layout.details;
    if area.height < 3 || details.lines.is_empty() {
        return;
    }
    let title = arrows(details.title.as_str(), look);
    let inner = pane::titled(buf, area, &title, Focus::No, look);
    if area.y == layout.tree.y {
        pane::divider(buf, area.x - 1, area.y + 1, area.height - 1, look);
        let joint = Slot::new(area.x - 1, area.y, 1);
        put(buf, joint, look.glyphs.rule, look.theme.line);
    }
    let mut y = inner.y;
    let mut last = "";
    for (label, text) in &details.lines {
        let room = inner.width.saturating_sub(LABEL + 2);
        let parts = pane::wrap(&arrows(text.as_str(), look), room);
        for (index, part) in parts.iter().enumerate() {
            if y >= inner.bottom() {
                return;
            }
            if index == 0 && *label != last {
                let slot = Slot::new(inner.x + 1, y, LABEL);
                put(buf, slot, label, look.theme.faint);
            }
            let slot = Slot::new(inner.x + 1 + LABEL, y, room);
            put(buf, slot, part, look.theme.text);
            y += 1;
        }
        last = label;
    }
}

/// Arrows as the set of characters has them.
fn arrows(text: &str, look: &Look) -> String {
    text.replace('→', look.glyphs.arrow)
}
