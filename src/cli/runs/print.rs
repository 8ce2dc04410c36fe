//! Numbers and times as the tables of runs show them, and JSON on standard output.

use std::io::{self, Write};

use serde::Serialize;

use crate::run::{EvalPoint, Status, Summary, TrainPoint};
use crate::text::terminal_safe_json;

/// Prints one JSON document.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    writeln!(io::stdout(), "{}", terminal_safe_json(&text))?;
    Ok(())
}

/// Prints lines of text.
pub fn lines<T: AsRef<str>>(lines: &[T]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    for line in lines {
        writeln!(out, "{}", line.as_ref())?;
    }
    Ok(())
}

/// A run as JSON: the fields that every `runs` command gives.
#[derive(Debug, Serialize)]
pub struct View<'a> {
    pub run: &'a str,
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
    pub arch: &'a str,
    pub classes: usize,
    pub side: usize,
    pub init: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ghn: Option<&'a str>,
    /// False for a GHN with weights drawn at random.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ghn_trained: Option<bool>,
    pub data: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub experiment: &'a str,
    pub seed: u64,
    pub step: u64,
    pub epoch: f64,
    pub epochs: u32,
    pub train: Option<TrainPoint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<EvalPoint>,
    pub val: Option<EvalPoint>,
    pub test: Option<EvalPoint>,
    pub best_val: Option<EvalPoint>,
    pub best_test: Option<EvalPoint>,
    pub created_ms: u64,
    pub updated_ms: u64,
    /// Time with a worker.
    pub seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<f64>,
    pub dir: String,
}

impl<'a> View<'a> {
    #[must_use]
    pub fn of(summary: &'a Summary) -> Self {
        let (request, standing) = (&summary.request, &summary.standing);
        Self {
            run: summary.id().as_str(),
            status: summary.status,
            reason: standing.reason.as_deref(),
            arch: &request.arch,
            classes: request.classes,
            side: request.side,
            init: &request.init,
            ghn: request.ghn.as_ref().map(|g| g.name.as_str()),
            ghn_trained: request.ghn.as_ref().map(|g| g.trained),
            data: data_name(summary),
            experiment: &request.experiment,
            seed: request.seed,
            step: standing.step,
            epoch: standing.epoch,
            epochs: request.training.epochs,
            train: standing.train,
            before: standing.before,
            val: standing.val,
            test: standing.test,
            best_val: standing.best_val,
            best_test: standing.best_test,
            created_ms: request.created_ms,
            updated_ms: standing.updated_ms,
            seconds: seconds(summary),
            seconds_left: summary.seconds_left(),
            dir: summary.dir.path().display().to_string(),
        }
    }
}

/// The data set's name, or what stands for it.
pub fn data_name(summary: &Summary) -> &str {
    let data = &summary.request.data;
    if data.name.is_empty() {
        &data.spec
    } else {
        &data.name
    }
}

/// Time with a worker, in seconds.
pub fn seconds(summary: &Summary) -> f64 {
    summary.standing.active_ms as f64 / 1000.0
}

/// `12.5/300`.
pub fn epochs(summary: &Summary) -> String {
    let epoch = summary.standing.epoch;
    let done = if epoch.fract() == 0.0 {
        format!("{epoch:.0}")
    } else {
        format!("{epoch:.1}")
    };
    format!("{done}/{}", summary.request.training.epochs)
}

/// Percent with two digits, or a dash.
pub fn top1(point: Option<EvalPoint>) -> String {
    point.map_or_else(|| "-".to_owned(), |p| format!("{:.2}", p.top1))
}

/// `3 d 04 h`, `4 h 05 min`, `6 min 07 s`, `8.9 s`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    let (days, hours, minutes) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60);
    match whole {
        86_400.. => format!("{days} d {hours:02} h"),
        3600.. => format!("{hours} h {minutes:02} min"),
        60.. => format!("{minutes} min {:02} s", whole % 60),
        _ => format!("{seconds:.1} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units() {
        for (seconds, text) in [
            (8.94, "8.9 s"),
            (367.0, "6 min 07 s"),
            (4.0 * 3600.0 + 300.0, "4 h 05 min"),
            (3.0 * 86_400.0 + 4.0 * 3600.0, "3 d 04 h"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
