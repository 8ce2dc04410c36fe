//! `hyperscope finetune`, and the worker that carries a run out.
//!
//! Both end in the same code: a run is first written down as a directory, and is then carried out
//! from there, here or in a process of its own.

mod args;
pub(super) mod ask;
mod carry;
mod console;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

pub use args::FinetuneArgs;

use super::Common;
use crate::run::{Home, Request, RunDir, Terminal, Worker, launch};
use crate::train::End;
use console::Console;

/// Runs the command: in the foreground, or by starting a worker.
///
/// # Errors
/// If the request is wrong, the run's directory cannot be made, or the training fails.
pub fn run(common: &Common, args: &FinetuneArgs) -> anyhow::Result<()> {
    let home = Home::find()?;
    let request = ask::request(common, args, &home)?;
    carry_out(common, &home, &request, args.detach)
}

/// Writes a run down and carries it out, here or in a process of its own.
///
/// # Errors
/// If the run's directory cannot be made or a process not be started, and whatever ends the run early.
pub fn carry_out(
    common: &Common,
    home: &Home,
    request: &Request,
    in_own_process: bool,
) -> anyhow::Result<()> {
    let dir = RunDir::create(home, request)?;
    if in_own_process {
        return detach(common, &dir);
    }
    let mut worker = Worker::begin(&dir, &request.device, Terminal::Keep)?;
    worker.stop_on_signals()?;
    let console = Console::new(dir.id().as_str(), request.training.epochs, common.json);
    console.say(&format!("run {}", dir.id()));
    let outcome = carry::carry_out(worker, Some(&console));
    console.clear();
    let outcome = outcome.with_context(|| format!("run {}", dir.id()))?;
    console.result(&outcome);
    Ok(())
}

fn detach(common: &Common, dir: &RunDir) -> anyhow::Result<()> {
    let holder = launch::detached(dir)?;
    let mut out = std::io::stdout().lock();
    if common.json {
        let started = json!({
            "kind": "started",
            "run": dir.id().as_str(),
            "dir": dir.path(),
            "pid": holder.pid,
        });
        writeln!(out, "{started}")?;
    } else {
        writeln!(out, "{}", dir.id())?;
    }
    Ok(())
}

#[derive(Debug, Args)]
pub struct WorkerArgs {
    /// The run's directory
    pub run: PathBuf,
}

/// Carries out a run that was already written down, from its last checkpoint if it has one.
///
/// # Errors
/// If there is no such run, another process carries it out, or the training fails.
pub fn work(_common: &Common, args: &WorkerArgs) -> anyhow::Result<()> {
    let dir = RunDir::open(&args.run)?;
    let device = dir.request()?.device;
    let mut worker = Worker::begin(&dir, &device, Terminal::Leave)?;
    worker.stop_on_signals()?;
    let outcome = carry::carry_out(worker, None)?;
    let word = match outcome.end {
        End::Finished => "finished",
        End::Stopped => "stopped",
    };
    eprintln!(
        "{word} after {} epochs, {} steps",
        outcome.epochs, outcome.step
    );
    Ok(())
}
