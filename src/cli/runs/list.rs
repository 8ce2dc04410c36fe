//! `hyperscope runs list`.

use serde::Serialize;

use super::super::Common;
use super::print::{self, View};
use super::table::{Align, Table};
use crate::run::{Home, Summary, clock};
use crate::text::Shown;

#[derive(Serialize)]
struct Document<'a> {
    runs: Vec<View<'a>>,
    damaged: Vec<Damaged<'a>>,
}

#[derive(Serialize)]
struct Damaged<'a> {
    run: &'a str,
    reason: &'a str,
}

/// Prints all runs, newest first.
pub fn run(common: &Common, home: &Home) -> anyhow::Result<()> {
    let listing = crate::run::list(home)?;
    if common.json {
        let damaged = listing.damaged.iter();
        return print::json(&Document {
            runs: listing.runs.iter().map(View::of).collect(),
            damaged: damaged
                .map(|(id, reason)| Damaged {
                    run: id.as_str(),
                    reason,
                })
                .collect(),
        });
    }
    for (id, reason) in &listing.damaged {
        eprintln!("{id}: {}", Shown::new(reason));
    }
    if listing.runs.is_empty() {
        let runs = home.runs_folder().display().to_string();
        eprintln!(
            "no runs yet in {}; `hyperscope finetune ARCH --detach` starts one",
            Shown::new(&runs)
        );
        return Ok(());
    }
    print::lines(&table(&listing.runs).lines())
}

fn table(runs: &[Summary]) -> Table {
    let mut table = Table::new(&[
        ("run", Align::Left),
        ("init", Align::Left),
        ("data", Align::Left),
        ("state", Align::Left),
        ("epoch", Align::Right),
        ("loss", Align::Right),
        ("val %", Align::Right),
        ("test %", Align::Right),
        ("best %", Align::Right),
        ("time", Align::Right),
        ("left", Align::Right),
    ]);
    for run in runs {
        table.row(&row(run));
    }
    table
}

fn row(run: &Summary) -> [String; 11] {
    let standing = &run.standing;
    let loss = standing.train.map(|t| format!("{:.4}", t.loss));
    let left = run.seconds_left().map(print::duration);
    [
        run.id().to_string(),
        init(run),
        print::data_name(run).to_owned(),
        run.status.to_string(),
        print::epochs(run),
        loss.unwrap_or_else(|| "-".to_owned()),
        print::top1(standing.val),
        print::top1(standing.test),
        print::top1(standing.best_val.or(standing.best_test)),
        print::duration(print::seconds(run)),
        left.unwrap_or_default(),
    ]
}

/// The start, and that its GHN is untrained where it is.
fn init(run: &Summary) -> String {
    let name = run.request.init.rsplit('/').next().unwrap_or_default();
    match &run.request.ghn {
        Some(ghn) if !ghn.trained => format!("{name} (untrained)"),
        _ => name.to_owned(),
    }
}

/// When something happened, for people.
pub(super) fn moment(ms: u64) -> String {
    if ms == 0 {
        return "-".to_owned();
    }
    clock::iso(ms).replace('T', " ").replace('Z', " UTC")
}
