//! What the engine holds between requests, and how it answers them.

use std::path::Path;
use std::time::Instant;

use super::opened::Opened;
use super::predicted::describe;
use super::protocol::{ArchSpec, Body, Command, PostSpec, PredictSeconds, Predicted, Side};
use super::server::Reply;
use super::shift::Shifts;
use super::{ghns, rows};
use crate::arch::{self, Arch, ArchError, zoo};
use crate::data::DataError;
use crate::ghn::{Ghn, GhnError, PredictOptions};
use crate::init::{self, InitError, Post};
use crate::nn::files::{self, FileError};
use crate::nn::{Placement, StateDict};
use crate::run::{Home, RunError};
use crate::stats;
use crate::stats::shift::ShiftError;
use crate::train::TrainError;

/// What the engine finds around it.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// In words: `cpu, 2 threads, AVX-512`.
    pub device: String,
    /// Where networks run, or why they cannot.
    pub placement: Result<Placement, String>,
    /// Config and cache, if the user has a home.
    pub home: Option<Home>,
}

/// Instead of a GHN: torchvision's own random initialisation.
pub const RANDOM: &str = "random";

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error(transparent)]
    Arch(Box<ArchError>),
    #[error(transparent)]
    Ghn(Box<GhnError>),
    #[error(transparent)]
    Init(Box<InitError>),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("nothing is predicted yet; predict first")]
    NothingPredicted,
    #[error("nothing is post-processed yet; post-process first")]
    NothingPostProcessed,
    #[error("the parameters have no weight called \"{0}\"")]
    NoTensor(String),
    #[error(transparent)]
    Shift(Box<ShiftError>),
    #[error("{}", with_causes(.0.as_ref()))]
    Train(Box<TrainError>),
    #[error("opening the data set: {0}")]
    Data(Box<DataError>),
    #[error(transparent)]
    Run(Box<RunError>),
    #[error("{0}")]
    Device(String),
    #[error("no home folder for this user: set HYPERSCOPE_HOME to a folder that you can write")]
    NoHome,
    #[error("what was being computed broke off; ask again")]
    Broken,
    #[error("cancelled")]
    Cancelled,
}

/// An error with its causes, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let words: Vec<String> = causes.map(ToString::to_string).collect();
    words.join(": ")
}

impl From<TrainError> for SessionError {
    fn from(error: TrainError) -> Self {
        Self::Train(Box::new(error))
    }
}

impl From<DataError> for SessionError {
    fn from(error: DataError) -> Self {
        Self::Data(Box::new(error))
    }
}

impl From<RunError> for SessionError {
    fn from(error: RunError) -> Self {
        Self::Run(Box::new(error))
    }
}

impl From<ShiftError> for SessionError {
    fn from(error: ShiftError) -> Self {
        Self::Shift(Box::new(error))
    }
}

impl From<ArchError> for SessionError {
    fn from(error: ArchError) -> Self {
        Self::Arch(Box::new(error))
    }
}

impl From<GhnError> for SessionError {
    fn from(error: GhnError) -> Self {
        Self::Ghn(Box::new(error))
    }
}

impl From<InitError> for SessionError {
    fn from(error: InitError) -> Self {
        Self::Init(Box::new(error))
    }
}

/// Parameters of one architecture, before and after post-processing.
struct Held {
    arch: Arch,
    before: StateDict,
    after: Option<StateDict>,
}

/// The engine's memory.
pub struct Session {
    held: Option<Held>,
    opened: Opened,
    home: Option<Home>,
    shifts: Shifts,
}

impl Session {
    /// Nothing is held yet.
    #[must_use]
    pub fn new(opened: Opened, home: Option<Home>) -> Self {
        Self {
            held: None,
            opened,
            home,
            shifts: Shifts::default(),
        }
    }

    /// Answers one request; what it finds goes to `reply`.
    ///
    /// # Errors
    /// [`SessionError`]; what was held before stays.
    pub fn answer(&mut self, command: Command, reply: &mut Reply) -> Result<(), SessionError> {
        match command {
            Command::Ghns => {
                reply.send(Body::Ghns { ghns: ghns::list() });
                Ok(())
            }
            Command::Ghn { name, seed } => self.ghn(&name, seed, reply),
            Command::Predict { arch, ghn, seed } => self.predict(&arch, &ghn, seed, reply),
            Command::Post { post, first } => self.post(&post, &first, reply),
            Command::Shift { arch, ghn, seed } => self.shift(&arch, &ghn, seed, reply),
            Command::Detail { tensor } => self.detail(&tensor, reply),
            Command::Write { side, path } => self.write(side, Path::new(&path), reply),
            // Other threads take these before they come here.
            Command::Cancel { .. } | Command::Evaluate(_) => Ok(()),
        }
    }

    fn ghn(&self, name: &str, seed: u64, reply: &mut Reply) -> Result<(), SessionError> {
        let (_, ghn) = self.opened.get(name, seed)?;
        let (report, damaged) = ghns::report(name, &ghn, self.home.as_ref())?;
        for text in damaged {
            reply.send(Body::Warning { text });
        }
        reply.send(Body::Ghn(Box::new(report)));
        Ok(())
    }

    fn predict(
        &mut self,
        spec: &ArchSpec,
        ghn: &str,
        seed: u64,
        reply: &mut Reply,
    ) -> Result<(), SessionError> {
        step(reply, "drawing a random start", 0)?;
        let arch = network(spec)?;
        let (predicted, before) = if ghn == RANDOM {
            (drawn(&arch), init::random::state(&arch, seed))
        } else {
            step(reply, "opening the GHN", 1)?;
            let (_, ghn) = self.opened.get(ghn, seed)?;
            step(reply, "predicting", 2)?;
            predict(&arch, &ghn, seed)?
        };
        reply.send(Body::Predicted(predicted));
        // The old parameters are given up only now that the new ones exist.
        let held = self.held.insert(Held {
            arch,
            before,
            after: None,
        });
        let names = stats::weights_of_arch(&held.arch);
        rows::send(&held.before, Side::Before, names, &[], reply)
    }

    fn shift(
        &mut self,
        spec: &ArchSpec,
        ghn: &str,
        seed: u64,
        reply: &mut Reply,
    ) -> Result<(), SessionError> {
        let arch = network(spec)?;
        let ghn = match ghn {
            RANDOM => None,
            name => Some(self.opened.get(name, seed)?),
        };
        self.shifts.answer(&arch, spec.side, ghn, reply)
    }

    fn post(
        &mut self,
        spec: &PostSpec,
        first: &[String],
        reply: &mut Reply,
    ) -> Result<(), SessionError> {
        let held = self.held.as_mut().ok_or(SessionError::NothingPredicted)?;
        let post = Post {
            noise: spec.noise,
            orth: spec.orth,
            beta: spec.beta,
            first_layer: spec.layer.parse().unwrap_or_default(),
            seed: spec.seed,
            ..Post::default()
        };
        let mut after = held.before.clone();
        let report = init::post_process(&mut after, &held.arch, &post, &mut |p| {
            reply.progress("post-processing", p.done as u64, p.total as u64)
        })?;
        for warning in &report.warnings {
            reply.send(Body::Warning {
                text: warning.to_string(),
            });
        }
        let changed = report.layers.into_iter().map(|l| l.tensor).collect();
        let after = held.after.insert(after);
        rows::send(after, Side::After, changed, first, reply)
    }

    fn detail(&self, tensor: &str, reply: &mut Reply) -> Result<(), SessionError> {
        let held = self.held.as_ref().ok_or(SessionError::NothingPredicted)?;
        let missing = || SessionError::NoTensor(tensor.to_owned());
        let before = held.before.get(tensor).ok_or_else(missing)?;
        let after = held.after.as_ref().and_then(|state| state.get(tensor));
        // A tensor that post-processing left alone has one side only.
        let after = after.filter(|after| *after != before);
        reply.send(Body::Detail {
            tensor: tensor.to_owned(),
            before: stats::detail(before).ok_or_else(missing)?,
            after: after.and_then(stats::detail),
        });
        Ok(())
    }

    fn write(&self, side: Side, path: &Path, reply: &mut Reply) -> Result<(), SessionError> {
        let held = self.held.as_ref().ok_or(SessionError::NothingPredicted)?;
        let state = match side {
            Side::Before => &held.before,
            Side::After => held
                .after
                .as_ref()
                .ok_or(SessionError::NothingPostProcessed)?,
        };
        let metadata = [("arch".to_owned(), held.arch.name().to_owned())].into();
        files::write_safetensors(path, state, &metadata)?;
        reply.send(Body::Written {
            path: path.display().to_string(),
            bytes: path.metadata().map_or(0, |m| m.len()),
        });
        Ok(())
    }
}

/// Steps of a prediction, for its progress bar.
const STEPS: u64 = 3;

fn step(reply: &mut Reply, what: &str, done: u64) -> Result<(), SessionError> {
    if reply.progress(what, done, STEPS).is_break() {
        return Err(SessionError::Cancelled);
    }
    Ok(())
}

/// What there is to say of a random start.
fn drawn(arch: &Arch) -> Predicted {
    Predicted {
        arch: arch.name().to_owned(),
        ghn: RANDOM.to_owned(),
        trained: false,
        params: 0,
        tensors: 0,
        unpredicted: arch.parameters().map(|t| t.name.clone()).collect(),
        seconds: PredictSeconds::default(),
    }
}

/// The architecture that is asked for.
fn network(spec: &ArchSpec) -> Result<Arch, ArchError> {
    let options = zoo::Options::for_images(spec.classes, spec.side);
    arch::build(&spec.name, &options)
}

/// A network's parameters: predicted, or random where the GHN leaves them.
fn predict(arch: &Arch, ghn: &Ghn, seed: u64) -> Result<(Predicted, StateDict), SessionError> {
    let options = PredictOptions {
        seed,
        ..PredictOptions::default()
    };
    let prediction = ghn.predict(arch, &options)?;
    let mut predicted = describe(arch, ghn, &prediction);
    let start = Instant::now();
    let state = init::random::complete(arch, prediction.tensors, seed);
    predicted.seconds.write = start.elapsed().as_secs_f64();
    Ok((predicted, state))
}
