//! A card's Markdown as plain lines of a width.

use crate::text::Shown;
use crate::tui::widgets::write::{cut, width};

/// Lines beyond which a card is not read.
const MOST_LINES: usize = 2000;

/// The text without its marks, wrapped; what stands in columns stays so. Tables become columns.
#[must_use]
pub fn lines(markdown: &str, columns: u16) -> Vec<Shown> {
    let mut lines = Vec::new();
    let mut table: Vec<Vec<String>> = Vec::new();
    for line in joined(markdown) {
        if let Some(cells) = cells(&line) {
            table.push(cells);
            continue;
        }
        lines.extend(table_lines(&table, columns));
        table.clear();
        lines.extend(wrapped(&without_marks(&line), columns));
    }
    lines.extend(table_lines(&table, columns));
    let ends_cut = lines.iter().map(|line| Shown::new(line.trim_end()));
    ends_cut.collect()
}

/// The lines, those that go on where the last column of the one before began in one with it.
fn joined(markdown: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for raw in markdown.lines().take(MOST_LINES) {
        let line = Shown::new(raw).to_string();
        let text = line.trim();
        let column = begin(&line);
        let has_no_columns = !text.is_empty() && !text.contains("  ");
        match lines.last_mut() {
            // Lines that all begin there, such as code, stay apart.
            Some(last) if has_no_columns && begin(last) < column && last_column(last) == column => {
                *last = format!("{} {text}", last.trim_end());
            }
            _ => lines.push(line),
        }
    }
    lines
}

/// The cells of a line of a table.
fn cells(line: &str) -> Option<Vec<String>> {
    let inner = line.trim().strip_prefix('|')?.trim_end_matches('|');
    let cells = inner.split('|').map(|cell| without_marks(cell.trim()));
    Some(cells.collect())
}

/// The rows with their cells below each other; the line below the titles is left out.
fn table_lines(rows: &[Vec<String>], columns: u16) -> Vec<String> {
    let is_rule = |row: &Vec<String>| {
        let mut letters = row.iter().flat_map(|cell| cell.chars());
        letters.all(|c| matches!(c, '-' | ':'))
    };
    let rows: Vec<&Vec<String>> = rows.iter().filter(|row| !is_rule(row)).collect();
    let most = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    let width_of = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        cells.map(|cell| width(cell)).max().unwrap_or(0)
    };
    let widths: Vec<u16> = (0..most).map(width_of).collect();
    let line = |row: &&Vec<String>| {
        let padded = row.iter().zip(&widths).map(|(cell, &cells)| {
            let gap = usize::from(cells.saturating_sub(width(cell)));
            format!("{cell}{}", " ".repeat(gap))
        });
        cut(&padded.collect::<Vec<_>>().join("  "), columns, "")
    };
    rows.iter().map(line).collect()
}

/// Without the marks of headings, emphasis and code.
fn without_marks(line: &str) -> String {
    let text = line.trim_start_matches('#');
    let line = if text.len() < line.len() {
        text.trim_start()
    } else {
        line
    };
    line.replace("**", "").replace('`', "")
}

/// Breaks a line at spaces; what follows stands below where its last column begins, so that names at the left
/// stay alone.
fn wrapped(line: &str, columns: u16) -> Vec<String> {
    if columns == 0 {
        return Vec::new();
    }
    let indent = last_column(line);
    // A column that begins far to the right would leave no room.
    let indent = if indent > columns / 2 { 0 } else { indent };
    let indent = " ".repeat(usize::from(indent));
    let mut lines = Vec::new();
    let mut rest = line.to_owned();
    while width(&rest) > columns {
        let fits = cut(&rest, columns, "");
        let begin = fits.len() - fits.trim_start().len();
        let ends_at_word = rest[fits.len()..].starts_with(' ');
        let space = fits.rfind(' ').filter(|at| *at > begin && !ends_at_word);
        let at = space.unwrap_or(fits.len());
        if at <= indent.len() {
            // Not even one letter fits behind the indent.
            break;
        }
        lines.push(rest[..at].to_owned());
        rest = indent.clone() + rest[at..].trim_start();
    }
    lines.push(cut(&rest, columns, ""));
    lines
}

/// Cells before the text.
fn begin(line: &str) -> u16 {
    width(&line[..line.len() - line.trim_start().len()])
}

/// Cells before the text, or before what stands two spaces or more behind its first words.
fn last_column(line: &str) -> u16 {
    let text = line.trim_start();
    let begin = line.len() - text.len();
    let column = match text.find("  ") {
        Some(gap) => line.len() - text[gap..].trim_start().len(),
        None => begin,
    };
    width(&line[..column])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(markdown: &str, columns: u16) -> Vec<String> {
        let lines = lines(markdown, columns);
        lines.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn marks_go_and_tables_become_columns() {
        let text = "# The `default`\n\n| split | % |\n| --- | ---: |\n| test | **40.5** |\n| bnfree | 17 |";
        let expected = ["The default", "", "split   %", "test    40.5", "bnfree  17"];
        assert_eq!(shown(text, 40), expected);
    }

    #[test]
    fn long_lines_go_on_below_their_last_column() {
        // As its author broke it.
        let text = "data      CIFAR-10, JPEG\n          copies, the first images";
        let expected = [
            "data      CIFAR-10, JPEG",
            "          copies, the first",
            "          images",
        ];
        assert_eq!(shown(text, 28), expected);
        assert_eq!(shown("one two three", 7), ["one two", "three"]);
    }

    #[test]
    fn any_width_ends_and_nothing_dangerous_passes() {
        let text = "  \u{1b}[31mabcdefghijk lmnop  q 架构架构\n| a | bcdefghijklmnop |";
        for columns in 0..12 {
            for line in &lines(text, columns) {
                assert!(width(line.as_str()) <= columns, "{columns}: {line}");
                assert!(!line.as_str().contains('\u{1b}'));
            }
        }
    }
}
