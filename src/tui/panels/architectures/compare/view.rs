//! Draws the comparison: totals, what differs in the tree, details.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::details::Details;
use super::super::layout::Layout;
use super::super::name::Name;
use super::super::{Typing, details_view, prompt};
use super::rows::{DiffLine, Kind};
use super::totals::{self, TotalsView};
use super::{ADDED, CHANGED, Comparison, Pair, REMOVED, words};
use crate::engine::protocol::ArchSpec;
use crate::text::Shown;
use crate::tui::catalogue::Entry;
use crate::tui::shared::Shared;
use crate::tui::widgets::columns::{Align, Column, Placed, place};
use crate::tui::widgets::number;
use crate::tui::widgets::pane::{self, Focus};
use crate::tui::widgets::write::{Slot, cut, put, put_all, put_right, width};

const MODULE: usize = 0;
const CHANGE: usize = 1;
const OP: usize = 2;
const OUTPUT: usize = 3;
const PARAMS: usize = 4;

#[rustfmt::skip]
const COLUMNS: [Column; 6] = [
    Column { title: "module", least: 15, most: 30, rank: 0, align: Align::Left },
    Column { title: "difference", least: 11, most: 34, rank: 0, align: Align::Left },
    Column { title: "op", least: 18, most: 40, rank: 3, align: Align::Left },
    Column { title: "output", least: 13, most: 22, rank: 4, align: Align::Left },
    Column { title: "params", least: 8, most: 9, rank: 0, align: Align::Right },
    Column { title: "MACs", least: 8, most: 9, rank: 0, align: Align::Right },
];

/// What is drawn.
pub struct CompareView<'a> {
    pub comparison: &'a Comparison,
    pub second: &'a ArchSpec,
    pub details: &'a Details,
    pub focused: bool,
    pub typing: &'a Typing,
    pub shared: &'a Shared,
}

impl CompareView<'_> {
    /// Draws totals, tree and details.
    pub fn draw(&self, layout: &Layout, buf: &mut Buffer) {
        let look = &self.shared.look;
        let area = layout.tree;
        let [a, b] = [self.first(), self.second].map(|spec| Shown::new(&spec.name));
        let title = format!("{a} {} {b}", look.glyphs.arrow);
        let inner = pane::titled(buf, area, &title, Focus::when(self.focused), look);
        let text = Rect {
            x: inner.x + 1,
            width: inner.width.saturating_sub(1),
            ..inner
        };
        if let Some(pair) = &self.comparison.pair {
            self.standing(area, width(&title), buf);
            self.pair(pair, layout, text, buf);
            details_view::draw(self.details, layout, look, buf);
            return;
        }
        self.prompt(text, buf);
        let below = Rect {
            y: text.y + 1,
            height: text.height.saturating_sub(1),
            ..text
        };
        pane::message(buf, below, &self.instead(), look);
    }

    /// See [`prompt::draw`].
    fn prompt(&self, area: Rect, buf: &mut Buffer) -> bool {
        let slot = Slot::new(area.x, area.y, area.width);
        let filter = self.comparison.filter_text();
        prompt::draw(self.typing, filter, slot, &self.shared.look, buf)
    }

    fn first(&self) -> &ArchSpec {
        &self.shared.selection.arch
    }

    /// What stands there while there is nothing to compare.
    fn instead(&self) -> Vec<&str> {
        if self.first() == self.second {
            return vec![
                "Compare with which network?",
                "Move to it in the list: the differences are shown at once. / finds it by name.",
                "",
                "Enter looks inside, x swaps the two, Esc ends the comparison.",
            ];
        }
        let mut specs = [self.first(), self.second].into_iter();
        let failed = specs.find_map(|spec| match self.shared.archs.get(spec) {
            Some(Entry::Failed(message)) => Some(message),
            _ => None,
        });
        match failed {
            Some(message) => vec![
                "These cannot be compared.",
                message.as_str(),
                "i sets another image size, c another number of classes.",
            ],
            None => vec!["Building the networks"],
        }
    }

    /// Which difference the cursor is on, at the right end of the title's line.
    fn standing(&self, area: Rect, title: u16, buf: &mut Buffer) {
        let text = match self.comparison.standing() {
            None | Some((_, 0)) => return,
            Some((Some(at), count)) => format!(" {at} of {count} differences "),
            Some((None, 1)) => " 1 difference ".to_owned(),
            Some((None, count)) => format!(" {count} differences "),
        };
        if title + width(&text) + 8 <= area.width {
            let slot = Slot::new(area.x, area.y, area.width - 2);
            put_right(buf, slot, &text, self.shared.look.theme.dim);
        }
    }

    fn pair(&self, pair: &Pair, layout: &Layout, area: Rect, buf: &mut Buffer) {
        let [a, b] = &pair.reports;
        let view = TotalsView {
            reports: [a, b],
            tally: self.comparison.tally(),
            look: &self.shared.look,
        };
        view.body(layout.totals(), area, buf);
        if !self.prompt(area, buf) {
            view.head(layout.totals(), area, buf);
        }
        let head = layout.totals().rows();
        let table = Rect {
            y: area.y + head,
            height: area.height.saturating_sub(head),
            ..area
        };
        self.table(table, buf);
    }

    fn table(&self, area: Rect, buf: &mut Buffer) {
        let look = &self.shared.look;
        let rows = self.comparison.outline.rows();
        let below = Rect {
            y: area.y + 1,
            height: area.height.saturating_sub(1),
            ..area
        };
        if rows.is_empty() {
            let lines = ["Nothing has these letters.", "Esc clears the filter."];
            pane::message(buf, below, &lines, look);
            return;
        }
        let placed = place(&COLUMNS, area.width.saturating_sub(1));
        for p in &placed {
            let column = &COLUMNS[p.column];
            let slot = Slot::new(area.x + p.x, area.y, p.width);
            column.put(buf, slot, column.title, look.theme.faint);
        }
        let cursor = self.comparison.outline.cursor();
        let window = cursor.window(rows.len(), usize::from(below.height));
        for (line, at) in window.enumerate() {
            let y = below.y + line as u16;
            if at == cursor.at {
                let style = look.theme.cursor(self.focused);
                buf.set_style(Rect::new(area.x - 1, y, area.width + 1, 1), style);
            }
            for p in &placed {
                let slot = Slot::new(area.x + p.x, y, p.width);
                self.cell(&rows[at], p, &placed, slot, buf);
            }
        }
    }

    fn cell(&self, row: &DiffLine, p: &Placed, all: &[Placed], slot: Slot, buf: &mut Buffer) {
        let look = &self.shared.look;
        let quiet = row.kind == Kind::Same;
        let style = if quiet {
            look.theme.faint
        } else {
            look.theme.text
        };
        let second = if quiet {
            look.theme.faint
        } else {
            look.theme.dim
        };
        match p.column {
            MODULE => {
                let has_op = all.iter().any(|p| p.column == OP);
                self.name(row, has_op, style, slot, buf);
            }
            CHANGE => self.change(row, slot, buf),
            OP => self.words(&row.op, second, slot, buf),
            OUTPUT => self.words(&output(row), second, slot, buf),
            column => {
                let values = row.costs.map(|cost| match column {
                    PARAMS => cost.params,
                    _ => cost.macs,
                });
                let text = totals::difference(values[0], values[1], number::count);
                put_right(buf, slot, &text.unwrap_or_default(), style);
            }
        }
    }

    fn words(&self, text: &str, style: Style, slot: Slot, buf: &mut Buffer) {
        let glyphs = &self.shared.look.glyphs;
        let text = words::shown(text, glyphs.arrow);
        put(buf, slot, &cut(&text, slot.width, glyphs.ellipsis), style);
    }

    /// The mark and the word, or how many nodes within became what.
    fn change(&self, row: &DiffLine, slot: Slot, buf: &mut Buffer) {
        let theme = &self.shared.look.theme;
        if row.kind != Kind::Same && !row.is_whole() {
            totals::counts(row.tally, slot, &self.shared.look, buf);
            return;
        }
        let (mark, style) = match row.kind {
            Kind::Same => return,
            Kind::Changed => (CHANGED, theme.warning),
            Kind::Removed => (REMOVED, theme.bad),
            Kind::Added => (ADDED, theme.good),
        };
        put_all(
            buf,
            slot,
            &[(mark, style), (" ", style), (row.kind.word(), style)],
        );
    }

    fn name(&self, row: &DiffLine, has_op: bool, style: Style, slot: Slot, buf: &mut Buffer) {
        let look = &self.shared.look;
        let op = (row.is_function && !has_op).then(|| words::shown(&row.op, look.glyphs.arrow));
        let name = Name {
            depth: row.depth,
            fold: row.fold,
            repeats: row.repeats,
            label: row.label.as_str(),
            op: op.as_deref(),
            style,
        };
        name.draw(slot, look, buf);
    }
}

/// What it gives: `64 56 56`; `64→128 56 56` where that differs.
fn output(row: &DiffLine) -> String {
    let [old, new] = row.outputs.map(|output| output.map(|shape| shape.dims()));
    let said = |dims: Vec<usize>| {
        dims.iter()
            .map(usize::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    };
    match (old, new) {
        (Some(old), Some(new)) if old.len() == new.len() => {
            let dims = old.iter().zip(&new).map(|(a, b)| {
                if a == b {
                    a.to_string()
                } else {
                    format!("{a}→{b}")
                }
            });
            dims.collect::<Vec<_>>().join(" ")
        }
        (Some(old), Some(new)) => words::change(&said(old), &said(new)),
        (old, new) => old.or(new).map(said).unwrap_or_default(),
    }
}
