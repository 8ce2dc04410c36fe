//! Tables of published norms: text, one line per network, fields apart by white space. The first line names the columns,
//! lines that begin with `#` are remarks, a `-` stands for a number that is not known.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::ghn::Config;
use crate::text::Shown;

/// The published norms, as part of the program.
const PUBLISHED: &str = include_str!("../../../assets/norms-torchvision.tsv");

/// What stands for a number that is not known.
const UNKNOWN: &str = "-";

/// Norms of predicted parameters: a row for each network, a column for each GHN.
#[derive(Clone, Debug, PartialEq)]
pub struct NormTable {
    columns: Vec<String>,
    rows: Vec<(String, Vec<Option<f64>>)>,
}

/// What is wrong with a table of norms.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TableError {
    #[error("reading the table of norms {}: {reason}", shown(.path))]
    Read { path: PathBuf, reason: String },
    #[error("line {line} of the table of norms: {reason}")]
    Line { line: usize, reason: String },
    #[error(
        "the table of norms has no network; its first line names the columns (`model ghn2`), each further one a network and its norms"
    )]
    Empty,
}

impl NormTable {
    /// The norms that the authors of GHN-3 published for torchvision's networks: columns `ghn2`, `ghn3-t` (GHN-3-T/m8) and
    /// `ghn3` (GHN-3-XL/m16).
    ///
    /// # Panics
    /// Never: the table is part of the program, and a test reads it.
    #[must_use]
    pub fn published() -> Self {
        Self::parse(PUBLISHED).expect("the table in assets/ is well-formed")
    }

    /// Reads a table from a file.
    ///
    /// # Errors
    /// [`TableError`] if it cannot be read, or is no such table.
    pub fn read(path: &Path) -> Result<Self, TableError> {
        let text = std::fs::read_to_string(path).map_err(|e| TableError::Read {
            path: path.to_owned(),
            reason: e.to_string(),
        })?;
        Self::parse(&text)
    }

    /// Reads a table from its text.
    ///
    /// # Errors
    /// [`TableError`] for text that is no such table.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        let lines = text.lines().enumerate();
        let mut lines = lines.filter(|(_, l)| !l.starts_with('#') && !l.trim().is_empty());
        let (_, head) = lines.next().ok_or(TableError::Empty)?;
        let columns: Vec<String> = head.split_whitespace().skip(1).map(str::to_owned).collect();
        let rows = lines
            .map(|(index, line)| {
                row(line, columns.len()).map_err(|reason| TableError::Line {
                    line: index + 1,
                    reason,
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        if rows.is_empty() || columns.is_empty() {
            return Err(TableError::Empty);
        }
        Ok(Self { columns, rows })
    }

    /// The columns' names.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The column of a GHN like this one: the only one, or that of the published GHN with the same config.
    #[must_use]
    pub fn column_of(&self, config: &Config) -> Option<&str> {
        if let [only] = self.columns.as_slice() {
            return Some(only);
        }
        let published = [
            (Config::ghn2_imagenet(), "ghn2"),
            (Config::ghn3_imagenet(64, 3, 8), "ghn3-t"),
            (Config::ghn3_imagenet(384, 24, 16), "ghn3"),
        ];
        let (_, name) = published.into_iter().find(|(c, _)| c == config)?;
        self.columns.iter().map(String::as_str).find(|c| *c == name)
    }

    /// Networks and norms of a column, in the table's order; nothing if there is no such column.
    pub fn rows(&self, column: &str) -> impl Iterator<Item = (&str, f64)> {
        let at = self.columns.iter().position(|c| c == column);
        self.rows.iter().filter_map(move |(model, norms)| {
            let norm = *norms.get(at?)?;
            Some((model.as_str(), norm?))
        })
    }
}

fn row(line: &str, columns: usize) -> Result<(String, Vec<Option<f64>>), String> {
    let mut fields = line.split_whitespace();
    let model = fields.next().unwrap_or_default().to_owned();
    let norms = fields.map(norm).collect::<Result<Vec<_>, _>>()?;
    if norms.len() != columns {
        let found = norms.len();
        return Err(format!("{found} norms, but the first line names {columns}"));
    }
    Ok((model, norms))
}

fn norm(text: &str) -> Result<Option<f64>, String> {
    if text == UNKNOWN {
        return Ok(None);
    }
    let value = text
        .parse()
        .ok()
        .filter(|v: &f64| v.is_finite() && *v > 0.0);
    let refused = || {
        format!(
            "\"{}\" is no norm: it must be a positive number",
            Shown::new(text)
        )
    };
    value.map(Some).ok_or_else(refused)
}

fn shown(path: &Path) -> Shown {
    Shown::new(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_table_has_the_published_numbers() {
        let table = NormTable::published();
        let of = |column: &str| {
            table
                .rows(column)
                .find(|(m, _)| *m == "resnet50")
                .unwrap()
                .1
        };
        assert_eq!(
            [of("ghn2"), of("ghn3-t"), of("ghn3")],
            [286.4883, 78.6197, 108.4530]
        );
        assert_eq!(table.rows("ghn4").count(), 0);
    }

    #[test]
    fn the_column_follows_from_the_config() {
        let table = NormTable::published();
        assert_eq!(table.column_of(&Config::ghn2_imagenet()), Some("ghn2"));
        assert_eq!(
            table.column_of(&Config::ghn3_imagenet(384, 24, 16)),
            Some("ghn3")
        );
        assert_eq!(table.column_of(&Config::ghn3_imagenet(128, 5, 16)), None);
        assert_eq!(table.column_of(&Config::ghn2_cifar10()), None);
        let own = NormTable::parse("model mine\nresnet18 3.5\n").unwrap();
        assert_eq!(own.column_of(&Config::ghn2_cifar10()), Some("mine"));
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_line() {
        let unknown = NormTable::parse("# mine\nmodel a b\nresnet18 - 2\nresnet34 1 -\n").unwrap();
        assert_eq!(unknown.rows("a").collect::<Vec<_>>(), [("resnet34", 1.0)]);
        for (text, part) in [
            ("", "no network"),
            ("model\nresnet18\n", "no network"),
            ("model a\nresnet18 1 2\n", "line 2"),
            ("model a\nresnet18 nan\n", "\"nan\" is no norm"),
            ("model a\nresnet18 -1\n", "positive"),
        ] {
            let message = NormTable::parse(text).unwrap_err().to_string();
            assert!(message.contains(part), "{text:?}: {message}");
        }
    }
}
