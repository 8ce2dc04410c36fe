//! Bars of eighths, and the progress of work.

use ratatui::buffer::Buffer;
use ratatui::style::Style;

use super::write::{Slot, put};
use crate::tui::glyphs::Glyphs;

const EIGHTHS: [&str; 8] = ["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"];

/// A bar for `share` (0 to 1) of `cells` cells. Anything above zero shows at least a sliver.
#[must_use]
pub fn bar(share: f64, cells: u16, glyphs: &Glyphs) -> String {
    let share = if share.is_finite() {
        share.clamp(0.0, 1.0)
    } else {
        0.0
    };
    if share == 0.0 {
        return String::new();
    }
    if glyphs.is_ascii() {
        let full = (share * f64::from(cells)).round().max(1.0) as usize;
        return "=".repeat(full);
    }
    let eighths = (share * f64::from(cells) * 8.0).round().max(1.0) as usize;
    let mut text = EIGHTHS[7].repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        text.push_str(EIGHTHS[eighths % 8 - 1]);
    }
    text
}

/// Progress as filled and empty cells: `▰▰▰▱▱`.
#[must_use]
pub fn progress(done: u64, total: u64, cells: u16, glyphs: &Glyphs) -> String {
    let share = if total == 0 {
        0.0
    } else {
        (done as f64 / total as f64).min(1.0)
    };
    let full = (share * f64::from(cells)).round() as usize;
    glyphs.full.repeat(full) + &glyphs.empty.repeat(usize::from(cells) - full)
}

/// Columns of eighths for values from 0 to 1, one cell each: an outline of a spectrum. They stay
/// below the full cell, so that outlines in rows below each other keep apart.
pub fn outline(buf: &mut Buffer, slot: Slot, values: &[f32], style: Style, glyphs: &Glyphs) {
    const LEVELS: [&str; 6] = ["▁", "▂", "▃", "▄", "▅", "▆"];
    const ASCII: [&str; 6] = [".", ".", "-", "-", "=", "#"];
    let levels = if glyphs.is_ascii() { ASCII } else { LEVELS };
    let cells = usize::from(slot.width).min(values.len());
    let mut text = String::new();
    for cell in 0..cells {
        // Evenly spaced over all values, the first and the last always among them.
        let at = if cells > 1 {
            cell * (values.len() - 1) / (cells - 1)
        } else {
            0
        };
        let value = f64::from(values[at]);
        if value.is_finite() && value > 1e-6 {
            let level = (value.clamp(0.0, 1.0) * 6.0).ceil() as usize;
            text.push_str(levels[level.clamp(1, 6) - 1]);
        } else {
            text.push(' ');
        }
    }
    put(buf, slot, &text, style);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::glyphs::GlyphSet;

    #[test]
    fn bars_grow_by_eighths() {
        let glyphs = Glyphs::of(GlyphSet::Unicode);
        assert_eq!(bar(0.0, 8, &glyphs), "");
        assert_eq!(bar(1e-9, 8, &glyphs), "▏");
        assert_eq!(bar(0.5, 3, &glyphs), "█▌");
        assert_eq!(bar(1.0, 3, &glyphs), "███");
        assert_eq!(bar(f64::NAN, 3, &glyphs), "");
    }

    #[test]
    fn progress_never_overflows() {
        let glyphs = Glyphs::of(GlyphSet::Unicode);
        assert_eq!(progress(3, 5, 5, &glyphs), "▰▰▰▱▱");
        assert_eq!(progress(9, 5, 5, &glyphs), "▰▰▰▰▰");
        assert_eq!(progress(0, 0, 2, &glyphs), "▱▱");
    }
}
