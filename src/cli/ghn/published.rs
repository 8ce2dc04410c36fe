//! `hyperscope ghn list --published`: what can be fetched, and what of it is here.

use std::path::PathBuf;

use anyhow::Context as _;
use serde::Serialize;

use super::super::Common;
use super::super::arch::short;
use super::super::runs::{print, table};
use crate::ghn;
use crate::ghn::hub::{Ledger, RELEASES, Release, Size};
use table::{Align, Table};

#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    what: &'static str,
    /// Of the file here, else as published.
    bytes: u64,
    /// False for a size that follows from the number of weights.
    exact: bool,
    url: String,
    #[serde(skip)]
    page: &'static str,
    /// Where it lies here.
    path: Option<PathBuf>,
    /// Its hash, if it was fetched here.
    sha256: Option<String>,
}

impl Row {
    fn of(release: &Release, ledger: &Ledger) -> Self {
        let path = ghn::folder().join(release.file());
        let here = std::fs::metadata(&path).ok().filter(|m| m.is_file());
        let exact = here.is_some() || matches!(release.size, Size::Exactly(_));
        let remembered = ledger.get(release.name);
        Self {
            name: release.name,
            what: release.what,
            bytes: here.as_ref().map_or(release.size.bytes(), |m| m.len()),
            exact,
            url: release.url(),
            page: release.page(),
            path: here.is_some().then_some(path),
            sha256: remembered.map(|e| e.sha256.clone()),
        }
    }
}

/// Prints the list.
///
/// # Errors
/// If what is remembered of earlier fetches cannot be read, or standard output cannot be written.
pub fn list(common: &Common) -> anyhow::Result<()> {
    let ledger = Ledger::read(&ghn::folder()).context("listing published checkpoints")?;
    let rows: Vec<Row> = RELEASES.iter().map(|p| Row::of(p, &ledger)).collect();
    if common.json {
        return print::json(&rows);
    }
    let mut table = Table::new(&[
        ("name", Align::Left),
        ("what", Align::Left),
        ("size", Align::Right),
        ("here", Align::Left),
        ("published at", Align::Left),
    ]);
    for row in &rows {
        let about = if row.exact { "" } else { "~" };
        let size = format!("{about}{}B", short(row.bytes));
        let here = if row.path.is_some() { "yes" } else { "no" };
        table.row(&[row.name, row.what, &size, here, row.page]);
    }
    let mut lines = table.lines();
    lines.push(
        "`hyperscope ghn fetch NAME` brings one here; --from takes a mirror or a folder".to_owned(),
    );
    print::lines(&lines)
}
