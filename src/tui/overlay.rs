//! A box over the screen, for what interrupts: palette, help, questions.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget as _};

use super::shared::{Confirm, Look};
use super::widgets::pane;
use super::widgets::write::{Slot, put, put_all, width};

/// Clears a place of at most `columns` by `rows` in the upper middle of `screen`, with a margin all
/// round, and gives it.
pub fn open(screen: Rect, columns: u16, rows: u16, look: &Look, buf: &mut Buffer) -> Rect {
    let columns = columns.min(screen.width.saturating_sub(4));
    let rows = rows.min(screen.height.saturating_sub(2));
    let outer = Rect {
        x: screen.x + (screen.width - columns) / 2,
        y: screen.y + (screen.height - rows) / 3,
        width: columns,
        height: rows,
    };
    let margin = Rect {
        x: outer.x.saturating_sub(1),
        width: (outer.width + 2).min(screen.width),
        ..outer
    };
    Clear.render(margin, buf);
    buf.set_style(margin, look.theme.ground);
    frame(margin, look, buf);
    outer
}

/// Thin sides and a foot, so that the box stands out from what it covers.
fn frame(area: Rect, look: &Look, buf: &mut Buffer) {
    if area.width < 2 || area.height < 2 {
        return;
    }
    let last = area.bottom() - 1;
    pane::divider(buf, area.x, area.y, area.height, look);
    pane::divider(buf, area.right() - 1, area.y, area.height, look);
    pane::rule(buf, Slot::new(area.x, area.y, area.width), look);
    pane::rule(buf, Slot::new(area.x, last, area.width), look);
    if !look.glyphs.is_ascii() {
        for (x, y, corner) in [
            (area.x, area.y, "┌"),
            (area.right() - 1, area.y, "┐"),
            (area.x, last, "└"),
            (area.right() - 1, last, "┘"),
        ] {
            put(buf, Slot::new(x, y, 1), corner, look.theme.line);
        }
    }
}

/// Draws a question with its answers.
pub fn confirm(question: &Confirm, screen: Rect, look: &Look, buf: &mut Buffer) {
    let widest = width(question.question.as_str()).max(width(question.detail.as_str()));
    let columns = widest.clamp(30, 72) + 4;
    let lines = pane::wrap(question.question.as_str(), columns - 4);
    let details = pane::wrap(question.detail.as_str(), columns - 4);
    let rows = (lines.len() + details.len()) as u16 + 5;
    let area = open(screen, columns, rows, look, buf);
    let mut y = area.y + 1;
    for (line, style) in lines
        .iter()
        .map(|l| (l, look.theme.title))
        .chain(details.iter().map(|l| (l, look.theme.dim)))
    {
        put(buf, Slot::new(area.x + 2, y, area.width - 4), line, style);
        y += 1;
    }
    let answers = [
        ("y", look.theme.accent),
        (" yes   ", look.theme.text),
        ("n", look.theme.accent),
        (" no", look.theme.text),
    ];
    put_all(buf, Slot::new(area.x + 2, y + 1, area.width - 4), &answers);
}
