//! Text in columns. Everything passes through [`Shown`], so cells may come from anywhere.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr;

use crate::text::Shown;

/// Widest column, in terminal cells; longer cells push the rest of their row.
const WIDEST: usize = 60;

/// Where a column's cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

/// Rows under a header.
#[derive(Debug)]
pub struct Table {
    align: Vec<Align>,
    rows: Vec<Vec<Shown>>,
}

impl Table {
    /// A table with these column titles.
    #[must_use]
    pub fn new(columns: &[(&str, Align)]) -> Self {
        Self {
            align: columns.iter().map(|c| c.1).collect(),
            rows: vec![columns.iter().map(|c| Shown::new(c.0)).collect()],
        }
    }

    /// Adds a row; missing cells are empty.
    pub fn row<T: AsRef<str>>(&mut self, cells: &[T]) {
        let row = cells.iter().map(|c| Shown::new(c.as_ref())).collect();
        self.rows.push(row);
    }

    /// The table's lines.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let widths: Vec<usize> = (0..self.align.len()).map(|i| self.width(i)).collect();
        let line = |row: &Vec<Shown>| {
            let mut text = String::new();
            for ((cell, width), align) in row.iter().zip(&widths).zip(&self.align) {
                let space = " ".repeat(width.saturating_sub(cell.as_str().width()));
                // Writing into a string does not fail.
                let _ = match align {
                    Align::Left => write!(text, "{cell}{space}  "),
                    Align::Right => write!(text, "{space}{cell}  "),
                };
            }
            text.trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|c| c.as_str().width()).max().unwrap_or(0);
        widest.min(WIDEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_what_is_seen() {
        let mut table = Table::new(&[("name", Align::Left), ("n", Align::Right)]);
        table.row(&["日本", "7"]);
        table.row(&["x", "1234"]);
        assert_eq!(table.lines(), ["name     n", "日本     7", "x     1234"]);
    }

    #[test]
    fn cells_cannot_steer_the_terminal() {
        let mut table = Table::new(&[("name", Align::Left)]);
        table.row(&["\x1b[31mred\nnext"]);
        assert!(!table.lines()[1].chars().any(char::is_control));
    }
}
