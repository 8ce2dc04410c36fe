//! Columns of a table: which of them fit, and how wide they become.

use ratatui::buffer::Buffer;
use ratatui::style::Style;

use super::write::{Slot, put, put_right};

/// What a column wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub title: &'static str,
    /// Cells that it needs to be of use.
    pub least: u16,
    /// Cells beyond which it gains nothing.
    pub most: u16,
    /// 0 stays always; the highest goes first when room is short.
    pub rank: u8,
    pub align: Align,
}

impl Column {
    /// Writes into a cell of the column, at the side where its values stand.
    pub fn put(&self, buf: &mut Buffer, slot: Slot, text: &str, style: Style) {
        match self.align {
            Align::Left => put(buf, slot, text, style),
            Align::Right => put_right(buf, slot, text, style),
        };
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// Cells between two columns.
pub const GAP: u16 = 2;

/// A column's place, relative to the table's left edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Index into the columns asked for.
    pub column: usize,
    pub x: u16,
    pub width: u16,
}

/// Drops the columns of the highest rank until the rest fits into `width`, then shares out what is
/// left among those that can use it.
#[must_use]
pub fn place(columns: &[Column], width: u16) -> Vec<Placed> {
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    while needed(columns, &kept) > width && kept.len() > 1 {
        let worst = kept
            .iter()
            .copied()
            .max_by_key(|i| (columns[*i].rank, *i))
            .expect("more than one column is kept");
        kept.retain(|i| *i != worst);
    }
    let widths = share_out(columns, &kept, width.saturating_sub(needed(columns, &kept)));
    let mut x = 0;
    let mut placed = Vec::with_capacity(kept.len());
    for (column, cells) in kept.into_iter().zip(widths) {
        let cells = cells.min(width.saturating_sub(x));
        placed.push(Placed {
            column,
            x,
            width: cells,
        });
        x += cells + GAP;
    }
    placed
}

/// Widths of the kept columns: their least, and a cell in turn to each that can use it.
fn share_out(columns: &[Column], kept: &[usize], mut spare: u16) -> Vec<u16> {
    let mut widths: Vec<u16> = kept.iter().map(|i| columns[*i].least).collect();
    loop {
        let before = spare;
        for (cells, column) in widths.iter_mut().zip(kept) {
            if spare > 0 && *cells < columns[*column].most {
                *cells += 1;
                spare -= 1;
            }
        }
        if spare == before {
            return widths;
        }
    }
}

fn needed(columns: &[Column], kept: &[usize]) -> u16 {
    let cells: u16 = kept.iter().map(|i| columns[*i].least).sum();
    cells + GAP * (kept.len() as u16).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column {
            title: "name",
            least: 10,
            most: 30,
            rank: 0,
            align: Align::Left,
        },
        Column {
            title: "op",
            least: 8,
            most: 12,
            rank: 2,
            align: Align::Left,
        },
        Column {
            title: "params",
            least: 6,
            most: 6,
            rank: 1,
            align: Align::Right,
        },
    ];

    #[test]
    fn the_least_important_column_goes_first() {
        let names = |width| {
            place(&COLUMNS, width)
                .iter()
                .map(|p| COLUMNS[p.column].title)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(40), ["name", "op", "params"]);
        assert_eq!(names(20), ["name", "params"]);
        assert_eq!(names(5), ["name"]);
    }

    #[test]
    fn columns_never_reach_beyond_the_width() {
        for width in 0..80 {
            for p in place(&COLUMNS, width) {
                assert!(p.x + p.width <= width.max(p.x), "{width}: {p:?}");
            }
        }
    }
}
