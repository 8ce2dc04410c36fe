//! A report as text: a table for each network, what its numbers mean, what is not in them, the protocol.

use super::super::runs::print;
use super::super::runs::table::{Align, Table};
use super::report::Report;
use super::words;
use crate::run::experiment::{BASELINE, Difference, Group, LEVEL, Measured};
use crate::stats::Sample;
use crate::text::Shown;

/// The report's lines.
#[must_use]
pub fn report(report: &Report) -> Vec<String> {
    let mut lines = vec![format!(
        "experiment {}: {} of {} runs have finished",
        Shown::new(report.experiment),
        report.finished,
        report.planned
    )];
    let mut archs: Vec<&str> = report.results.iter().map(|g| g.arch.as_str()).collect();
    archs.dedup();
    for arch in archs {
        let groups = report.results.iter().filter(|g| g.arch == arch);
        lines.push(String::new());
        lines.push(Shown::new(arch).to_string());
        lines.extend(results(groups).lines());
    }
    lines.push(String::new());
    lines.extend(explanation(report));
    if !report.unfinished.is_empty() {
        lines.push(String::new());
        lines.extend(unfinished(report).lines());
    }
    if let Some(p) = &report.protocol {
        lines.push(String::new());
        lines.extend(words::lines(p));
    }
    lines
}

fn results<'a>(groups: impl Iterator<Item = &'a Group>) -> Table {
    let difference = format!("less {BASELINE}");
    let interval = format!("{:.0} % interval", LEVEL * 100.0);
    let mut table = Table::new(&[
        ("start", Align::Left),
        ("n", Align::Right),
        ("test %", Align::Right),
        ("val %", Align::Right),
        (&difference, Align::Right),
        (&interval, Align::Left),
        ("pairs", Align::Right),
    ]);
    for group in groups {
        let against = group.difference.as_ref();
        table.row(&[
            group.start.clone(),
            count(group),
            measured(group.test.as_ref()),
            measured(group.val.as_ref()),
            against.map_or_else(dash, |d| signed(d.measured.sample.mean)),
            against.map_or_else(dash, interval_of),
            against.map_or_else(dash, |d| d.seeds.len().to_string()),
        ]);
    }
    table
}

fn dash() -> String {
    "-".to_owned()
}

/// `3`, or `2 of 3` where some did not finish.
fn count(group: &Group) -> String {
    let done = group.seeds.len();
    if done == group.runs {
        done.to_string()
    } else {
        format!("{done} of {}", group.runs)
    }
}

fn measured(values: Option<&Measured>) -> String {
    let Some(Measured { sample, .. }) = values else {
        return dash();
    };
    let Sample {
        mean, deviation, ..
    } = sample;
    match deviation {
        Some(deviation) => format!("{mean:.2} ± {deviation:.2}"),
        None => format!("{mean:.2}"),
    }
}

fn signed(value: f64) -> String {
    format!("{value:+.2}")
}

fn interval_of(difference: &Difference) -> String {
    match difference.interval {
        Some([low, high]) => format!("{} to {}", signed(low), signed(high)),
        None => "none: one pair".to_owned(),
    }
}

fn explanation(report: &Report) -> Vec<String> {
    let mut lines = vec![
        "Top-1 accuracy after the last epoch, in percent: mean ± sample standard".to_owned(),
        "deviation over the n seeds that finished.".to_owned(),
    ];
    if report.results.iter().any(|g| g.difference.is_some()) {
        lines.push(
            "Differences are of test accuracies of the same seed, in percentage points;".to_owned(),
        );
        lines.push(format!(
            "intervals are Student's t with pairs - 1 degrees of freedom, {:.0} % for each row.",
            LEVEL * 100.0
        ));
    } else if !report.results.iter().any(|g| g.start == BASELINE) {
        lines.push(format!(
            "Without a start `{BASELINE}` there is nothing to take differences to."
        ));
    }
    lines
}

/// Runs that are in no number above.
fn unfinished(report: &Report) -> Table {
    let mut table = Table::new(&[
        ("not finished", Align::Left),
        ("state", Align::Left),
        ("epoch", Align::Right),
        ("why", Align::Left),
    ]);
    for run in &report.unfinished {
        table.row(&[
            run.id().to_string(),
            run.status.to_string(),
            print::epochs(run),
            run.standing.reason.clone().unwrap_or_default(),
        ]);
    }
    table
}
