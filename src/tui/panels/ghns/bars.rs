//! One accuracy as a bar with its error, chance, and what published GHNs reach.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Style};

use super::rows::Row;
use crate::tui::shared::Look;
use crate::tui::theme::Theme;
use crate::tui::widgets::bar::bar;
use crate::tui::widgets::write::{Slot, put};

/// Letters of the published GHNs, in the order in which they come.
pub const PUBLISHED: [(&str, &str); 3] = [("2", "GHN-2"), ("1", "GHN-1"), ("m", "MLP")];

/// An axis from zero over some cells.
pub struct Axis<'a> {
    /// Percent at its end.
    pub end: f64,
    pub look: &'a Look,
}

impl Axis<'_> {
    /// The cell of a value, if it lies on the axis.
    fn cell(&self, value: f64, cells: u16) -> Option<u16> {
        let share = value / self.end;
        let is_inside = (0.0..=1.0).contains(&share) && cells > 0;
        is_inside.then(|| ((share * f64::from(cells)) as u16).min(cells - 1))
    }

    /// Draws a row: bar, then error, then chance, then ticks where there is still room.
    pub fn draw(&self, row: &Row, slot: Slot, buf: &mut Buffer) {
        let (theme, glyphs) = (&self.look.theme, &self.look.glyphs);
        let mut taken = vec![false; usize::from(slot.width)];
        let mut filled = 0;
        if let Some(predicted) = row.predicted {
            let share = predicted.mean / self.end;
            let text = bar(share, slot.width, glyphs);
            put(buf, slot, &text, theme.series(0));
            let whole = share.clamp(0.0, 1.0) * f64::from(slot.width);
            filled = whole as u16;
            let error = predicted.sem.unwrap_or(0.0);
            let ends = [predicted.mean - error, predicted.mean + error];
            self.error(ends, slot, filled, &mut taken, buf);
        }
        let chance = row
            .random
            .and_then(|random| self.cell(random.mean, slot.width));
        if let Some(at) = chance {
            taken[usize::from(at)] = true;
            let style = on_bar(at < filled, theme.series(1), theme);
            put(buf, Slot::new(slot.x + at, slot.y, 1), glyphs.bar, style);
        }
        for published in &row.published {
            let letter = PUBLISHED.iter().find(|(_, ghn)| *ghn == published.ghn);
            let (Some((letter, _)), Some(at)) = (letter, self.cell(published.top1, slot.width))
            else {
                continue;
            };
            // Beside what is there already.
            let free = [Some(at), at.checked_add(1), at.checked_sub(1)];
            let is_free = |at: &u16| taken.get(usize::from(*at)) == Some(&false);
            if let Some(at) = free.into_iter().flatten().find(is_free) {
                taken[usize::from(at)] = true;
                let style = on_bar(at < filled, theme.faint, theme);
                put(buf, Slot::new(slot.x + at, slot.y, 1), letter, style);
            }
        }
    }

    /// The mean's error as a line with ends; one that is smaller than a cell is not drawn.
    fn error(
        &self,
        [low, high]: [f64; 2],
        slot: Slot,
        filled: u16,
        taken: &mut [bool],
        buf: &mut Buffer,
    ) {
        let low = self.cell(low.max(0.0), slot.width);
        let high = self.cell(high.min(self.end), slot.width);
        let (Some(low), Some(high)) = (low, high) else {
            return;
        };
        if low >= high {
            return;
        }
        let [left, line, right] = if self.look.glyphs.is_ascii() {
            ["[", "-", "]"]
        } else {
            ["├", "─", "┤"]
        };
        for at in low..=high {
            let glyph = match at {
                at if at == low => left,
                at if at == high => right,
                _ => line,
            };
            taken[usize::from(at)] = true;
            let style = on_bar(at < filled, self.look.theme.text, &self.look.theme);
            put(buf, Slot::new(slot.x + at, slot.y, 1), glyph, style);
        }
    }
}

/// What stands on the bar is cut out of it; beside the bar it has its own colour.
pub fn on_bar(is_on_bar: bool, beside: Style, theme: &Theme) -> Style {
    match (is_on_bar, theme.series(0).fg) {
        (true, Some(colour)) => {
            let ground = theme.ground.bg.filter(|c| *c != Color::Reset);
            Style::new().fg(ground.unwrap_or(Color::Black)).bg(colour)
        }
        _ => beside,
    }
}
