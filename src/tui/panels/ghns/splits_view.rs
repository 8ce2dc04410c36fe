//! Draws the accuracy on each split: a line of numbers and a bar.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::bars::{Axis, PUBLISHED, on_bar};
use super::rows::{Row, State, axis_end};
use crate::tui::shared::Look;
use crate::tui::widgets::write::{Slot, put, put_all, put_right, width};

/// Cells of a split's word, of the number of networks, of mean and error.
const WORD: u16 = 7;
const NETWORKS: u16 = 6;
const MEAN: u16 = 12;
/// Cells of the numbers that stand behind the bars where there is room.
const RANDOM: u16 = 13;
const BEST: u16 = 7;
/// From this width on there is.
const ROOM: u16 = 84;
/// Cells between columns.
const GAP: u16 = 2;

/// What is drawn.
pub struct SplitsView<'a> {
    pub rows: &'a [Row],
    /// The line under the cursor, if the pane has the keys.
    pub at: Option<usize>,
    /// Lines from one bar to the next.
    pub pitch: u16,
    pub look: &'a Look,
}

impl SplitsView<'_> {
    /// Names of the columns, the lines, the legend.
    pub fn draw(&self, area: Rect, buf: &mut Buffer) {
        let inner = Rect {
            x: area.x + 1,
            width: area.width.saturating_sub(2),
            ..area
        };
        if inner.height < 2 {
            return;
        }
        let end = axis_end(self.rows);
        let chart = self.chart(inner);
        self.columns(inner, chart, end, buf);
        for (index, row) in self.rows.iter().enumerate() {
            let y = inner.y + 1 + index as u16 * self.pitch;
            if y >= inner.bottom() {
                return;
            }
            if self.at == Some(index) {
                let line = Rect::new(area.x, y, area.width, 1);
                buf.set_style(line.intersection(buf.area), self.look.theme.selection);
            }
            self.numbers(row, Slot::new(inner.x, y, inner.width), chart, buf);
            let bar = Slot::new(chart.x, y, chart.width);
            let axis = Axis {
                end,
                look: self.look,
            };
            axis.draw(row, bar, buf);
        }
        let y = inner.y + 1 + self.rows.len() as u16 * self.pitch;
        if y < inner.bottom() {
            self.legend(Slot::new(inner.x, y, inner.width), buf);
        }
    }

    fn has_room(inner: Rect) -> bool {
        inner.width >= ROOM
    }

    /// Where the bars lie.
    fn chart(&self, inner: Rect) -> Rect {
        let before = WORD + NETWORKS + MEAN + GAP;
        let behind = if Self::has_room(inner) {
            RANDOM + BEST
        } else {
            0
        };
        Rect {
            x: inner.x + before,
            width: inner.width.saturating_sub(before + behind),
            ..inner
        }
    }

    fn columns(&self, inner: Rect, chart: Rect, end: f64, buf: &mut Buffer) {
        let theme = &self.look.theme;
        let y = inner.y;
        put(buf, Slot::new(inner.x, y, WORD), "split", theme.faint);
        let slot = Slot::new(inner.x + WORD, y, NETWORKS);
        put_right(buf, slot, "nets", theme.faint);
        let slot = Slot::new(inner.x + WORD + NETWORKS, y, MEAN);
        put_right(buf, slot, "% right", theme.faint);
        let axis = Slot::new(chart.x, y, chart.width);
        put(buf, axis, "0", theme.faint);
        put_right(buf, axis, &format!("{end:.0} %"), theme.faint);
        if Self::has_room(inner) {
            let random = Slot::new(chart.right(), y, RANDOM);
            put_right(buf, random, "random", theme.faint);
            let best = Slot::new(chart.right() + RANDOM, y, BEST);
            put_right(buf, best, "best", theme.faint);
        }
    }

    fn numbers(&self, row: &Row, slot: Slot, chart: Rect, buf: &mut Buffer) {
        let theme = &self.look.theme;
        let word_style = match row.state {
            State::NotEvaluated => theme.faint,
            State::Finished | State::Going(_) => theme.text,
        };
        put(
            buf,
            Slot::new(slot.x, slot.y, WORD),
            row.part.word(),
            word_style,
        );
        let networks = Slot::new(slot.x + WORD, slot.y, NETWORKS);
        let networks_style = match row.state {
            State::Going(_) => theme.accent,
            State::Finished | State::NotEvaluated => theme.dim,
        };
        put_right(buf, networks, &row.networks_words(), networks_style);
        let mean = Slot::new(slot.x + WORD + NETWORKS, slot.y, MEAN);
        let Some(predicted) = row.predicted else {
            let text = match row.state {
                State::Going(_) => "waiting",
                State::Finished | State::NotEvaluated => "not yet",
            };
            put_right(buf, mean, text, theme.faint);
            return;
        };
        put_right(buf, mean, &self.plain(predicted.to_string()), theme.text);
        if Self::has_room(Rect::new(slot.x, slot.y, slot.width, 1)) {
            let random = row.random.map(|random| self.plain(random.to_string()));
            let place = Slot::new(chart.right(), slot.y, RANDOM);
            put_right(buf, place, &random.unwrap_or_default(), theme.dim);
            let place = Slot::new(chart.right() + RANDOM, slot.y, BEST);
            put_right(buf, place, &format!("{:.1}", predicted.max), theme.dim);
        }
    }

    /// The sign before an error, in ASCII where there is nothing else.
    fn plain(&self, text: String) -> String {
        if self.look.glyphs.is_ascii() {
            text.replace('±', "+-")
        } else {
            text
        }
    }

    fn legend(&self, slot: Slot, buf: &mut Buffer) {
        let (theme, glyphs) = (&self.look.theme, &self.look.glyphs);
        let bar = if glyphs.is_ascii() { "=" } else { glyphs.block };
        let mut pieces = vec![
            (bar, theme.series(0)),
            (" predicted ", theme.dim),
            // As it stands on most bars.
            (glyphs.bar, on_bar(true, theme.series(1), theme)),
            (" random", theme.dim),
        ];
        let mut used = width(" predicted ") + width(" random") + 4;
        if self.rows.iter().any(|row| !row.published.is_empty()) {
            pieces.push(("  ", theme.dim));
            for (letter, ghn) in PUBLISHED {
                pieces.push((letter, theme.text));
                pieces.push((" ", theme.dim));
                pieces.push((ghn, theme.faint));
                pieces.push((" ", theme.dim));
                used += 3 + width(ghn);
            }
            if slot.width >= used + width("published") {
                pieces.push(("published", theme.faint));
            }
        }
        put_all(buf, slot, &pieces);
    }
}
