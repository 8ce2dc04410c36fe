//! What is said while runs are carried out, on standard error: a line when a run begins or ends, and on a
//! terminal a bar with those at work.

use std::cell::{Cell as Memory, RefCell};
use std::collections::HashMap;
use std::io::{IsTerminal as _, Write as _, stderr};

use indicatif::ProgressBar;

use super::super::progress;
use super::super::runs::print;
use super::carry::{Fate, Planned};
use super::plan::Plan;
use crate::run::experiment::News;
use crate::run::{Request, RunDir, RunId, Status, Summary};
use crate::text::Shown;

/// Positions of the bar per run.
const PER_RUN: f64 = 1000.0;

/// The screen of a waiting command.
pub struct Screen {
    bar: Option<ProgressBar>,
    runs: usize,
    ended: Memory<usize>,
    /// The bar's position of the runs at work, so that one that cannot be read for a moment does not
    /// take the bar back.
    parts: RefCell<HashMap<RunId, f64>>,
    said_to_wait: Memory<bool>,
}

impl Screen {
    /// Says what will be done.
    #[must_use]
    pub fn new(plan: &Plan, planned: &[Planned]) -> Self {
        let count = |fate: Fate| planned.iter().filter(|run| run.fate == fate).count();
        let bar = stderr().is_terminal().then(|| {
            let length = (planned.len() as f64 * PER_RUN) as u64;
            let bar = progress::bar(length, "{bar:24} {eta} left  {wide_msg}");
            // What was done before says nothing of the pace.
            bar.set_position((begun(planned) * PER_RUN) as u64);
            bar.reset_eta();
            bar
        });
        let screen = Self {
            bar,
            runs: planned.len(),
            ended: Memory::new(count(Fate::Finished) + count(Fate::Failed)),
            parts: RefCell::default(),
            said_to_wait: Memory::new(false),
        };
        let mut parts = vec![format!("{} runs", planned.len())];
        for (fate, words) in [
            (Fate::Finished, "finished"),
            (Fate::Going, "going on now"),
            (Fate::Resume, "to resume"),
            (Fate::Start, "to start"),
            (Fate::Failed, "failed, left alone without --retry"),
        ] {
            if count(fate) > 0 {
                parts.push(format!("{} {words}", count(fate)));
            }
        }
        screen.say(&format!("experiment {}: {}", plan.name, parts.join(", ")));
        screen
    }

    /// Says what happened.
    pub fn news(&self, news: &News) {
        match news {
            News::Began(dir) => {
                self.said_to_wait.set(false);
                if let Ok(request) = dir.request() {
                    self.say(&format!("begins    {}  {}", what(&request), dir.id()));
                }
            }
            News::Ended(run) => self.ended(run),
            News::Lost(dir, error) => {
                self.one_more();
                self.say(&format!("{}: {error}", dir.id()));
            }
            News::Waits { device, pid, host } => {
                if !self.said_to_wait.replace(true) {
                    self.say(&format!(
                        "waits for {device}, which process {pid} on {host} uses"
                    ));
                }
            }
        }
    }

    fn ended(&self, run: &Summary) {
        self.parts.borrow_mut().remove(run.id());
        if matches!(run.status, Status::Finished | Status::Failed | Status::Died) {
            self.one_more();
        }
        let result = match (run.status, &run.standing.reason) {
            (Status::Finished, _) => format!(
                "val {} %  test {} %  {}",
                print::top1(run.standing.val),
                print::top1(run.standing.test),
                print::duration(print::seconds(run))
            ),
            (_, Some(reason)) => reason.clone(),
            (Status::Died, None) => {
                format!(
                    "its worker ended without a word, see {}",
                    run.dir.worker_log().display()
                )
            }
            (_, None) => format!("after {} epochs", print::epochs(run)),
        };
        let text = format!("{:<9} {}  {result}", run.status.word(), what(&run.request));
        self.say(&text);
    }

    fn one_more(&self) {
        self.ended.set(self.ended.get() + 1);
    }

    /// Says that the workers were told to stop.
    pub fn stopping(&self, workers: usize) {
        self.say(&format!(
            "stopping {workers} workers, each with a checkpoint; Ctrl-C again leaves at once"
        ));
    }

    /// Shows the runs at work.
    pub fn show(&self, going: &[RunDir]) {
        let Some(bar) = &self.bar else {
            return;
        };
        let mut words = vec![format!("{}/{} runs", self.ended.get(), self.runs)];
        let mut parts = self.parts.borrow_mut();
        for dir in going {
            let Ok(run) = Summary::read(dir) else {
                continue;
            };
            parts.insert(run.id().clone(), run.progress().unwrap_or(0.0));
            let accuracy = run
                .standing
                .val
                .map(|point| format!("  {:.2} %", point.top1));
            words.push(format!(
                "{} {}{}",
                what(&run.request),
                print::epochs(&run),
                accuracy.unwrap_or_default()
            ));
        }
        let done = self.ended.get() as f64 + parts.values().sum::<f64>();
        bar.set_position((done * PER_RUN) as u64);
        bar.set_message(Shown::new(&words.join("  ")).as_str().to_owned());
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn say(&self, text: &str) {
        let text = Shown::new(text);
        match &self.bar {
            Some(bar) => bar.println(text.as_str()),
            // A terminal that went away is no reason to end.
            None => {
                let _ = writeln!(stderr(), "{text}");
            }
        }
    }
}

/// How many runs are done, parts of runs among them.
fn begun(planned: &[Planned]) -> f64 {
    let part = |run: &Planned| match run.fate {
        Fate::Finished | Fate::Failed => 1.0,
        Fate::Start => 0.0,
        Fate::Going | Fate::Resume => {
            let stored = run.dir.as_ref().and_then(|dir| Summary::read(dir).ok());
            stored.and_then(|run| run.progress()).unwrap_or(0.0)
        }
    };
    planned.iter().map(part).sum()
}

/// A run in a few words.
fn what(request: &Request) -> String {
    format!("{} {} {}", request.arch, request.init, request.seed)
}
