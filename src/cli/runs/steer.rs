//! `hyperscope runs pause`, `resume` and `stop`.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::super::Common;
use super::print;
use crate::run::{self, Command, RunDir, Status, Summary, control, launch};

/// How long the worker is waited for: it hears commands between two steps, and a checkpoint takes its time.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(50);

#[derive(Serialize)]
struct Outcome<'a> {
    run: &'a str,
    command: &'a str,
    /// As it is now; may not be reached yet.
    status: Status,
}

/// Asks the worker to pause.
pub fn pause(common: &Common, dir: &RunDir) -> anyhow::Result<()> {
    refuse_ended(dir, "pause")?;
    control::send(dir, Command::Pause)?;
    wait(dir, |s| s == Status::Paused || !s.is_live());
    tell(common, dir, "pause")
}

/// Asks the worker to stop.
pub fn stop(common: &Common, dir: &RunDir) -> anyhow::Result<()> {
    refuse_ended(dir, "stop")?;
    control::send(dir, Command::Stop)?;
    wait(dir, |s| !s.is_live());
    tell(common, dir, "stop")
}

/// Asks the worker to go on, or starts one.
pub fn resume(common: &Common, dir: &RunDir) -> anyhow::Result<()> {
    let status = Summary::read(dir)?.status;
    if status == Status::Finished {
        anyhow::bail!(
            "{} has done all its epochs; there is nothing to go on with",
            dir.id()
        );
    }
    if status.is_live() {
        control::send(dir, Command::Resume)?;
        wait(dir, |s| s != Status::Paused);
    } else {
        // A worker whose run has ended hears nothing more, and may take a moment to leave.
        wait(dir, |_| !run::is_alive(dir));
        launch::detached(dir)?;
        wait(dir, |s| s.is_live() || s != status);
    }
    tell(common, dir, "resume")
}

fn refuse_ended(dir: &RunDir, what: &str) -> anyhow::Result<()> {
    let status = Summary::read(dir)?.status;
    if matches!(status, Status::Finished | Status::Failed | Status::Stopped) && !run::is_alive(dir)
    {
        anyhow::bail!(
            "{} has {}; there is nothing to {what}",
            dir.id(),
            ended(status)
        );
    }
    Ok(())
}

fn ended(status: Status) -> &'static str {
    match status {
        Status::Finished => "finished",
        Status::Failed => "failed",
        _ => "been stopped",
    }
}

/// Waits a while until the run's state is the one that was asked for.
fn wait(dir: &RunDir, reached: impl Fn(Status) -> bool) {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if Summary::read(dir).is_ok_and(|s| reached(s.status)) {
            return;
        }
        sleep(LOOK);
    }
    eprintln!("the worker has not answered yet; it does so after the step that it is in");
}

fn tell(common: &Common, dir: &RunDir, command: &str) -> anyhow::Result<()> {
    let status = Summary::read(dir)?.status;
    if common.json {
        return print::json(&Outcome {
            run: dir.id().as_str(),
            command,
            status,
        });
    }
    print::lines(&[format!("{}  {status}", dir.id())])
}
