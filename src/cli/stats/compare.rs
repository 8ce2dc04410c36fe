//! `hyperscope stats compare`.

use std::path::Path;

use super::super::Common;
use super::super::runs::print;
use super::super::runs::table::{Align, Table};
use super::{number, read, shape};
use crate::stats::{self, Comparison};
use crate::text::Shown;

pub fn run(common: &Common, first: &Path, second: &Path) -> anyhow::Result<()> {
    let comparison = stats::compare(&read(first)?, &read(second)?);
    if common.json {
        return print::json(&comparison);
    }
    print::lines(&table(&comparison).lines())?;
    print::lines(&rest(&comparison))
}

fn table(comparison: &Comparison) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("tensor", Left),
        ("shape", Left),
        ("difference", Right),
        ("relative", Right),
        ("cosine", Right),
        ("largest", Right),
        ("rank", Right),
    ]);
    for tensor in &comparison.tensors {
        let rank = tensor.rank.map_or_else(
            || "-".to_owned(),
            |[before, after]| format!("{before} -> {after}"),
        );
        table.row(&[
            tensor.name.clone(),
            shape(&tensor.shape),
            number(tensor.difference),
            number(tensor.relative),
            number(tensor.cosine),
            number(tensor.max_abs),
            rank,
        ]);
    }
    table
}

/// What the table cannot hold: tensors in one file only, and the count of equal ones.
fn rest(comparison: &Comparison) -> Vec<String> {
    let mut lines = vec![
        String::new(),
        format!(
            "{} tensors in both, {} of them identical",
            comparison.tensors.len(),
            comparison.identical
        ),
    ];
    for (where_, names) in [
        ("only in the first", &comparison.only_in_first),
        ("only in the second", &comparison.only_in_second),
    ] {
        lines.extend(
            names
                .iter()
                .map(|name| format!("{where_}: {}", Shown::new(name))),
        );
    }
    for (name, first, second) in &comparison.misshapen {
        lines.push(format!(
            "of different shapes: {}  {} and {}",
            Shown::new(name),
            shape(first),
            shape(second)
        ));
    }
    lines
}
