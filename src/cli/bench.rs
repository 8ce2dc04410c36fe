//! `hyperscope bench`: how fast this build is, on this machine.

mod ghn_train;
mod ops;
mod predict;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::Common;
use super::arch::Network;
use super::runs::print;
use crate::train::{Speed, Timing, Work, speed};

#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Training steps: forward, backward, SGD with momentum
    Train(NetworkArgs),
    /// Forward with running statistics
    Eval(NetworkArgs),
    /// Where the time goes: forward and backward of every kind of step, with its operations a second
    Ops(OpsArgs),
    /// Prediction of a network's parameters, stage by stage, beside the time that it takes to write as much
    Predict(predict::PredictArgs),
    /// Steps of a GHN's training on drawn images, phase by phase
    GhnTrain(ghn_train::GhnTrainArgs),
}

#[derive(Debug, Args)]
struct OpsArgs {
    #[command(flatten)]
    network: NetworkArgs,
    /// Every step on its own, in the order in which they run
    #[arg(long)]
    each: bool,
    /// Inference instead of training
    #[arg(long)]
    eval: bool,
}

#[derive(Debug, Args)]
struct NetworkArgs {
    #[command(flatten)]
    network: Network,
    /// Images in a batch
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// Steps that are timed, after a few that are not
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    arch: &'a str,
    batch: u32,
    image: usize,
    threads: usize,
    device: String,
    dtype: &'static str,
    images_per_s: ImagesPerS,
    /// Timed steps.
    runs: usize,
    /// Activations and their gradients.
    buffer_bytes: usize,
    /// Most memory that the process ever held, where the system tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct ImagesPerS {
    median: f64,
    min: f64,
    max: f64,
}

/// Runs the command.
///
/// # Errors
/// If the network cannot be built or run.
pub fn run(common: &Common, args: &BenchArgs) -> anyhow::Result<()> {
    let (work, args) = match &args.what {
        What::Train(args) => (Work::Train, args),
        What::Eval(args) => (Work::Evaluate, args),
        What::Ops(args) => {
            let work = if args.eval {
                Work::Evaluate
            } else {
                Work::Train
            };
            return ops::run(common, &args.network, work, args.each);
        }
        What::Predict(args) => return predict::run(common, args),
        What::GhnTrain(args) => return ghn_train::run(common, args),
    };
    let arch = args.network.build()?;
    let placement = common.placement()?;
    let Speed {
        mut seconds,
        buffer_bytes,
        ..
    } = speed(
        &arch,
        placement,
        work,
        Timing::Whole,
        args.batch as usize,
        args.steps as usize,
    )?;
    seconds.sort_by(f64::total_cmp);
    let per_s = |s: f64| f64::from(args.batch) / s;
    let answer = Answer {
        arch: arch.name(),
        batch: args.batch,
        image: arch.input().side().map_or(0, |s| s[0]),
        threads: rayon::current_num_threads(),
        device: placement.device.to_string(),
        dtype: placement.precision.word(),
        images_per_s: ImagesPerS {
            median: per_s(seconds[seconds.len() / 2]),
            min: per_s(seconds[seconds.len() - 1]),
            max: per_s(seconds[0]),
        },
        runs: seconds.len(),
        buffer_bytes,
        peak_bytes: peak_bytes(),
    };
    if common.json {
        return print::json(&answer);
    }
    let speeds = &answer.images_per_s;
    let gib = |bytes: f64| bytes / f64::from(1 << 30);
    let mut lines = vec![
        format!(
            "{}, batch {}, {} x {}, {} {}, {} threads, {} steps",
            answer.arch,
            answer.batch,
            answer.image,
            answer.image,
            answer.device,
            answer.dtype,
            answer.threads,
            answer.runs
        ),
        format!(
            "images/s  best {:.1}   median {:.1}   worst {:.1}",
            speeds.max, speeds.median, speeds.min
        ),
        format!("buffers   {:.2} GiB", gib(buffer_bytes as f64)),
    ];
    lines.extend(
        answer
            .peak_bytes
            .map(|peak| format!("memory    {:.2} GiB at most", gib(peak as f64))),
    );
    print::lines(&lines)
}

/// The process's largest resident size so far, from Linux's own account of it.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}
