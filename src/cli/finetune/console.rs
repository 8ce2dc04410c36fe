//! What a run in the foreground shows: a progress bar where there is a terminal, else a line per
//! epoch, both on standard error; with `--json`, a line of JSON per epoch on standard output.

use std::io::{IsTerminal as _, Write as _, stderr, stdout};

use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::super::progress;
use crate::text::Shown;
use crate::train::{EpochSummary, Event, Outcome, RunState};

/// Positions of the bar per epoch.
const PER_EPOCH: f64 = 1000.0;

/// The screen, or what stands in for it.
pub struct Console {
    run: String,
    epochs: u32,
    json: bool,
    bar: Option<ProgressBar>,
}

impl Console {
    /// For the run called `run`.
    #[must_use]
    pub fn new(run: &str, epochs: u32, json: bool) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let length = (f64::from(epochs) * PER_EPOCH) as u64;
            progress::bar(length, "{bar:24} {msg}  {eta} left")
        });
        Self {
            run: run.to_owned(),
            epochs,
            json,
            bar,
        }
    }

    /// Shows an event.
    pub fn event(&self, event: &Event) {
        match event {
            Event::Train {
                epoch,
                loss,
                top1,
                images_per_s,
                ..
            } => self.advance(*epoch, *loss, *top1, *images_per_s),
            Event::Note { text } => self.say(text),
            Event::State { state, reason } => self.state(*state, reason.as_deref()),
            Event::Before { split, top1, .. } => self.say(&format!(
                "before training: {top1:.1} % of {} images",
                split.word()
            )),
            Event::Eval { .. } | Event::Phases(_) | Event::System { .. } => {}
        }
    }

    fn advance(&self, epoch: f64, loss: f64, top1: f64, images_per_s: f64) {
        let Some(bar) = &self.bar else {
            return;
        };
        bar.set_position((epoch * PER_EPOCH) as u64);
        bar.set_message(format!(
            "epoch {epoch:.1}/{}  loss {loss:.3}  top1 {top1:.1} %  {images_per_s:.0} images/s",
            self.epochs
        ));
    }

    fn state(&self, state: RunState, reason: Option<&str>) {
        let text = match (state, reason) {
            (RunState::Starting, _) => format!("{}: reading data, making parameters", self.run),
            (RunState::Paused, _) => format!("paused; `hyperscope runs resume {}`", self.run),
            (RunState::Stopped, _) => format!(
                "stopped with a checkpoint; `hyperscope runs resume {}` goes on",
                self.run
            ),
            _ => return,
        };
        self.say(&text);
    }

    /// Shows the line of an epoch.
    pub fn epoch(&self, summary: &EpochSummary) {
        self.say(&line(summary, self.epochs));
        if self.json {
            print_line(&epoch_json(&self.run, summary));
        }
    }

    /// Prints the result on standard output.
    pub fn result(&self, outcome: &Outcome) {
        self.clear();
        if self.json {
            print_line(&result_json(&self.run, outcome));
        } else {
            // A reader that went away needs no result.
            let _ = writeln!(stdout(), "{}", table(&self.run, outcome));
        }
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// A line on standard error, above the bar.
    pub fn say(&self, text: &str) {
        let text = Shown::new(text);
        match &self.bar {
            Some(bar) => bar.println(text.as_str()),
            // A terminal that went away is no reason to end a run.
            None => {
                let _ = writeln!(stderr(), "{text}");
            }
        }
    }
}

/// A line of JSON; whoever read it may have gone, which is no reason to end a run.
fn print_line(value: &Value) {
    let mut out = stdout().lock();
    let _ = writeln!(out, "{value}").and_then(|()| out.flush());
}

fn line(summary: &EpochSummary, epochs: u32) -> String {
    let mut text = format!(
        "epoch {}/{epochs}  loss {:.4}  train {:.1} %",
        summary.epoch, summary.train_loss, summary.train_top1
    );
    for (name, metrics) in [("val", summary.val), ("test", summary.test)] {
        if let Some(metrics) = metrics {
            text += &format!("  {name} {:.2} %", metrics.top1);
        }
    }
    text + &format!(
        "  {:.0} images/s  lr {:.2e}",
        summary.images_per_s, summary.lr
    )
}

fn epoch_json(run: &str, summary: &EpochSummary) -> Value {
    json!({
        "kind": "epoch",
        "run": run,
        "epoch": summary.epoch,
        "step": summary.step,
        "lr": summary.lr,
        "train_loss": summary.train_loss,
        "train_top1": summary.train_top1,
        "val_loss": summary.val.map(|m| m.loss),
        "val_top1": summary.val.map(|m| m.top1),
        "test_loss": summary.test.map(|m| m.loss),
        "test_top1": summary.test.map(|m| m.top1),
        "images_per_s": summary.images_per_s,
        "seconds": summary.seconds,
    })
}

fn result_json(run: &str, outcome: &Outcome) -> Value {
    json!({
        "kind": "result",
        "run": run,
        "test_top1": outcome.last.test.map(|m| m.top1),
        "val_top1": outcome.last.val.map(|m| m.top1),
        "epochs": outcome.epochs,
        "seconds": outcome.seconds,
    })
}

fn table(run: &str, outcome: &Outcome) -> String {
    let mut rows = vec![
        ("run", run.to_owned()),
        ("epochs", outcome.epochs.to_string()),
        ("steps", outcome.step.to_string()),
        ("seconds", format!("{:.1}", outcome.seconds)),
    ];
    let last = [
        ("train", outcome.last.train),
        ("val", outcome.last.val),
        ("test", outcome.last.test),
    ];
    for (name, metrics) in last {
        if let Some(m) = metrics {
            let text = format!(
                "{:6.2} %  of {} images, loss {:.4}",
                m.top1, m.images, m.loss
            );
            rows.push((name, text));
        }
    }
    if let Some(best) = outcome.best {
        rows.push((
            "best",
            format!("{:6.2} %  after epoch {}", best.top1, best.epoch),
        ));
    }
    let lines = rows.iter().map(|(name, text)| format!("{name:<8} {text}"));
    lines.collect::<Vec<_>>().join("\n")
}
