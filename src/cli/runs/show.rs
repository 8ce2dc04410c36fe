//! `hyperscope runs show`.

use serde::Serialize;

use super::super::Common;
use super::list::moment;
use super::print::{self, View};
use super::table::{Align, Table};
use crate::run::{self, EvalPoint, Holder, Request, RunDir, Summary};

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    view: View<'a>,
    worker: Option<Holder>,
    /// Those that a run can be resumed or its parameters taken from.
    checkpoints: Vec<String>,
    request: &'a Request,
}

/// Prints one run.
pub fn run(common: &Common, dir: &RunDir) -> anyhow::Result<()> {
    let summary = Summary::read(dir)?;
    let worker = run::holder(dir);
    let checkpoints = checkpoints(dir);
    if common.json {
        return print::json(&Document {
            view: View::of(&summary),
            worker,
            checkpoints,
            request: &summary.request,
        });
    }
    let mut table = Table::new(&[("run", Align::Left), (dir.id().as_str(), Align::Left)]);
    for (name, value) in standing(&summary, worker.as_ref(), &checkpoints) {
        table.row(&[name.to_owned(), value]);
    }
    table.row(&["", ""]);
    for (key, value) in summary.request.flat() {
        table.row(&[key, show_value(&value)]);
    }
    print::lines(&table.lines())
}

/// A value of a request without the quotes of TOML.
pub(super) fn show_value(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(values) => {
            let words: Vec<String> = values.iter().map(show_value).collect();
            words.join(" ")
        }
        other => other.to_string(),
    }
}

fn checkpoints(dir: &RunDir) -> Vec<String> {
    let folder = dir.checkpoint();
    let there = ["last", "best"].into_iter().map(|name| folder.join(name));
    there
        .filter(|path| path.is_dir())
        .map(|path| path.display().to_string())
        .collect()
}

fn standing(
    summary: &Summary,
    worker: Option<&Holder>,
    checkpoints: &[String],
) -> Vec<(&'static str, String)> {
    let standing = &summary.standing;
    let mut rows = vec![("state", summary.status.to_string())];
    if let Some(reason) = &standing.reason {
        rows.push(("reason", reason.clone()));
    }
    if let Some(w) = worker {
        let text = format!("process {} on {}, {}", w.pid, w.host, w.device);
        rows.push(("worker", text));
    }
    rows.push(("epoch", print::epochs(summary)));
    rows.push(("step", standing.step.to_string()));
    if let Some(t) = standing.train {
        rows.push(("training loss", format!("{:.4}", t.loss)));
        rows.push(("training top-1", format!("{:.2} %", t.top1)));
        rows.push(("learning rate", format!("{:.3e}", t.lr)));
        rows.push(("images/s", format!("{:.1}", t.images_per_s)));
    }
    if let Some(before) = standing.before {
        let chance = summary.request.chance();
        let text = format!("{:.2} % (chance {chance:.2} %)", before.top1);
        rows.push(("before training", text));
    }
    rows.push(("validation", evaluation(standing.val, standing.best_val)));
    rows.push(("test", evaluation(standing.test, standing.best_test)));
    rows.push(("last line", moment(standing.updated_ms)));
    rows.push(("time", print::duration(print::seconds(summary))));
    if let Some(left) = summary.seconds_left() {
        rows.push(("time left", print::duration(left)));
    }
    for path in checkpoints {
        rows.push(("checkpoint", path.clone()));
    }
    rows.push(("folder", summary.dir.path().display().to_string()));
    rows
}

fn evaluation(last: Option<EvalPoint>, best: Option<EvalPoint>) -> String {
    match (last, best) {
        (Some(last), Some(best)) => format!(
            "{:.2} % after epoch {}, best {:.2} % after epoch {}",
            last.top1, last.epoch, best.top1, best.epoch
        ),
        _ => "-".to_owned(),
    }
}
