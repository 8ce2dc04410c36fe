//! `hyperscope runs watch`.

use std::io::{self, Write};
use std::thread::sleep;
use std::time::Duration;

use super::super::Common;
use super::list::moment;
use crate::run::{self, Event, Line, RunDir, Split, Status, Summary, Tail};
use crate::text::{Shown, terminal_safe_json};

/// Time between two looks at the log.
const LOOK: Duration = Duration::from_millis(100);

/// Prints the run's log from its beginning, and what comes, until the run has no worker.
///
/// # Errors
/// If the run has not begun, has failed or died.
pub fn run(common: &Common, dir: &RunDir) -> anyhow::Result<()> {
    if Summary::read(dir)?.status == Status::Queued {
        anyhow::bail!(
            "the run has not begun, and nobody carries it out; `hyperscope runs resume {}` starts it",
            dir.id()
        );
    }
    let mut tail = Tail::new(&dir.events());
    loop {
        // Asked before reading: all that a worker wrote is there when its lock is free.
        let alive = run::is_alive(dir);
        let mut news = tail.read()?;
        if news.restarted {
            eprintln!("the log was cut or replaced; from its beginning:");
        }
        let read = news.lines.len();
        print(common, &news.lines)?;
        while news.more {
            news = tail.read()?;
            print(common, &news.lines)?;
        }
        if !alive {
            break;
        }
        if read == 0 {
            sleep(LOOK);
        }
    }
    if tail.lost() > 0 {
        eprintln!("{} damaged lines were skipped", tail.lost());
    }
    verdict(dir)
}

/// A run that failed makes its watcher fail.
fn verdict(dir: &RunDir) -> anyhow::Result<()> {
    let summary = Summary::read(dir)?;
    match (summary.status, summary.standing.reason) {
        (Status::Failed, Some(reason)) => anyhow::bail!("the run failed: {reason}"),
        (Status::Failed, None) => anyhow::bail!("the run failed"),
        (Status::Died, _) => anyhow::bail!(
            "the run's worker ended without a word; {} may say why, `hyperscope runs resume {}` goes on from \
             the last checkpoint",
            dir.worker_log().display(),
            dir.id()
        ),
        _ => Ok(()),
    }
}

fn print(common: &Common, lines: &[Line]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    for line in lines {
        if common.json {
            let json = serde_json::to_string(line)?;
            writeln!(out, "{}", terminal_safe_json(&json))?;
        } else if let Some(text) = describe(&line.event) {
            writeln!(out, "{}  {}", moment(line.t_ms), Shown::new(&text))?;
        }
    }
    out.flush()?;
    Ok(())
}

/// An event for people; what the process uses is left to the app and to `--json`.
fn describe(event: &Event) -> Option<String> {
    Some(match event {
        Event::Train {
            step,
            epoch,
            loss,
            top1,
            lr,
            images_per_s,
            ..
        } => format!(
            "train  epoch {epoch:7.2}  step {step:7}  loss {loss:.4}  top-1 {top1:6.2} %  lr {lr:.2e}  \
             {images_per_s:.1} images/s"
        ),
        Event::Eval {
            step,
            epoch,
            split,
            loss,
            top1,
            ..
        } => {
            let name = match split {
                Split::Train => "train*",
                Split::Val => "val   ",
                Split::Test => "test  ",
            };
            format!("{name} epoch {epoch:7.2}  step {step:7}  loss {loss:.4}  top-1 {top1:6.2} %")
        }
        Event::Before {
            split,
            loss,
            top1,
            images,
            ..
        } => format!(
            "before training: loss {loss:.4}  top-1 {top1:.2} % of {images} {} images",
            split.word()
        ),
        Event::State { state, reason } => {
            let word = serde_json::to_value(state).ok()?;
            let word = word.as_str()?;
            match reason {
                Some(reason) => format!("{word}: {reason}"),
                None => word.to_owned(),
            }
        }
        Event::Note { text } => text.clone(),
        Event::Phases(p) => format!(
            "step   epoch {:7.2}  step {:7}  graph {:.3} s  predict {:.3}  forward {:.3}  backward {:.3}  \
             update {:.3}  left out {}",
            p.epoch, p.step, p.graph, p.predict, p.forward, p.backward, p.update, p.skipped
        ),
        Event::System { .. } => return None,
    })
}
