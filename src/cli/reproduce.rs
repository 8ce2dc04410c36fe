//! `hyperscope reproduce`: the paper's experiment. The same networks from several starts, over several
//! seeds, trained by the published recipes; then what the starts are worth, with the whole protocol.
//!
//! An experiment is a name that its runs carry (`run::experiment`). The command asks for the runs that are
//! missing, lets ordinary workers carry them out, and reads the result off the runs' own logs: it keeps
//! nothing of its own, so it can be ended and started again at any time.

mod args;
mod carry;
mod plan;
mod preview;
mod protocol;
mod report;
mod screen;
mod table;
mod words;

use anyhow::Context as _;

pub use args::ReproduceArgs;

use self::carry::Fate;
use self::plan::Plan;
use self::report::Report;
use super::Common;
use crate::nn::Device;
use crate::run::experiment::{Cell, Experiment, conflict, names};
use crate::run::{Home, Lease};
use crate::text::Shown;

/// Runs the command.
///
/// # Errors
/// If the request is wrong, stored runs of the experiment follow another protocol, another command looks
/// after it, or not all runs finish.
pub fn run(common: &Common, args: &ReproduceArgs) -> anyhow::Result<()> {
    let home = Home::find()?;
    if let Some(name) = &args.report {
        return stored_report(common, &home, name);
    }
    one_run_per_gpu(common, args)?;
    let plan = Plan::make(common, args, &home)?;
    if args.dry_run {
        let stored = Experiment::read(&home, &plan.name)?;
        refuse_other_protocol(&stored, &plan)?;
        return preview::print(common, &plan, &carry::fates(&plan, &stored, args.retry));
    }
    let lease = Lease::of_experiment(&home, &plan.name);
    let _one_at_a_time = lease.with_context(|| {
        let name = Shown::new(&plan.name);
        format!("looking after the experiment \"{name}\", which one command does at a time")
    })?;
    let stored = Experiment::read(&home, &plan.name)?;
    refuse_other_protocol(&stored, &plan)?;
    let fates = carry::fates(&plan, &stored, args.retry);
    let end = carry::carry_out(&home, &plan, fates, args.jobs as usize)?;
    let experiment = Experiment::read(&home, &plan.name)?;
    let report = Report::of(&experiment, Some(plan.requests.len()));
    report.print(common)?;
    anyhow::ensure!(
        !end.interrupted,
        "interrupted: {} of {} runs have finished; the same command goes on",
        report.finished,
        report.planned
    );
    let left = plan.requests.iter().map(Cell::of);
    let left = left.filter(|cell| Fate::of(experiment.run(cell)) != Fate::Finished);
    let left = left.count();
    anyhow::ensure!(
        left == 0,
        "{left} of {} runs have not finished; the same command resumes those that were stopped, and with \
         --retry those that failed",
        plan.requests.len()
    );
    Ok(())
}

/// The table of what is stored, complete or not.
fn stored_report(common: &Common, home: &Home, name: &str) -> anyhow::Result<()> {
    let experiment = Experiment::read(home, name)?;
    if experiment.runs.is_empty() {
        let known = names(home)?;
        let known = match &known[..] {
            [] => "there is none yet; `hyperscope reproduce --data DATA` begins one".to_owned(),
            names => format!("there are: {}", names.join(", ")),
        };
        anyhow::bail!("no runs of an experiment \"{name}\": {known}");
    }
    Report::of(&experiment, None).print(common)
}

fn one_run_per_gpu(common: &Common, args: &ReproduceArgs) -> anyhow::Result<()> {
    let device = common.placement()?.device;
    anyhow::ensure!(
        args.jobs == 1 || device == Device::Cpu,
        "--jobs {}: {device} carries out one run at a time; leave --jobs out, or take --device cpu",
        args.jobs
    );
    Ok(())
}

/// Runs of another protocol under the same name would make the table a lie.
fn refuse_other_protocol(stored: &Experiment, plan: &Plan) -> anyhow::Result<()> {
    for run in &stored.runs {
        let Some(conflict) = conflict(&run.request, &plan.requests) else {
            continue;
        };
        let show = |value: Option<toml::Value>| {
            value.map_or_else(|| "nothing".to_owned(), |v| v.to_string())
        };
        anyhow::bail!(
            "the experiment \"{}\" has runs of another protocol: {} was asked for with {} = {}, now it is {}. \
             Give another --name, or the options of those runs (`hyperscope reproduce --report '{}'` shows them)",
            plan.name,
            run.id(),
            conflict.key,
            show(conflict.stored),
            show(conflict.asked),
            plan.name
        );
    }
    Ok(())
}
