//! A pane: a line with its title, and what lies below. No boxes.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::write::{self, Slot, put};
use crate::tui::shared::Look;

/// Whether keys go to this pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    Yes,
    No,
}

impl Focus {
    #[must_use]
    pub fn when(focused: bool) -> Self {
        if focused { Self::Yes } else { Self::No }
    }
}

/// Draws the title in a line over the whole width and gives the area below it.
pub fn titled(buf: &mut Buffer, area: Rect, title: &str, focus: Focus, look: &Look) -> Rect {
    if area.height == 0 || area.width == 0 {
        return area;
    }
    rule(buf, Slot::new(area.x, area.y, area.width), look);
    let style = match focus {
        Focus::Yes => look.theme.title,
        Focus::No => look.theme.title_idle,
    };
    if area.width > 6 {
        let title = write::cut(title, area.width - 6, look.glyphs.ellipsis);
        let text = format!(" {title} ");
        put(
            buf,
            Slot::new(area.x + 2, area.y, area.width - 3),
            &text,
            style,
        );
    }
    Rect {
        y: area.y + 1,
        height: area.height - 1,
        ..area
    }
}

/// A line with a title over a part of a pane, in the manner of the charts' own.
pub fn heading(buf: &mut Buffer, slot: Slot, title: &str, look: &Look) {
    rule(buf, slot, look);
    if slot.width > 4 {
        let title = write::cut(title, slot.width - 4, look.glyphs.ellipsis);
        let text = format!(" {title} ");
        put(
            buf,
            Slot::new(slot.x + 1, slot.y, slot.width - 1),
            &text,
            look.theme.text,
        );
    }
}

/// A horizontal line.
pub fn rule(buf: &mut Buffer, slot: Slot, look: &Look) {
    let line = look.glyphs.rule.repeat(usize::from(slot.width));
    put(buf, slot, &line, look.theme.line);
}

/// A vertical line of `height` cells.
pub fn divider(buf: &mut Buffer, x: u16, y: u16, height: u16, look: &Look) {
    for row in y..y.saturating_add(height) {
        put(buf, Slot::new(x, row, 1), look.glyphs.bar, look.theme.line);
    }
}

/// What a pane says when it has nothing to show: the first line in text, the others dimmed, each
/// wrapped to the width.
pub fn message(buf: &mut Buffer, area: Rect, lines: &[&str], look: &Look) {
    let width = area.width.saturating_sub(4);
    let mut y = area.y + u16::from(area.height > 4);
    for (index, line) in lines.iter().enumerate() {
        let style = if index == 0 {
            look.theme.text
        } else {
            look.theme.dim
        };
        for part in wrap(line, width) {
            if y >= area.bottom() {
                return;
            }
            put(buf, Slot::new(area.x + 2, y, width), &part, style);
            y += 1;
        }
    }
}

/// Breaks at spaces into lines of at most `width` cells; a longer word is cut hard.
#[must_use]
pub fn wrap(text: &str, width: u16) -> Vec<String> {
    if width == 0 {
        return Vec::new();
    }
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word = word.to_owned();
        loop {
            let line = lines.last_mut().expect("there is always a line");
            let space = u16::from(!line.is_empty());
            if write::width(line) + space + write::width(&word) <= width {
                if space == 1 {
                    line.push(' ');
                }
                line.push_str(&word);
                break;
            }
            if line.is_empty() {
                let head = write::cut(&word, width, "");
                if head.is_empty() {
                    break;
                }
                word = word[head.len()..].to_owned();
                *line = head;
            }
            lines.push(String::new());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_keeps_every_word_and_the_width() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("", 3), [""]);
        assert!(wrap("x", 0).is_empty());
    }
}
