//! The weight tensors: which are shown, in which order, and how.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::layout::TABLE_HEAD;
use super::results::{Results, Row};
use crate::engine::protocol::DiversityRow;
use crate::tui::command::Command;
use crate::tui::shared::Look;
use crate::tui::widgets::bar::outline;
use crate::tui::widgets::columns::{Align, Column, Placed, place};
use crate::tui::widgets::cursor::Cursor;
use crate::tui::widgets::number;
use crate::tui::widgets::write::{Slot, cut, cut_left, put, put_right};

/// The order of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// As the network runs.
    #[default]
    Layer,
    /// Smallest effective rank, relative to what the shape allows, first.
    EffectiveRank,
    /// Most duplicates first.
    Duplicates,
}

impl Sort {
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Layer => Self::EffectiveRank,
            Self::EffectiveRank => Self::Duplicates,
            Self::Duplicates => Self::Layer,
        }
    }

    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Layer => "by layer",
            Self::EffectiveRank => "by effective rank",
            Self::Duplicates => "by duplicates",
        }
    }
}

/// Which rows are shown, and the cursor among them.
#[derive(Debug, Default)]
pub struct Table {
    /// Indices into [`Results::rows`], in the order shown.
    pub order: Vec<usize>,
    pub cursor: Cursor,
    pub sort: Sort,
    pub filter: String,
}

impl Table {
    /// Makes the order anew; the cursor stays on its tensor if that is still shown.
    pub fn refresh(&mut self, results: Option<&Results>) {
        let Some(results) = results else {
            self.order.clear();
            return;
        };
        let chosen = self.chosen();
        let words: Vec<String> = self
            .filter
            .split_whitespace()
            .map(str::to_lowercase)
            .collect();
        let fits = |row: &Row| {
            let name = row.tensor.to_lowercase();
            words.iter().all(|w| name.contains(w.as_str()))
        };
        let rows = &results.rows;
        self.order = (0..rows.len()).filter(|i| fits(&rows[*i])).collect();
        match self.sort {
            Sort::Layer => {}
            Sort::EffectiveRank => self
                .order
                .sort_by(|a, b| relative_rank(&rows[*a]).total_cmp(&relative_rank(&rows[*b]))),
            Sort::Duplicates => self
                .order
                .sort_by(|a, b| duplicates(&rows[*b]).total_cmp(&duplicates(&rows[*a]))),
        }
        let at = chosen.and_then(|c| self.order.iter().position(|i| *i == c));
        self.cursor.at = at.unwrap_or(0);
    }

    /// Index into [`Results::rows`] of the row under the cursor.
    #[must_use]
    pub fn chosen(&self) -> Option<usize> {
        self.order.get(self.cursor.at).copied()
    }

    /// Moves the cursor.
    pub fn motion(&mut self, command: Command, page: usize) {
        self.cursor.command(command, self.order.len(), page);
    }

    pub fn settle(&mut self, page: usize) {
        self.cursor.settle(self.order.len(), page);
    }

    /// Names of the tensors on the screen: they are post-processed first.
    #[must_use]
    pub fn visible(&self, results: &Results, page: usize) -> Vec<String> {
        let window = self.cursor.window(self.order.len(), page.max(1));
        self.order[window]
            .iter()
            .map(|i| results.rows[*i].tensor.clone())
            .collect()
    }
}

fn newest(row: &Row) -> Option<&DiversityRow> {
    row.after.as_ref().or(row.before.as_ref())
}

/// Effective rank over the largest that the shape allows; tensors without numbers last.
fn relative_rank(row: &Row) -> f64 {
    newest(row).map_or(f64::INFINITY, |d| {
        d.effective_rank / full_rank(&row.shape).max(1) as f64
    })
}

fn duplicates(row: &Row) -> f64 {
    newest(row).map_or(-1.0, |d| d.duplicate_fraction)
}

/// Largest rank of the matrix view `[out, everything else]`.
#[must_use]
pub fn full_rank(shape: &[usize]) -> usize {
    let rest: usize = shape.iter().skip(1).product();
    shape.first().copied().unwrap_or(0).min(rest)
}

const NUMBER: usize = 0;
const TENSOR: usize = 1;
const SHAPE: usize = 2;
const RANK: usize = 3;
const EFFECTIVE: usize = 4;
const DUPLICATES: usize = 5;
const BEFORE: usize = 6;
const AFTER: usize = 7;

/// Columns while there is one side only.
#[rustfmt::skip]
const ONE_SIDE: [Column; 7] = [
    Column { title: "#", least: 3, most: 3, rank: 0, align: Align::Right },
    Column { title: "weight of", least: 16, most: 34, rank: 0, align: Align::Left },
    Column { title: "shape", least: 14, most: 15, rank: 3, align: Align::Left },
    Column { title: "rank", least: 4, most: 4, rank: 4, align: Align::Left },
    Column { title: "eff. rank", least: 9, most: 9, rank: 0, align: Align::Left },
    Column { title: "dup. %", least: 6, most: 6, rank: 1, align: Align::Left },
    Column { title: "spectrum", least: 8, most: 12, rank: 2, align: Align::Left },
];

/// Columns with numbers before and after.
#[rustfmt::skip]
const BOTH_SIDES: [Column; 8] = [
    Column { title: "#", least: 3, most: 3, rank: 0, align: Align::Right },
    Column { title: "weight of", least: 21, most: 34, rank: 0, align: Align::Left },
    Column { title: "shape", least: 14, most: 15, rank: 5, align: Align::Left },
    Column { title: "rank", least: 11, most: 11, rank: 4, align: Align::Left },
    Column { title: "eff. rank", least: 11, most: 11, rank: 0, align: Align::Left },
    Column { title: "dup. %", least: 9, most: 9, rank: 1, align: Align::Left },
    Column { title: "before", least: 6, most: 12, rank: 3, align: Align::Left },
    Column { title: "after", least: 6, most: 12, rank: 2, align: Align::Left },
];

/// Cells of one number of a pair.
const RANK_CELLS: u16 = 4;
const PERCENT_CELLS: u16 = 3;

/// Draws column titles and rows into `area`, whose first line is for the titles.
pub struct TableView<'a> {
    pub table: &'a Table,
    pub results: &'a Results,
    pub focused: bool,
    /// Numbers of the layers that post-processing treats.
    pub treated: std::ops::Range<usize>,
    pub look: &'a Look,
}

impl TableView<'_> {
    pub fn draw(&self, area: Rect, buf: &mut Buffer) {
        let look = self.look;
        let columns: &[Column] = if self.results.has_after() {
            &BOTH_SIDES
        } else {
            &ONE_SIDE
        };
        let placed = place(columns, area.width.saturating_sub(2));
        for p in &placed {
            let slot = Slot::new(area.x + 1 + p.x, area.y, p.width);
            let column = &columns[p.column];
            let style = match p.column {
                BEFORE if columns.len() > AFTER => look.before(),
                AFTER => look.after(),
                _ => look.theme.faint,
            };
            column.put(buf, slot, column.title, style);
        }
        let page = usize::from((area.height + 2).saturating_sub(TABLE_HEAD));
        let window = self.table.cursor.window(self.table.order.len(), page);
        for (line, at) in window.enumerate() {
            let y = area.y + 1 + line as u16;
            if at == self.table.cursor.at {
                let style = look.theme.cursor(self.focused);
                buf.set_style(Rect::new(area.x, y, area.width, 1), style);
            }
            let row = &self.results.rows[self.table.order[at]];
            for p in &placed {
                let slot = Slot::new(area.x + 1 + p.x, y, p.width);
                self.cell(row, p, slot, buf);
            }
        }
    }

    fn cell(&self, row: &Row, placed: &Placed, slot: Slot, buf: &mut Buffer) {
        let look = self.look;
        let theme = &look.theme;
        match placed.column {
            NUMBER => {
                let text = row.number.map(|n| n.to_string()).unwrap_or_default();
                let treated = row.number.is_some_and(|n| self.treated.contains(&n));
                let style = if treated { theme.accent } else { theme.faint };
                put_right(buf, slot, &text, style);
            }
            TENSOR => {
                let known = row.before.is_some();
                let style = if known { theme.text } else { theme.faint };
                // Nearly all are called so; the layer tells them apart.
                let name = row.name.as_str();
                let name = name.strip_suffix(".weight").unwrap_or(name);
                let text = cut_left(name, slot.width, look.glyphs.ellipsis);
                put(buf, slot, &text, style);
            }
            SHAPE => {
                let text = cut(&number::shape(&row.shape), slot.width, look.glyphs.ellipsis);
                put(buf, slot, &text, theme.dim);
            }
            RANK => self.pair(row, slot, RANK_CELLS, &|d| d.rank.to_string(), buf),
            EFFECTIVE => self.effective_rank(row, slot, buf),
            DUPLICATES => {
                let text = |d: &DiversityRow| {
                    let percent = number::percent(d.duplicate_fraction);
                    percent.trim_end_matches(" %").to_owned()
                };
                self.pair(row, slot, PERCENT_CELLS, &text, buf);
            }
            BEFORE => self.spectrum(row.before.as_ref(), look.before(), slot, buf),
            _ => {
                let style = if row.stale { theme.faint } else { look.after() };
                self.spectrum(row.after.as_ref(), style, slot, buf);
            }
        }
    }

    /// The effective rank, or how many values are not numbers.
    fn effective_rank(&self, row: &Row, slot: Slot, buf: &mut Buffer) {
        let broken = newest(row).map_or(0, |d| d.nan);
        if broken > 0 {
            let text = format!("NaN x{}", number::count_inline(broken));
            put(buf, slot, &text, self.look.theme.bad);
            return;
        }
        self.pair(
            row,
            slot,
            RANK_CELLS,
            &|d| number::three(d.effective_rank),
            buf,
        );
    }

    /// `before → after` in two columns of their own; one number where nothing changed.
    fn pair(
        &self,
        row: &Row,
        slot: Slot,
        cells: u16,
        text: &dyn Fn(&DiversityRow) -> String,
        buf: &mut Buffer,
    ) {
        let theme = &self.look.theme;
        let Some(before) = row.before.as_ref().map(text) else {
            return;
        };
        let left = Slot::new(slot.x, slot.y, cells.min(slot.width));
        let after = row
            .after
            .as_ref()
            .map(text)
            .filter(|after| *after != before);
        let Some(after) = after else {
            put_right(buf, left, &before, theme.text);
            return;
        };
        put_right(buf, left, &before, theme.dim);
        let arrow = Slot::new(slot.x + cells + 1, slot.y, 1);
        put(buf, arrow, self.look.glyphs.arrow_cell(), theme.faint);
        let style: Style = if row.stale {
            theme.faint
        } else {
            self.look.after()
        };
        let right = Slot::new(
            slot.x + cells + 3,
            slot.y,
            slot.width.saturating_sub(cells + 3),
        );
        put_right(buf, right, &after, style);
    }

    fn spectrum(&self, side: Option<&DiversityRow>, style: Style, slot: Slot, buf: &mut Buffer) {
        if let Some(side) = side {
            outline(buf, slot, &side.outline, style, &self.look.glyphs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_full_rank_is_that_of_the_matrix_view() {
        assert_eq!(full_rank(&[64, 3, 7, 7]), 64);
        assert_eq!(full_rank(&[64, 1, 3, 3]), 9);
        assert_eq!(full_rank(&[]), 0);
    }
}
