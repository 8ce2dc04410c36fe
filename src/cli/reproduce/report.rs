//! The result of an experiment, read off its runs: the document that `--json` prints.

use serde::Serialize;

use super::super::Common;
use super::super::runs::print::{self, View};
use super::protocol::Protocol;
use super::table;
use crate::run::experiment::{Experiment, Group, groups};
use crate::run::{Request, Status, Summary};

/// The whole result.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    pub experiment: &'a str,
    /// Runs that did all their epochs.
    pub finished: usize,
    /// Runs that the experiment consists of, as far as is known: those stored, or asked for now.
    pub planned: usize,
    pub results: Vec<Group>,
    pub protocol: Option<Protocol>,
    pub runs: Vec<View<'a>>,
    #[serde(skip)]
    pub unfinished: Vec<&'a Summary>,
}

impl<'a> Report<'a> {
    /// Of the stored runs; `planned` of them are asked for, if anybody asks.
    #[must_use]
    pub fn of(experiment: &'a Experiment, planned: Option<usize>) -> Self {
        let runs = &experiment.runs;
        let requests: Vec<&Request> = runs.iter().map(|run| &*run.request).collect();
        let done = |run: &&Summary| run.status == Status::Finished;
        Self {
            experiment: &experiment.name,
            finished: runs.iter().filter(done).count(),
            planned: planned.unwrap_or(0).max(runs.len()),
            results: groups(runs),
            protocol: Protocol::of(&requests),
            runs: runs.iter().map(View::of).collect(),
            unfinished: runs.iter().filter(|run| !done(run)).collect(),
        }
    }

    /// Prints it.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub fn print(&self, common: &Common) -> anyhow::Result<()> {
        if common.json {
            print::json(self)
        } else {
            print::lines(&table::report(self))
        }
    }
}
