//! `hyperscope runs`: list, show, watch, steer, compare and export runs.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Common;
use crate::run::Home;

mod compare;
mod export;
mod list;
pub(super) mod print;
mod show;
mod steer;
pub(super) mod table;
mod watch;

#[derive(Debug, Args)]
pub struct RunsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// All runs, newest first
    List,
    /// What was asked of a run, and where it stands
    Show(Run),
    /// Follow a run until it ends; fails if the run does
    Watch(Run),
    /// Let a run write a checkpoint and wait
    Pause(Run),
    /// Let a paused run go on, or start a worker for one that has none
    Resume(Run),
    /// Let a run write a checkpoint and end; it can be resumed
    Stop(Run),
    /// What differs between runs: requests and results
    Compare {
        /// Two runs or more, each given like RUN of the other commands
        #[arg(required = true, num_args = 2.., value_name = "RUN")]
        runs: Vec<String>,
    },
    /// Everything that a run logged
    Export {
        #[command(flatten)]
        run: Run,
        #[arg(long, value_enum)]
        format: export::Format,
        /// Where to; standard output if not given (a folder for TensorBoard)
        #[arg(short, long, value_name = "FILE|FOLDER")]
        output: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct Run {
    /// A run's name, a part of it that no other has, or `last`
    run: String,
}

/// Runs the command.
///
/// # Errors
/// If there is no such run, its files cannot be read or written, or (`watch`) it did not succeed.
pub fn run(common: &Common, args: &RunsArgs) -> anyhow::Result<()> {
    let home = Home::find()?;
    let find = |run: &Run| crate::run::find(&home, &run.run);
    match &args.what {
        What::List => list::run(common, &home),
        What::Show(run) => show::run(common, &find(run)?),
        What::Watch(run) => watch::run(common, &find(run)?),
        What::Pause(run) => steer::pause(common, &find(run)?),
        What::Resume(run) => steer::resume(common, &find(run)?),
        What::Stop(run) => steer::stop(common, &find(run)?),
        What::Compare { runs } => compare::run(common, &home, runs),
        What::Export {
            run,
            format,
            output,
        } => export::run(&find(run)?, *format, output.as_deref()),
    }
}
