//! `hyperscope eval`: accuracy of a file's weights on the images of a data set.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::Common;
use super::arch::{own_side, takes_images};
use super::finetune::ask;
use super::progress;
use super::runs::print;
use crate::arch::zoo::Options;
use crate::arch::{self, Arch, TensorRole};
use crate::data::{EvalLoader, Protocol, Split};
use crate::init::{self, Classifier, Post, Source, Start};
use crate::nn::{Device, Mode, Network, StateDict};
use crate::run::Home;
use crate::text::Shown;
use crate::train::{Metrics, evaluate_with};

/// Images of a batch: with batch statistics the result depends on it, and published numbers use 64.
const BATCH: u32 = 64;

#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Architecture, such as resnet18 (`hyperscope arch list` shows all), or an ONNX file
    arch: String,
    /// Its parameters (.safetensors, .pt, .pth, .onnx) [default: those of an architecture that is an ONNX
    /// file]
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Images: synthetic, a file or folder, or a name set in the config file
    #[arg(long, value_name = "DATA")]
    data: String,
    /// Which images
    #[arg(long, value_enum, default_value_t = Part::Test, value_name = "PART")]
    split: Part,
    /// Statistics of batch norms: those in the file, those of each batch of images, or the latter
    /// only for a file whose statistics never saw an image, as after `predict`
    #[arg(long, value_enum, default_value_t = Statistics::Auto, value_name = "WHICH")]
    statistics: Statistics,
    /// Side of the images that the network sees [default: the data's own, or 32 where it has none; an ONNX
    /// file's own]
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=4096))]
    image: Option<u32>,
    /// Images in a batch
    #[arg(long, value_name = "N", default_value_t = BATCH, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// Only so many images, spread evenly over the split
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    images: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The training images, without those for validation
    Train,
    /// The last tenth of the training images
    Val,
    Test,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Statistics {
    Auto,
    Running,
    Batch,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    arch: &'a str,
    weights: String,
    data: &'a str,
    split: String,
    statistics: Statistics,
    #[serde(flatten)]
    metrics: Metrics,
}

/// Runs the command.
///
/// # Errors
/// If data or weights cannot be read, or do not fit the architecture.
pub fn run(common: &Common, args: &EvalArgs) -> anyhow::Result<()> {
    let data = ask::open_data(&args.data, &Home::find()?)?;
    let own = own_side(&args.arch)?;
    let side = args.image.map(|side| side as usize);
    let side = side.or(own).unwrap_or_else(|| data.usual_side());
    let arch = arch::build(&args.arch, &Options::for_images(data.classes.len(), side))?;
    takes_images(&arch, side)?;
    let file = match &args.weights {
        Some(file) => file.clone(),
        None if own.is_some() => PathBuf::from(&args.arch),
        None => anyhow::bail!(
            "--weights is missing: the file with the parameters of {}",
            arch.name()
        ),
    };
    let state = weights(&arch, &file, common.seed)?;
    let statistics = match args.statistics {
        Statistics::Auto if saw_no_image(&arch, &state) => Statistics::Batch,
        Statistics::Auto => Statistics::Running,
        asked => asked,
    };
    let split = match args.split {
        Part::Train => Split::Train,
        Part::Val => Split::Val,
        Part::Test => Split::Test,
    };
    let protocol = Protocol {
        side,
        val: args.split != Part::Test && data.trains(),
        batch: args.batch as usize,
        seed: common.seed,
        augment: false,
        ..Protocol::default()
    };
    let limit = args.images.map(|n| n as usize);
    let mut loader = EvalLoader::new(&data, split, &protocol, limit)?;
    let mut network = Network::on(&arch, common.placement()?)?;
    network.load(&state)?;
    let metrics = evaluated(&mut network, &mut loader, statistics)?;
    if common.json {
        return print::json(&Answer {
            arch: arch.name(),
            weights: file.display().to_string(),
            data: &data.name,
            split: split.to_string(),
            statistics,
            metrics,
        });
    }
    print::lines(&table(&data.name, split, statistics, &metrics))
}

/// The file's parameters, which must be complete and of this architecture and class count.
fn weights(arch: &Arch, path: &Path, seed: u64) -> anyhow::Result<StateDict> {
    let start = Start {
        source: Source::File(path.to_owned()),
        noise: false,
        orth: false,
        classifier: Classifier::Stored,
    };
    let started = init::start(arch, &start, "", &Post::default(), seed, Device::Cpu);
    Ok(started.context("reading the weights")?.state)
}

/// Whether the network has batch norms and all their running statistics are those of a new network:
/// a GHN predicts none.
pub(super) fn saw_no_image(arch: &Arch, state: &StateDict) -> bool {
    let mut buffers = arch.tensors().iter().filter_map(|spec| {
        let fresh = match spec.role {
            TensorRole::RunningMean => 0.0,
            TensorRole::RunningVar => 1.0,
            _ => return None,
        };
        let values = state.get(&spec.name)?.floats()?;
        Some(values.iter().all(|v| *v == fresh))
    });
    buffers
        .next()
        .is_some_and(|fresh| fresh && buffers.all(|fresh| fresh))
}

fn evaluated(
    network: &mut Network,
    loader: &mut EvalLoader,
    statistics: Statistics,
) -> anyhow::Result<Metrics> {
    let mode = match statistics {
        Statistics::Batch => Mode::BatchStatistics,
        Statistics::Running | Statistics::Auto => Mode::Eval,
    };
    let images = loader.images() as u64;
    let bar = progress::bar(images, "{bar:30} {pos}/{len} images  {eta} left");
    let metrics = evaluate_with(network, loader, mode, |done| {
        bar.set_position(done);
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    metrics.context("evaluating: there are no images")
}

fn table(data: &str, split: Split, statistics: Statistics, metrics: &Metrics) -> Vec<String> {
    let of = match statistics {
        Statistics::Batch => "statistics of each batch",
        Statistics::Running | Statistics::Auto => "running statistics",
    };
    let mut lines = vec![
        format!(
            "{} {split} images of {}, {of}, {:.1} s",
            metrics.images,
            Shown::new(data),
            metrics.seconds
        ),
        format!("top-1  {:6.2} %", metrics.top1),
    ];
    lines.extend(metrics.top5.map(|top5| format!("top-5  {top5:6.2} %")));
    lines.push(format!("loss   {:6.4}", metrics.loss));
    lines
}
