//! Both architectures in numbers, and what the second has more or less than the first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::super::layout::Totals;
use super::{ADDED, CHANGED, REMOVED};
use crate::arch::Tally;
use crate::text::Shown;
use crate::tui::catalogue::ArchReport;
use crate::tui::shared::Look;
use crate::tui::widgets::number;
use crate::tui::widgets::write::{Slot, cut_middle, put, put_all, put_right, width};

/// Cells of the numbers: nodes, tensors, parameters, MACs.
const NUMBERS: [u16; 4] = [8, 9, 9, 9];
/// Cells of the names, before the numbers, where there is room.
const NAMES: u16 = 24;

/// A count of one kind of difference: what stands before it, in which style, and what it is called.
type Count = (&'static str, usize, Style, &'static str);

/// What is drawn.
pub struct TotalsView<'a> {
    pub reports: [&'a ArchReport; 2],
    pub tally: Tally,
    pub look: &'a Look,
}

impl TotalsView<'_> {
    /// Draws the first line of `form` in `area`: titles of the columns, or all there is.
    pub fn head(&self, form: Totals, area: Rect, buf: &mut Buffer) {
        let slot = Slot::new(area.x, area.y, area.width);
        if form == Totals::Line {
            return self.in_a_line(slot, buf);
        }
        for ((title, _), slot) in self.columns().iter().zip(self.slots(area, 0)) {
            put_right(buf, slot, &padded(title), self.look.theme.faint);
        }
        if form == Totals::Table {
            let names = Slot::new(area.x, area.y, self.names(area));
            counts(self.tally, names, self.look, buf);
        }
    }

    /// Draws the lines below the first.
    pub fn body(&self, form: Totals, area: Rect, buf: &mut Buffer) {
        if form == Totals::Line {
            return;
        }
        self.table(area, buf);
        if form == Totals::TableAndCounts {
            let slot = Slot::new(area.x, area.y + 4, area.width);
            let used = counts(self.tally, slot, self.look, buf);
            let rest = Slot::new(slot.x + used, slot.y, slot.width.saturating_sub(used));
            let alike = format!("{} alike", self.tally.same);
            put(buf, rest, &alike, self.look.theme.dim);
        }
    }

    /// Places of the numbers in line `y`.
    fn slots(&self, area: Rect, y: u16) -> [Slot; 4] {
        let mut x = area.x + self.names(area);
        NUMBERS.map(|cells| {
            let slot = Slot::new(x, area.y + y, area.right().saturating_sub(x).min(cells));
            x += cells;
            slot
        })
    }

    fn values(&self, of: impl Fn(&ArchReport) -> u64) -> [u64; 2] {
        self.reports.map(of)
    }

    /// Title and both values of each column.
    fn columns(&self) -> [(&'static str, [u64; 2]); 4] {
        [
            ("nodes", self.values(|r| r.arch.nodes().len() as u64)),
            ("tensors", self.values(|r| r.arch.tensors().len() as u64)),
            ("params", self.values(|r| r.params)),
            ("MACs", self.values(|r| r.macs)),
        ]
    }

    /// Cells of the names, before the numbers.
    fn names(&self, area: Rect) -> u16 {
        let longest = self.reports.map(|r| width(r.arch.name()) + 2);
        // The last cell stays free, as in the rows below.
        let room = area.width.saturating_sub(NUMBERS.iter().sum::<u16>() + 1);
        room.min(longest[0].max(longest[1]).max(NAMES))
    }

    fn table(&self, area: Rect, buf: &mut Buffer) {
        let theme = &self.look.theme;
        let names = self.names(area);
        let marks = [(REMOVED, theme.bad), (ADDED, theme.good)];
        for (side, (mark, style)) in marks.into_iter().enumerate() {
            let name = Shown::new(self.reports[side].arch.name());
            let name = cut_middle(
                name.as_str(),
                names.saturating_sub(2),
                self.look.glyphs.ellipsis,
            );
            let slot = Slot::new(area.x, area.y + 1 + side as u16, names);
            put_all(buf, slot, &[(mark, style), (" ", style), (&name, style)]);
        }
        let slot = Slot::new(area.x + 2, area.y + 3, names.saturating_sub(2));
        put(buf, slot, "difference", theme.dim);
        let [old_slots, new_slots, more_slots] = [1, 2, 3].map(|y| self.slots(area, y));
        for (index, (_, [old, new])) in self.columns().into_iter().enumerate() {
            let text = |value: u64| match index {
                0 | 1 => format!("{value}  "),
                _ => number::count(value),
            };
            put_right(buf, old_slots[index], &text(old), theme.text);
            put_right(buf, new_slots[index], &text(new), theme.text);
            let (more, style) = match difference(old, new, text) {
                Some(more) => (more, theme.text),
                None => (padded("="), theme.faint),
            };
            put_right(buf, more_slots[index], &more, style);
        }
    }

    fn in_a_line(&self, slot: Slot, buf: &mut Buffer) {
        let theme = &self.look.theme;
        let [_, _, (_, params), (_, macs)] = self.columns();
        let more = |[old, new]: [u64; 2]| {
            let more = difference(old, new, number::count_inline);
            more.unwrap_or_else(|| "=".to_owned())
        };
        let (params, macs) = (more(params), more(macs));
        let pieces = [
            (params.as_str(), theme.text),
            (" params  ", theme.dim),
            (macs.as_str(), theme.text),
            (" MACs   ", theme.dim),
        ];
        let used = put_all(buf, slot, &pieces);
        let rest = Slot::new(slot.x + used, slot.y, slot.width.saturating_sub(used));
        counts(self.tally, rest, self.look, buf);
    }
}

/// A title over numbers that leave two cells for their unit.
fn padded(title: &str) -> String {
    format!("{title}  ")
}

/// With its sign; nothing for none.
#[must_use]
pub fn difference(old: u64, new: u64, text: impl Fn(u64) -> String) -> Option<String> {
    let sign = match new.cmp(&old) {
        std::cmp::Ordering::Greater => '+',
        std::cmp::Ordering::Less => '-',
        std::cmp::Ordering::Equal => return None,
    };
    Some(format!("{sign}{}", text(old.abs_diff(new))))
}

/// How many nodes became what: with words where there is room for them, else as `~90 +12 -3`. Gives the
/// cells used.
pub fn counts(tally: Tally, slot: Slot, look: &Look, buf: &mut Buffer) -> u16 {
    let theme = &look.theme;
    let counts: Vec<Count> = [
        (CHANGED, tally.changed, theme.warning, "changed"),
        (ADDED, tally.added, theme.good, "added"),
        (REMOVED, tally.removed, theme.bad, "removed"),
    ]
    .into_iter()
    .filter(|(_, count, ..)| *count > 0)
    .collect();
    let long = |(mark, count, _, word): &Count| format!("{mark} {count} {word}  ");
    let short = |(mark, count, ..): &Count| format!("{mark}{count} ");
    let texts: Vec<String> = counts.iter().map(long).collect();
    let fits = texts.iter().map(|text| width(text)).sum::<u16>() <= slot.width + 2;
    let mut x = slot.x;
    for (index, count) in counts.iter().enumerate() {
        let text = if fits {
            texts[index].clone()
        } else {
            short(count)
        };
        let rest = Slot::new(x, slot.y, (slot.x + slot.width).saturating_sub(x));
        x += put(buf, rest, &text, count.2);
    }
    x - slot.x
}
