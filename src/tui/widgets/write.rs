//! Text into cells: cut to a width that is measured in cells, with an ellipsis.

use ratatui::buffer::Buffer;
use ratatui::style::Style;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

/// Where a line of text begins and how many cells it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub x: u16,
    pub y: u16,
    pub width: u16,
}

impl Slot {
    #[must_use]
    pub const fn new(x: u16, y: u16, width: u16) -> Self {
        Self { x, y, width }
    }
}

/// Width in cells.
#[must_use]
pub fn width(text: &str) -> u16 {
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// `text` in at most `room` cells, its end replaced by the ellipsis if it does not fit.
#[must_use]
pub fn cut(text: &str, room: u16, ellipsis: &str) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let room = room.saturating_sub(width(ellipsis));
    let mut kept = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        used += width(grapheme);
        if used > room {
            break;
        }
        kept.push_str(grapheme);
    }
    kept + ellipsis
}

/// `text` in at most `room` cells, its beginning replaced by the ellipsis: for paths and tensor
/// names, whose ends tell them apart.
#[must_use]
pub fn cut_left(text: &str, room: u16, ellipsis: &str) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let room = room.saturating_sub(width(ellipsis));
    let mut kept: Vec<&str> = Vec::new();
    let mut used = 0;
    for grapheme in text.graphemes(true).rev() {
        used += width(grapheme);
        if used > room {
            break;
        }
        kept.push(grapheme);
    }
    kept.reverse();
    ellipsis.to_owned() + &kept.concat()
}

/// `text` in at most `room` cells, its middle replaced by the ellipsis: for names whose beginnings say what
/// they are and whose ends tell them apart.
#[must_use]
pub fn cut_middle(text: &str, room: u16, ellipsis: &str) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let kept = room.saturating_sub(width(ellipsis));
    let head = cut(text, kept.div_ceil(2), "");
    head + &cut_left(text, room - kept.div_ceil(2), ellipsis)
}

/// Writes from the left, cut hard at the slot's end; gives the cells used.
pub fn put(buf: &mut Buffer, slot: Slot, text: &str, style: Style) -> u16 {
    let bounds = buf.area;
    if slot.y >= bounds.bottom() || slot.x >= bounds.right() || slot.y < bounds.y {
        return 0;
    }
    let room = slot.width.min(bounds.right() - slot.x);
    let (end, _) = buf.set_stringn(slot.x, slot.y, text, usize::from(room), style);
    end - slot.x
}

/// Writes at the right end of the slot.
pub fn put_right(buf: &mut Buffer, slot: Slot, text: &str, style: Style) -> u16 {
    let used = width(text).min(slot.width);
    let slot = Slot::new(slot.x + slot.width - used, slot.y, used);
    put(buf, slot, text, style)
}

/// Writes pieces of different styles one after the other; gives the cells used.
pub fn put_all(buf: &mut Buffer, slot: Slot, pieces: &[(&str, Style)]) -> u16 {
    let mut used = 0;
    for (text, style) in pieces {
        let rest = Slot::new(slot.x + used, slot.y, slot.width - used);
        used += put(buf, rest, text, *style);
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_counts_cells_and_keeps_graphemes_whole() {
        assert_eq!(cut("resnet50", 8, "…"), "resnet50");
        assert_eq!(cut("resnet50", 5, "…"), "resn…");
        assert_eq!(cut("架构架构", 5, "…"), "架构…");
        assert_eq!(
            cut_left("layer3.5.conv2.weight", 13, "…"),
            "…onv2.weight".to_owned().replace("…o", "…co")
        );
        assert_eq!(cut("abc", 0, ""), "");
        assert_eq!(cut_middle("shufflenet_v2_x0_5", 13, "…"), "shuffl…2_x0_5");
        assert_eq!(cut_middle("shufflenet", 10, "…"), "shufflenet");
        assert_eq!(cut_middle("abc", 1, "…"), "…");
        assert_eq!(cut_middle("abc", 0, ""), "");
    }
}
