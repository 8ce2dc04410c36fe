//! Carrying out many runs, a few at a time, each by a worker of its own.

use std::collections::VecDeque;

use crate::run::{
    Command, Home, Request, RunDir, RunError, Summary, control, is_alive, launch, lease_holder,
};

/// A run to carry out.
#[derive(Clone, Debug)]
pub enum Job {
    /// It is written down when its turn comes.
    New(Box<Request>),
    /// It has a directory; a checkpoint in it is gone on from.
    Again(RunDir),
}

/// What happened to a run.
#[derive(Debug)]
pub enum News {
    /// A worker began, or goes on, with it.
    Began(RunDir),
    /// Its worker is gone; how it ended stands in its log.
    Ended(Box<Summary>),
    /// No worker could be started for it, or its files can no longer be read. The others go on.
    Lost(RunDir, RunError),
    /// The device is in another's hands; asked for again at the next look.
    Waits {
        device: String,
        /// Who has it.
        pid: u32,
        host: String,
    },
}

/// Runs that wait, and those that go on now. It holds no processes: workers live without it.
#[derive(Debug)]
pub struct Crew {
    home: Home,
    at_once: usize,
    waiting: VecDeque<Job>,
    going: Vec<RunDir>,
}

impl Crew {
    /// For these jobs, in their order, at most `at_once` of them at a time.
    #[must_use]
    pub fn new(home: Home, at_once: usize, jobs: impl IntoIterator<Item = Job>) -> Self {
        Self {
            home,
            at_once: at_once.max(1),
            waiting: jobs.into_iter().collect(),
            going: Vec::new(),
        }
    }

    /// Takes in runs that have a worker already; they count among those at work.
    pub fn join(&mut self, going: impl IntoIterator<Item = RunDir>) {
        self.going.extend(going);
    }

    /// The runs that have a worker, as far as is known.
    #[must_use]
    pub fn going(&self) -> &[RunDir] {
        &self.going
    }

    #[must_use]
    pub fn is_done(&self) -> bool {
        self.going.is_empty() && self.waiting.is_empty()
    }

    /// Looks who has ended, and starts workers for those that wait. To be called a few times a second.
    ///
    /// # Errors
    /// If a run cannot be written down, which the next one could not either; workers go on.
    pub fn look(&mut self) -> Result<Vec<News>, RunError> {
        let mut news = Vec::new();
        let (going, ended): (Vec<_>, _) = self.going.drain(..).partition(is_alive);
        self.going = going;
        for dir in ended {
            news.push(match Summary::read(&dir) {
                Ok(run) => News::Ended(Box::new(run)),
                Err(error) => News::Lost(dir, error),
            });
        }
        while self.going.len() < self.at_once
            && let Some(job) = self.waiting.pop_front()
        {
            if let Job::Again(dir) = &job
                && is_leaving(dir)
            {
                self.waiting.push_front(job);
                break;
            }
            let happened = self.begin(job)?;
            let waits = matches!(happened, News::Waits { .. });
            news.push(happened);
            if waits {
                break;
            }
        }
        Ok(news)
    }

    fn begin(&mut self, job: Job) -> Result<News, RunError> {
        let device = match &job {
            Job::New(request) => request.device.clone(),
            Job::Again(dir) => match dir.request() {
                Ok(request) => request.device,
                Err(error) => return Ok(News::Lost(dir.clone(), error)),
            },
        };
        if let Some(holder) = lease_holder(&self.home, &device)? {
            self.waiting.push_front(job);
            return Ok(News::Waits {
                device,
                pid: holder.pid,
                host: holder.host,
            });
        }
        let dir = match job {
            Job::New(request) => RunDir::create(&self.home, &request)?,
            Job::Again(dir) => dir,
        };
        match launch::detached(&dir) {
            // Another worker has it, or ours takes its time: it goes on in either case.
            Ok(_) | Err(RunError::Held { .. } | RunError::WorkerSlow { .. }) => {
                self.going.push(dir.clone());
                Ok(News::Began(dir))
            }
            Err(error) => Ok(News::Lost(dir, error)),
        }
    }

    /// Starts no more, and tells those at work to write a checkpoint and end.
    ///
    /// # Errors
    /// If a worker cannot be told; all others are told nevertheless.
    pub fn stop(&mut self) -> Result<(), RunError> {
        self.waiting.clear();
        let mut told = Ok(());
        for dir in &self.going {
            match control::send(dir, Command::Stop) {
                // It ended by itself meanwhile.
                Ok(()) | Err(RunError::NoWorker(_)) => {}
                Err(error) => told = Err(error),
            }
        }
        told
    }
}

/// Whether a worker still holds a run that has said its last word: it takes a moment to leave.
fn is_leaving(dir: &RunDir) -> bool {
    is_alive(dir) && Summary::read(dir).is_ok_and(|run| !run.is_alive())
}
