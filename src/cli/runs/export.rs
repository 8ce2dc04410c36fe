//! `hyperscope runs export`: everything that a run logged, for other programs.

use std::io::{self, Write};
use std::path::Path;

use clap::ValueEnum;
use serde::Serialize;

use super::print::{self, View};
use crate::private;
use crate::run::{self, Event, Line, Request, RunDir, Summary, Tail, tensorboard};
use crate::text::{Shown, terminal_safe_json};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One row per event, one column per value; empty where an event has none
    Csv,
    /// One document: the run, its request, its events
    Json,
    /// An event file in a folder of the run's name, below the one given with -o: TensorBoard's --logdir
    Tensorboard,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    view: View<'a>,
    request: &'a Request,
    events: &'a [Line],
}

const COLUMNS: &[&str] = &[
    "t",
    "seq",
    "kind",
    "step",
    "epoch",
    "split",
    "loss",
    "top1",
    "top5",
    "lr",
    "grad_norm",
    "images_per_s",
    "data_wait",
    "images",
    "seconds",
    "rss_bytes",
    "cpu_percent",
    "state",
    "reason",
    "text",
];

/// Writes the run's events to `output` or standard output. Steps that a resumed worker did again stand
/// there once, with their later values.
///
/// # Errors
/// If a file cannot be read or written, or TensorBoard's folder is not given.
pub fn run(dir: &RunDir, format: Format, output: Option<&Path>) -> anyhow::Result<()> {
    let text = match format {
        Format::Csv => csv(&events(dir)?)?,
        Format::Json => json(dir)?,
        Format::Tensorboard => return tensorboard(dir, output),
    };
    match output {
        Some(path) => {
            Ok(private::replace(path, text.as_bytes()).map_err(run::at("writing", path))?)
        }
        None => Ok(io::stdout().lock().write_all(text.as_bytes())?),
    }
}

/// Writes the event file, and says which.
fn tensorboard(dir: &RunDir, output: Option<&Path>) -> anyhow::Result<()> {
    let Some(logs) = output else {
        anyhow::bail!(
            "exporting for TensorBoard: into which folder is not said; give its --logdir with -o FOLDER, \
             where the run gets a folder of its own"
        );
    };
    let lines = events(dir)?;
    let folder = logs.join(dir.id().as_str());
    std::fs::create_dir_all(&folder).map_err(run::at("making the folder", &folder))?;
    let path = folder.join(tensorboard::file_name(&lines));
    let file = tensorboard::event_file(&lines);
    private::replace(&path, &file).map_err(run::at("writing", &path))?;
    print::lines(&[Shown::new(&path.display().to_string()).as_str()])
}

fn events(dir: &RunDir) -> anyhow::Result<Vec<Line>> {
    let (mut tail, mut lines) = (Tail::new(&dir.events()), Vec::new());
    loop {
        let news = tail.read()?;
        if news.restarted {
            lines.clear();
        }
        lines.extend(news.lines);
        if !news.more {
            break;
        }
    }
    if tail.lost() > 0 {
        eprintln!("{} damaged lines of the log were skipped", tail.lost());
    }
    Ok(run::without_repeats(lines))
}

fn json(dir: &RunDir) -> anyhow::Result<String> {
    let summary = Summary::read(dir)?;
    let document = Document {
        view: View::of(&summary),
        request: &summary.request,
        events: &events(dir)?,
    };
    Ok(terminal_safe_json(&serde_json::to_string(&document)?) + "\n")
}

fn csv(lines: &[Line]) -> anyhow::Result<String> {
    let mut text = COLUMNS.join(",") + "\n";
    for line in lines {
        let mut fields = serde_json::to_value(line)?;
        for (name, value) in not_numbers(&line.event) {
            fields[name] = value.into();
        }
        let cells: Vec<String> = COLUMNS.iter().map(|c| cell(&fields[*c])).collect();
        text += &cells.join(",");
        text.push('\n');
    }
    Ok(text)
}

/// What JSON cannot write: a loss that is not a number should be seen in the table, too.
fn not_numbers(event: &Event) -> Vec<(&'static str, &'static str)> {
    let values: &[(&'static str, f64)] = match event {
        Event::Train {
            loss, grad_norm, ..
        } => &[("loss", *loss), ("grad_norm", *grad_norm)],
        Event::Eval { loss, .. } | Event::Before { loss, .. } => &[("loss", *loss)],
        _ => &[],
    };
    let broken = values.iter().filter(|v| !v.1.is_finite());
    broken.map(|v| (v.0, "nan")).collect()
}

/// One cell as RFC 4180 has it, with nothing in it that a terminal would act upon.
fn cell(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => {
            let text = Shown::new(text);
            let text = text.as_str();
            if text.contains([',', '"']) {
                format!("\"{}\"", text.replace('"', "\"\""))
            } else {
                text.to_owned()
            }
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_every_column() {
        let line = |event| Line {
            t_ms: 1,
            seq: 2,
            event,
        };
        let lines = [
            line(Event::Note {
                text: "a, \"b\"\n\x1b[31m".into(),
            }),
            line(Event::Train {
                step: 3,
                epoch: 0.5,
                loss: f64::NAN,
                top1: 10.0,
                lr: 0.1,
                grad_norm: 1.0,
                images_per_s: 5.0,
                data_wait: 0.0,
            }),
        ];
        let text = csv(&lines).unwrap();
        let rows: Vec<&str> = text.lines().collect();
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[1], "1,2,note,,,,,,,,,,,,,,,,,\"a, \"\"b\"\"␤␛[31m\"");
        assert_eq!(rows[2], "1,2,train,3,0.5,,nan,10.0,,0.1,1.0,5.0,0.0,,,,,,,");
    }
}
