//! Experiments: runs that were asked for together, to be compared with each other.
//!
//! An experiment is a name in the requests of its runs, and nothing else on the disk. Its runs differ in
//! architecture, start and seed; everything else is its protocol.

mod crew;
mod protocol;
mod results;

pub use crew::{Crew, Job, News};
pub use protocol::{Conflict, conflict};
pub use results::{BASELINE, Difference, Group, LEVEL, Measured, groups};

use super::{Home, RunError, Status, Summary, list};

/// What a run is within its experiment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cell {
    pub arch: String,
    /// As `--init` says it.
    pub start: String,
    pub seed: u64,
}

impl Cell {
    /// The place of a request.
    #[must_use]
    pub fn of(request: &super::Request) -> Self {
        Self {
            arch: request.arch.clone(),
            start: request.init.clone(),
            seed: request.seed,
        }
    }
}

/// The runs of one experiment.
#[derive(Clone, Debug)]
pub struct Experiment {
    pub name: String,
    /// One for each cell, in the order in which they were asked for.
    pub runs: Vec<Summary>,
}

impl Experiment {
    /// Reads the runs that carry `name`; there may be none.
    ///
    /// Should somebody have copied a run, so that a cell has several, the one that got furthest counts.
    ///
    /// # Errors
    /// If the folder of runs exists and cannot be read.
    pub fn read(home: &Home, name: &str) -> Result<Self, RunError> {
        let mut runs: Vec<Summary> = list(home)?.runs;
        runs.retain(|run| run.request.experiment == name);
        runs.sort_by_key(|run| (run.request.created_ms, run.id().clone()));
        let mut kept: Vec<Summary> = Vec::new();
        for run in runs {
            let cell = Cell::of(&run.request);
            match kept.iter_mut().find(|k| Cell::of(&k.request) == cell) {
                Some(other) if far(other) < far(&run) => *other = run,
                Some(_) => {}
                None => kept.push(run),
            }
        }
        Ok(Self {
            name: name.to_owned(),
            runs: kept,
        })
    }

    /// The run of a cell.
    #[must_use]
    pub fn run(&self, cell: &Cell) -> Option<&Summary> {
        self.runs.iter().find(|r| Cell::of(&r.request) == *cell)
    }
}

fn far(run: &Summary) -> (bool, u64) {
    (run.status == Status::Finished, run.standing.step)
}

/// The names of all experiments, those asked for last first.
///
/// # Errors
/// If the folder of runs exists and cannot be read.
pub fn names(home: &Home) -> Result<Vec<String>, RunError> {
    let mut names: Vec<String> = Vec::new();
    for run in list(home)?.runs {
        let name = &run.request.experiment;
        if !name.is_empty() && !names.contains(name) {
            names.push(name.clone());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
