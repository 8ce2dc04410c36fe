//! What the GHN has never seen of the network, and what else it makes of it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::layout::Layout;
use super::words;
use crate::engine::protocol::{ShiftReport, Unseen};
use crate::text::Shown;
use crate::tui::shared::Look;
use crate::tui::widgets::cursor::Cursor;
use crate::tui::widgets::number;
use crate::tui::widgets::pane::{self, Focus};
use crate::tui::widgets::write::{Slot, cut, put, put_right, width};

/// Cells of a kind's words, where what it is about stands beside them.
const KIND: u16 = 17;
/// Cells of a fact's name.
const NAME: u16 = 9;

/// What is drawn.
pub struct UnseenView<'a> {
    pub report: &'a ShiftReport,
    pub cursor: &'a Cursor,
    /// What the GHN is doing, while what it sees is not known.
    pub working: Option<String>,
    pub look: &'a Look,
}

impl UnseenView<'_> {
    /// The list, and the facts where they have a place.
    pub fn draw(&self, layout: &Layout, buf: &mut Buffer) {
        let title = format!("New to the GHN in {}", Shown::new(&self.report.arch));
        let inner = pane::titled(buf, layout.unseen, &title, Focus::Yes, self.look);
        let unseen = &self.report.unseen;
        if unseen.is_empty() {
            let lines = [
                "Nothing.",
                "The training networks have all that this one is made of.",
            ];
            pane::message(buf, inner, &lines, self.look);
        }
        let rows = layout.entry_rows();
        let window = self.cursor.window(unseen.len(), layout.page());
        for (line, at) in (0..).zip(window) {
            let place = Rect {
                y: inner.y + line * rows,
                height: rows,
                ..inner
            };
            if at == self.cursor.at {
                buf.set_style(place.intersection(buf.area), self.look.theme.selection);
            }
            self.entry(&unseen[at], place, buf);
        }
        if layout.facts.height > 2 {
            self.facts(layout.facts, buf);
        }
    }

    fn entry(&self, part: &Unseen, area: Rect, buf: &mut Buffer) {
        let (theme, ellipsis) = (&self.look.theme, self.look.glyphs.ellipsis);
        let slot = Slot::new(area.x + 1, area.y, area.width.saturating_sub(2));
        let kind = part.kind.words();
        let share = number::percent(part.share);
        let used = put_right(buf, slot, &share, theme.text);
        let what = Shown::new(&part.what);
        if area.height > 1 {
            put(buf, slot, kind, theme.text);
            let below = Slot::new(slot.x + 2, slot.y + 1, slot.width.saturating_sub(2));
            let what = cut(what.as_str(), below.width, ellipsis);
            put(buf, below, &what, theme.dim);
            return;
        }
        put(buf, Slot::new(slot.x, slot.y, KIND), kind, theme.text);
        let room = slot.width.saturating_sub(KIND + 1 + used + 1);
        let what = cut(what.as_str(), room, ellipsis);
        put(
            buf,
            Slot::new(slot.x + KIND + 1, slot.y, room),
            &what,
            theme.dim,
        );
    }

    fn facts(&self, area: Rect, buf: &mut Buffer) {
        let title = format!("Seen by {}", Shown::new(&self.report.ghn));
        let inner = pane::titled(buf, area, &title, Focus::No, self.look);
        let mut y = inner.y;
        let room = inner.width.saturating_sub(NAME + 2);
        for (name, text, style) in self.said(room) {
            for (index, part) in pane::wrap(&text, room).iter().enumerate() {
                if y >= inner.bottom() {
                    return;
                }
                if index == 0 {
                    let slot = Slot::new(inner.x + 1, y, NAME);
                    put(buf, slot, name, self.look.theme.faint);
                }
                put(buf, Slot::new(inner.x + 1 + NAME, y, room), part, style);
                y += 1;
            }
        }
    }

    /// Name, text and style of each fact.
    fn said(&self, room: u16) -> Vec<(&'static str, String, Style)> {
        let theme = &self.look.theme;
        let mut said = Vec::new();
        match (&self.report.embedding, &self.working) {
            (Some(seen), _) => {
                said.push((
                    "distance",
                    format!(
                        "{:.1} deviations, farther than {}; half of {} lie within {:.1}",
                        seen.distance,
                        words::those(seen.percentile),
                        seen.networks,
                        seen.usual
                    ),
                    theme.text,
                ));
                if !seen.trained {
                    let text = "untrained: random weights";
                    said.push(("", text.to_owned(), theme.warning));
                }
            }
            (None, Some(working)) => said.push(("distance", working.clone(), theme.dim)),
            (None, None) => {}
        }
        let tiling = &self.report.tiling;
        let distinct = tiling.distinct as f64 / tiling.values.max(1) as f64;
        said.push((
            "distinct",
            format!("{} of the predicted weights", number::percent(distinct)),
            theme.text,
        ));
        said.push((
            "ranks",
            format!("{:.2} of full ones at most, on average", tiling.rank),
            theme.text,
        ));
        for (index, near) in self.report.nearest.iter().enumerate() {
            let name = if index == 0 { "alike" } else { "" };
            let params = number::count_inline(near.params);
            let near_name = Shown::new(&near.name);
            let mut text = format!("{near_name}, {} nodes, {params}", near.nodes);
            if width(&text) > room {
                text = format!("{near_name}, {params}");
            }
            said.push((name, text, theme.dim));
        }
        said
    }
}
