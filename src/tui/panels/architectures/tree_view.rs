//! Draws the tree: totals, columns, bars, details.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::details::Details;
use super::layout::{Layout, TREE_HEAD};
use super::name::Name;
use super::tree::{Tree, TreeLine};
use super::{Bars, Typing, details_view, prompt};
use crate::arch::Shape;
use crate::text::Shown;
use crate::tui::catalogue::{ArchReport, Entry};
use crate::tui::shared::Shared;
use crate::tui::widgets::bar::bar;
use crate::tui::widgets::columns::{Align, Column, Placed, place};
use crate::tui::widgets::number;
use crate::tui::widgets::pane::{self, Focus};
use crate::tui::widgets::write::{Slot, cut, put, put_all, put_right, width};

const MODULE: usize = 0;
const OP: usize = 1;
const OUTPUT: usize = 2;
const PARAMS: usize = 3;
const MACS: usize = 4;
const BAR: usize = 5;

#[rustfmt::skip]
const COLUMNS: [Column; 6] = [
    Column { title: "module", least: 15, most: 30, rank: 0, align: Align::Left },
    Column { title: "op", least: 11, most: 34, rank: 3, align: Align::Left },
    Column { title: "output", least: 13, most: 13, rank: 4, align: Align::Right },
    Column { title: "params", least: 6, most: 8, rank: 0, align: Align::Right },
    Column { title: "MACs", least: 6, most: 8, rank: 0, align: Align::Right },
    Column { title: "share", least: 6, most: 24, rank: 2, align: Align::Left },
];

/// Cells of the share in percent; the bar takes what is left of the column.
const PERCENT: u16 = 6;

/// What is drawn.
pub struct TreeView<'a> {
    pub tree: &'a Tree,
    pub details: &'a Details,
    pub bars: Bars,
    pub focused: bool,
    pub typing: &'a Typing,
    pub shared: &'a Shared,
}

impl TreeView<'_> {
    /// Draws tree and details.
    pub fn draw(&self, layout: &Layout, buf: &mut Buffer) {
        let look = &self.shared.look;
        let spec = &self.shared.selection.arch;
        let name = Shown::new(&spec.name);
        let area = layout.tree;
        let inner = pane::titled(buf, area, name.as_str(), Focus::when(self.focused), look);
        let text = Rect {
            x: inner.x + 1,
            width: inner.width.saturating_sub(1),
            ..inner
        };
        match self.shared.archs.get(spec) {
            Some(Entry::Ready(report)) => {
                if !self.prompt(text, buf) {
                    self.totals(report, text, buf);
                }
                self.table(report, text, buf);
                details_view::draw(self.details, layout, look, buf);
            }
            Some(Entry::Failed(message)) => {
                self.prompt(text, buf);
                let below = Rect {
                    y: text.y + 1,
                    height: text.height.saturating_sub(1),
                    ..text
                };
                let lines = [
                    "This network cannot be built so.",
                    message.as_str(),
                    "i sets another image size, c another number of classes.",
                ];
                pane::message(buf, below, &lines, look);
            }
            Some(Entry::Building) | None => {
                pane::message(buf, text, &["Building the network"], look)
            }
        }
    }

    /// See [`prompt::draw`].
    fn prompt(&self, area: Rect, buf: &mut Buffer) -> bool {
        let slot = Slot::new(area.x, area.y, area.width);
        prompt::draw(
            self.typing,
            self.tree.filter_text(),
            slot,
            &self.shared.look,
            buf,
        )
    }

    fn totals(&self, report: &ArchReport, area: Rect, buf: &mut Buffer) {
        let look = &self.shared.look;
        let (text, dim) = (look.theme.text, look.theme.dim);
        let spec = &self.shared.selection.arch;
        let dot = format!(" {} ", look.glyphs.dot);
        let params = number::count_inline(report.params);
        let macs = number::count_inline(report.macs);
        let (macs, unit) = macs.split_once(' ').unwrap_or((&macs, ""));
        let tensors = report.arch.tensors().len().to_string();
        let nodes = report.arch.nodes().len().to_string();
        let classes = spec.classes.to_string();
        let at = format!(" {unit}MAC at {} pixels", spec.side);
        let mut pieces = vec![
            (params.as_str(), text),
            (" parameters", dim),
            (&dot, dim),
            (macs, text),
            (&at, dim),
            (&dot, dim),
            (&classes, text),
            (
                if spec.classes == 1 {
                    " class"
                } else {
                    " classes"
                },
                dim,
            ),
            (&dot, dim),
            (&tensors, text),
            (" tensors", dim),
            (&dot, dim),
            (&nodes, text),
            (" nodes", dim),
        ];
        // Facts that do not fit are left out whole.
        let total = |pieces: &[(&str, _)]| pieces.iter().map(|(t, _)| width(t)).sum::<u16>();
        while total(&pieces) > area.width && pieces.len() > 3 {
            pieces.truncate(pieces.len() - 3);
        }
        put_all(buf, Slot::new(area.x, area.y, area.width), &pieces);
    }

    fn table(&self, report: &ArchReport, area: Rect, buf: &mut Buffer) {
        let look = &self.shared.look;
        let placed = place(&COLUMNS, area.width.saturating_sub(1));
        self.titles(&placed, Slot::new(area.x, area.y + 1, area.width), buf);
        let rows = self.tree.outline().rows();
        if rows.is_empty() {
            let below = Rect {
                y: area.y + 2,
                height: area.height.saturating_sub(2),
                ..area
            };
            pane::message(
                buf,
                below,
                &["No module has these letters.", "Esc clears the filter."],
                look,
            );
            return;
        }
        let page = (area.height + 1).saturating_sub(TREE_HEAD);
        let cursor = self.tree.outline().cursor();
        for (line, at) in cursor.window(rows.len(), usize::from(page)).enumerate() {
            let y = area.y + TREE_HEAD - 1 + line as u16;
            if at == cursor.at {
                let style = look.theme.cursor(self.focused);
                buf.set_style(Rect::new(area.x - 1, y, area.width + 1, 1), style);
            }
            for p in &placed {
                let slot = Slot::new(area.x + p.x, y, p.width);
                self.cell(&rows[at], p.column, &placed, report, slot, buf);
            }
        }
    }

    fn titles(&self, placed: &[Placed], at: Slot, buf: &mut Buffer) {
        let theme = &self.shared.look.theme;
        for p in placed {
            let column = &COLUMNS[p.column];
            let slot = Slot::new(at.x + p.x, at.y, p.width);
            let title = match (p.column, self.bars) {
                (BAR, Bars::Macs) => pick_title(p.width, ["MACs", "share of MACs"]),
                (BAR, Bars::Params) => pick_title(p.width, ["params", "share of params"]),
                _ => column.title,
            };
            column.put(buf, slot, title, theme.faint);
        }
    }

    fn cell(
        &self,
        row: &TreeLine,
        column: usize,
        all: &[Placed],
        report: &ArchReport,
        slot: Slot,
        buf: &mut Buffer,
    ) {
        let look = &self.shared.look;
        let theme = &look.theme;
        let amount = |value: u64| {
            let style = if value == 0 { theme.faint } else { theme.text };
            (number::count(value), style)
        };
        match column {
            MODULE => self.name(row, all, slot, buf),
            OP => {
                let text = cut(&row.op, slot.width, look.glyphs.ellipsis);
                put(buf, slot, &text, theme.dim);
            }
            OUTPUT => {
                put_right(buf, slot, &output(row.output), theme.dim);
            }
            PARAMS => {
                let (text, style) = amount(row.params);
                put_right(buf, slot, &text, style);
            }
            MACS => {
                let (text, style) = amount(row.macs);
                put_right(buf, slot, &text, style);
            }
            _ => self.share(row, report, slot, buf),
        }
    }

    /// The row's share of the network in percent, and a bar relative to the largest top-level module.
    fn share(&self, row: &TreeLine, report: &ArchReport, slot: Slot, buf: &mut Buffer) {
        let look = &self.shared.look;
        let of = |cost: crate::arch::Cost| match self.bars {
            Bars::Macs => cost.macs,
            Bars::Params => cost.params,
        };
        let value = match self.bars {
            Bars::Macs => row.macs,
            Bars::Params => row.params,
        };
        if value == 0 {
            return;
        }
        let share = value as f64 / of(report.tree.cost).max(1) as f64;
        let percent = Slot::new(slot.x, slot.y, PERCENT.min(slot.width));
        put_right(buf, percent, &number::percent(share), look.theme.dim);
        if slot.width > PERCENT + 1 {
            let largest = report.tree.children.iter().map(|c| of(c.cost)).max();
            let relative = value as f64 / largest.unwrap_or(1).max(1) as f64;
            let rest = Slot::new(slot.x + PERCENT + 1, slot.y, slot.width - PERCENT - 1);
            let text = bar(relative, rest.width, &look.glyphs);
            put(buf, rest, &text, look.theme.accent);
        }
    }

    fn name(&self, row: &TreeLine, all: &[Placed], slot: Slot, buf: &mut Buffer) {
        let look = &self.shared.look;
        let has_op = all.iter().any(|p| p.column == OP);
        let name = Name {
            depth: row.depth,
            fold: row.fold,
            repeats: row.blocks,
            label: row.label.as_str(),
            op: (row.is_function && !has_op).then_some(row.op.as_str()),
            style: look.theme.text,
        };
        name.draw(slot, look, buf);
    }
}

/// The longer title where it fits.
fn pick_title(room: u16, titles: [&'static str; 2]) -> &'static str {
    if width(titles[1]) <= room {
        titles[1]
    } else {
        titles[0]
    }
}

/// Dimensions in columns of their own: `  64 112 112`.
fn output(shape: Shape) -> String {
    match shape {
        Shape::Image {
            channels,
            height,
            width,
        } => format!("{channels} {height:>3} {width:>3}"),
        Shape::Grid {
            height,
            width,
            channels,
        } => format!("{height} {width:>3} {channels:>4}"),
        Shape::Tokens { tokens, channels } => format!("{tokens} {channels:>3}"),
        Shape::Windows {
            windows,
            tokens,
            channels,
        } => format!("{windows} {tokens:>3} {channels:>4}"),
        // The place of height and width stays empty.
        Shape::Vector { channels } => format!("{channels}        "),
    }
}
