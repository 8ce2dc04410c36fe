//! Carrying out a run that is written down: the same for the foreground and for a worker.

mod ghn;

use anyhow::Context as _;

use super::ask::protocol;
use super::console::Console;
use crate::arch::zoo::Options;
use crate::arch::{self, Arch};
use crate::data::{self, DataSet, EvalLoader, Split, TrainLoader};
use crate::init::{self, Post, Start};
use crate::nn::{Device, Placement, Precision, StateDict};
use crate::run::{Home, Lease, Request, RunDir, Worker};
use crate::train::optim::OptimiserSettings;
use crate::train::{
    self, Before, Checkpoints, Command, EpochSummary, Evaluation, Event, Kind, Loaders,
    OptimiserKind, Outcome, Reporter, Task, TestTime,
};

/// Images on which a run looks at its first parameters.
const LOOKED_AT: usize = 500;

/// Carries the run out, from its start or from its last checkpoint, and writes how it ended into its
/// log.
///
/// # Errors
/// Whatever ended the run early; it stands in the log, too.
pub fn carry_out(mut worker: Worker, console: Option<&Console>) -> anyhow::Result<Outcome> {
    let dir = worker.dir().clone();
    let mut both = Both {
        worker: &mut worker,
        console,
    };
    let done = dir.request().map_err(Into::into).and_then(|request| {
        let _lease = lease(placement(&request)?)?;
        match &request.ghn_recipe {
            Some(recipe) => {
                let task = ghn::task(&dir, &request, recipe)?;
                Ok(train::train_ghn(task, &mut both)?)
            }
            None => {
                let task = prepare(&dir, &request, &mut both)?;
                Ok(train::finetune(task, &mut both)?)
            }
        }
    });
    match &done {
        Ok(_) => worker.finish()?,
        Err(error) => worker.fail(&format!("{error:#}"))?,
    }
    done
}

/// The run's own reporter, and the screen beside it.
struct Both<'a> {
    worker: &'a mut Worker,
    console: Option<&'a Console>,
}

impl Reporter for Both<'_> {
    fn event(&mut self, event: Event) {
        if let Some(console) = self.console {
            console.event(&event);
        }
        self.worker.event(event);
    }

    fn command(&mut self) -> Option<Command> {
        self.worker.command()
    }

    fn epoch(&mut self, summary: &EpochSummary) {
        if let Some(console) = self.console {
            console.epoch(summary);
        }
        self.worker.epoch(summary);
    }
}

/// Where the run's network runs.
fn placement(request: &Request) -> anyhow::Result<Placement> {
    let precision = match request.dtype.as_str() {
        "" => Precision::F32,
        word => word.parse()?,
    };
    Ok(Placement::new(request.device.parse()?, precision)?)
}

/// A GPU is used by one run at a time; the CPU is shared.
fn lease(placement: Placement) -> anyhow::Result<Option<Lease>> {
    match placement.device {
        Device::Cpu => Ok(None),
        gpu => Ok(Some(Lease::take(&Home::find()?, &gpu.to_string())?)),
    }
}

/// The data set that the run was asked to use.
fn images(request: &Request) -> anyhow::Result<DataSet> {
    let data =
        data::open(&request.data.spec, &Default::default()).context("opening the data set")?;
    anyhow::ensure!(
        data.classes.len() == request.classes,
        "the data set {} has {} classes now, and had {} when the run was asked for; start another run",
        data.path.display(),
        data.classes.len(),
        request.classes
    );
    Ok(data)
}

/// Reads the images and makes the first parameters.
fn prepare(dir: &RunDir, request: &Request, reporter: &mut dyn Reporter) -> anyhow::Result<Task> {
    let data = images(request)?;
    let options = Options::for_images(request.classes, request.side);
    let arch = arch::build(&request.arch, &options)?;
    let checkpoints = dir.checkpoint();
    let resumes = Checkpoints::open(&checkpoints)?.path(Kind::Last).exists();
    let start = if resumes {
        None
    } else {
        Some(first_parameters(request, &arch, reporter)?)
    };
    let training = &request.training;
    let kind: OptimiserKind = training.optimizer.parse().context("reading the request")?;
    Ok(Task {
        arch,
        placement: placement(request)?,
        start,
        loaders: loaders(request, &data)?,
        optimiser: OptimiserSettings {
            kind,
            momentum: training.momentum,
            weight_decay: training.wd,
        },
        lr: training.lr,
        epochs: training.epochs,
        clip: training.clip,
        label_smoothing: training.label_smoothing,
        seed: request.seed,
        evaluation: Evaluation {
            every: training.eval_every,
            test: if request.data.val {
                TestTime::AtTheEnd
            } else {
                TestTime::Always
            },
        },
        checkpoints,
    })
}

/// The parameters of step 0, which depend on the request alone.
fn first_parameters(
    request: &Request,
    arch: &Arch,
    reporter: &mut dyn Reporter,
) -> anyhow::Result<StateDict> {
    let start: Start = request.init.parse()?;
    let ghn = request.ghn.as_ref().map_or("default", |g| &g.name);
    let asked = request.post.clone().unwrap_or_default();
    let post = Post {
        beta: asked.beta,
        first_layer: asked.layer.parse()?,
        max_size: asked.max_size,
        ..Post::default()
    };
    let device = placement(request)?.device;
    let started = init::start(arch, &start, ghn, &post, request.seed, device)
        .context("making the first parameters")?;
    for text in started.warnings {
        reporter.event(Event::Note { text });
    }
    let hash = started.ghn.map(|g| g.hash);
    let asked = request.ghn.as_ref().map(|g| g.sha256.clone());
    anyhow::ensure!(
        hash == asked,
        "the GHN {ghn} is another one now than when the run was asked for; start another run"
    );
    Ok(started.state)
}

fn loaders(request: &Request, data: &DataSet) -> anyhow::Result<Loaders> {
    let protocol = protocol(request);
    let eval = |split| EvalLoader::new(data, split, &protocol, None);
    let (split, held_out) = if request.data.val {
        (train::Split::Val, Split::Val)
    } else {
        (train::Split::Test, Split::Test)
    };
    Ok(Loaders {
        before: Some(Before {
            split,
            images: EvalLoader::mixed(data, held_out, &protocol, Some(LOOKED_AT))?,
        }),
        train: TrainLoader::new(data, &protocol, 0, 0)?,
        val: request.data.val.then(|| eval(Split::Val)).transpose()?,
        test: eval(Split::Test)?,
    })
}
