//! Carrying out what is missing, and waiting for it.

use std::thread::sleep;
use std::time::Duration;

use super::plan::Plan;
use super::screen::Screen;
use crate::run::experiment::{Cell, Crew, Experiment, Job};
use crate::run::{Home, Request, RunDir, Signals, Status, Summary};

/// Between two looks at the runs at work.
const LOOK: Duration = Duration::from_millis(200);

/// What is to be done with a planned run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing: it is done.
    Finished,
    /// A worker carries it out now, whoever started that.
    Going,
    /// It was stopped or its worker died; it goes on from its last checkpoint.
    Resume,
    /// It was not begun.
    Start,
    /// It failed, and would most likely fail again: it is left alone unless asked for.
    Failed,
}

impl Fate {
    /// Of a run as it is stored now.
    #[must_use]
    pub fn of(run: Option<&Summary>) -> Self {
        let Some(run) = run else {
            return Self::Start;
        };
        match run.status {
            Status::Finished => Self::Finished,
            Status::Failed => Self::Failed,
            Status::Starting | Status::Running | Status::Paused => Self::Going,
            Status::Queued | Status::Stopped | Status::Died => Self::Resume,
        }
    }

    /// In a word, for tables and JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Going => "going",
            Self::Resume => "resume",
            Self::Start => "start",
            Self::Failed => "failed",
        }
    }
}

/// A planned run, what will be done with it, and its directory if it has one.
#[derive(Debug)]
pub struct Planned<'a> {
    pub request: &'a Request,
    pub fate: Fate,
    pub dir: Option<RunDir>,
}

/// What will be done with each planned run; with `retry`, failed ones are resumed.
#[must_use]
pub fn fates<'a>(plan: &'a Plan, stored: &Experiment, retry: bool) -> Vec<Planned<'a>> {
    let planned = plan.requests.iter().map(|request| {
        let run = stored.run(&Cell::of(request));
        let fate = match Fate::of(run) {
            Fate::Failed if retry => Fate::Resume,
            fate => fate,
        };
        Planned {
            request,
            fate,
            dir: run.map(|run| run.dir.clone()),
        }
    });
    planned.collect()
}

/// How the waiting ended.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// By Ctrl-C or a request to terminate: the workers were stopped.
    pub interrupted: bool,
}

/// Carries out all runs that are to be started or resumed, and waits for them and for those that go on
/// already.
///
/// A first interrupt stops the workers with a checkpoint each and waits for that; a second one leaves at
/// once. A hang-up ends this process only: workers go on, and the next call takes them up again.
///
/// # Errors
/// If runs cannot be written or read.
pub fn carry_out(
    home: &Home,
    plan: &Plan,
    planned: Vec<Planned>,
    at_once: usize,
) -> anyhow::Result<End> {
    let signals = Signals::listen(home.runs_folder())?;
    let screen = Screen::new(plan, &planned);
    let (mut jobs, mut going) = (Vec::new(), Vec::new());
    for run in planned {
        match (run.fate, run.dir) {
            (Fate::Start, _) => jobs.push(Job::New(Box::new(run.request.clone()))),
            (Fate::Resume, Some(dir)) => jobs.push(Job::Again(dir)),
            (Fate::Going, Some(dir)) => going.push(dir),
            _ => {}
        }
    }
    let mut crew = Crew::new(home.clone(), at_once, jobs);
    crew.join(going);
    let end = wait(&mut crew, &signals, &screen);
    screen.clear();
    end
}

fn wait(crew: &mut Crew, signals: &Signals, screen: &Screen) -> anyhow::Result<End> {
    let mut interrupted = false;
    while !crew.is_done() {
        if signals.told_to_stop() && !interrupted {
            interrupted = true;
            screen.stopping(crew.going().len());
            crew.stop()?;
        }
        for news in crew.look()? {
            screen.news(&news);
        }
        screen.show(crew.going());
        if !crew.is_done() {
            sleep(LOOK);
        }
    }
    Ok(End { interrupted })
}
