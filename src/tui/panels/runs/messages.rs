//! What passes between the panel and the thread that reads run directories.

use std::sync::Arc;

use crate::run::{Command, Line, Listing, RunDir, RunId};
use crate::text::Shown;

/// What this panel wants done with run directories.
#[derive(Clone, Debug, PartialEq)]
pub enum RunsEffect {
    /// Look for runs, for their states, and for new points of the runs named.
    Poll { curves: Vec<RunDir> },
    /// Tell a run's worker something.
    Tell(RunDir, Command),
    /// Start a worker that goes on where the last one ended.
    Start(RunDir),
    /// Read the end of what a run's worker wrote to its standard error.
    ReadLog(RunDir),
}

/// What the tasks that read run directories say.
#[derive(Clone, Debug)]
pub enum RunsMsg {
    /// The runs have changed.
    Listed(Arc<Listing>),
    /// The folder of runs cannot be read.
    ListFailed(String),
    /// New lines of a run's event log.
    Points(Points),
    /// A run's event log cannot be read.
    PointsFailed(RunId, String),
    /// All that a poll found has been said.
    Polled,
    /// Something was asked of a run, in words such as `pause`; with the reason if it failed.
    Told(RunId, &'static str, Result<(), String>),
    /// The last lines of a worker's log; the reason if it cannot be read.
    Log(RunId, Result<Vec<Shown>, String>),
}

/// Lines of an event log in their order.
#[derive(Clone, Debug)]
pub struct Points {
    pub run: RunId,
    pub lines: Arc<[Line]>,
    /// What was read before is void: the log is read from its beginning.
    pub fresh: bool,
    /// More is on its way.
    pub more: bool,
    /// Damaged lines of the log that were skipped so far.
    pub lost: u64,
}
