//! `hyperscope ghn verify`: does a GHN predict what the published one predicts?

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::super::Common;
use super::super::progress;
use super::super::runs::{print, table};
use crate::ghn::Ghn;
use crate::stats::norms::{NormCheck, NormTable, PUBLISHED_TOLERANCE};
use table::{Align, Table};

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A checkpoint (.pt, or .safetensors with its config beside it), or a name in the cache folder
    ghn: String,
    /// Only these networks, apart by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    models: Vec<String>,
    /// The table's column: ghn2, ghn3-t or ghn3 (XL) [default: that of the GHN's config]
    #[arg(long, value_name = "NAME")]
    column: Option<String>,
    /// Another table of norms than the published one
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// Largest difference of a norm that still agrees
    #[arg(long, value_name = "X", default_value_t = PUBLISHED_TOLERANCE)]
    tolerance: f64,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report<'a> {
    ghn: &'a str,
    hash: &'a str,
    column: &'a str,
    tolerance: f64,
    agreed: usize,
    of: usize,
    verdict: &'static str,
    models: &'a [NormCheck],
}

/// Runs the command.
///
/// # Errors
/// If GHN or table cannot be read, nothing in the table belongs to the GHN, or a norm differs.
pub fn run(common: &Common, args: &VerifyArgs) -> anyhow::Result<()> {
    let table = match &args.table {
        Some(path) => NormTable::read(path)?,
        None => NormTable::published(),
    };
    let ghn = common.open_ghn(&args.ghn)?;
    let column = column(args, &table, &ghn)?;
    let rows = rows(args, &table, column)?;
    let checks = checks(common, args, &ghn, &rows);
    let agreed = checks.iter().filter(|c| c.agrees).count();
    let report = Report {
        ghn: ghn.name(),
        hash: ghn.hash()?,
        column,
        tolerance: args.tolerance,
        agreed,
        of: checks.len(),
        verdict: if agreed == checks.len() {
            "agrees"
        } else {
            "differs"
        },
        models: &checks,
    };
    if common.json {
        print::json(&report)?;
    } else {
        print::lines(&lines(&report))?;
    }
    anyhow::ensure!(
        agreed == checks.len(),
        "{}: {} of {} networks differ from the published norms by more than {}",
        ghn.name(),
        checks.len() - agreed,
        checks.len(),
        args.tolerance
    );
    Ok(())
}

/// The column that is asked for, or the one that belongs to the GHN.
fn column<'a>(args: &'a VerifyArgs, table: &'a NormTable, ghn: &Ghn) -> anyhow::Result<&'a str> {
    let columns = table.columns().join(", ");
    match &args.column {
        Some(name) => {
            let known = table.columns().iter().any(|c| c == name);
            anyhow::ensure!(known, "the table of norms has no column \"{name}\"; there are {columns}");
            Ok(name)
        }
        None => table.column_of(ghn.config()).with_context(|| {
            format!(
                "no norms are published for a {} like {}; name one of the table's columns ({columns}) with --column, \
                 or give a table with --table",
                ghn.config(),
                ghn.name()
            )
        }),
    }
}

/// The networks that are asked for, with their published norms.
fn rows<'a>(
    args: &VerifyArgs,
    table: &'a NormTable,
    column: &str,
) -> anyhow::Result<Vec<(&'a str, f64)>> {
    if args.models.is_empty() {
        return Ok(table.rows(column).collect());
    }
    let row = |name: &String| {
        let row = table.rows(column).find(|(model, _)| model == name);
        row.with_context(|| {
            format!("column {column} of the table of norms has no network \"{name}\"")
        })
    };
    args.models.iter().map(row).collect()
}

fn checks(common: &Common, args: &VerifyArgs, ghn: &Ghn, rows: &[(&str, f64)]) -> Vec<NormCheck> {
    let bar = progress::bar(rows.len() as u64, "{bar:24} {pos}/{len} {msg}  {eta} left");
    let mut checks = Vec::with_capacity(rows.len());
    for (model, published) in rows {
        bar.set_message((*model).to_owned());
        let check = NormCheck::run(ghn, model, *published, args.tolerance, common.seed);
        checks.push(check);
        bar.inc(1);
    }
    bar.finish_and_clear();
    checks
}

fn lines(report: &Report<'_>) -> Vec<String> {
    let mut table = Table::new(&[
        ("network", Align::Left),
        ("published", Align::Right),
        ("here", Align::Right),
        ("difference", Align::Right),
        ("%", Align::Right),
        ("", Align::Left),
    ]);
    for check in report.models {
        let number = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "-".to_owned(), |v| format!("{v:.digits$}"))
        };
        let signed =
            |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| format!("{v:+.4}"));
        let verdict = match (&check.error, check.agrees) {
            (Some(error), _) => error,
            (None, true) => "agrees",
            (None, false) => "DIFFERS",
        };
        table.row(&[
            check.model.as_str(),
            &number(Some(check.published), 4),
            &number(check.norm, 4),
            &signed(check.difference),
            &signed(check.percent),
            verdict,
        ]);
    }
    let mut lines = table.lines();
    let verdict = if report.agreed == report.of {
        "it predicts what the published one predicts"
    } else {
        "it is not the published one, or its predictions are wrong"
    };
    lines.push(format!(
        "{}: {} of {} networks agree with the norms of {} to {}; {verdict}",
        report.ghn, report.agreed, report.of, report.column, report.tolerance
    ));
    lines
}
