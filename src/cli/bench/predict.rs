//! `hyperscope bench predict`: how long a prediction takes, and how long it would at least.

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::time::Instant;

use anyhow::anyhow;
use clap::Args;
use serde::Serialize;

use crate::cli::Common;
use crate::cli::arch::Network;
use crate::cli::runs::print;
use crate::cli::runs::table::{Align, Table};
use crate::engine::protocol::PredictSeconds;
use crate::ghn::{Config, Ghn, GhnError, PredictOptions, Prediction, Seconds};
use crate::memory;

/// Predictions before those that are timed.
const WARM_UP: usize = 3;

#[derive(Debug, Args)]
pub struct PredictArgs {
    #[command(flatten)]
    network: Network,
    /// A GHN of `ghn list`, a checkpoint, or the name of a published one: without its file, its
    /// configuration with random weights (ghn1_cifar10, ghn1_imagenet, ghn2_cifar10, ghn2_imagenet, ghn3tm8, ghn3sm8,
    /// ghn3lm8, ghn3xlm16)
    #[arg(long, default_value = "ghn2_imagenet", value_name = "GHN")]
    ghn: String,
    /// Predictions that are timed, after a few that are not
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
}

/// What `--json` prints: medians.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    arch: &'a str,
    ghn: &'a str,
    params: usize,
    tensors: usize,
    threads: usize,
    device: String,
    /// Timed predictions.
    runs: usize,
    seconds: PredictSeconds,
    /// Of whole predictions, which are not the sum of the stages' medians.
    total: f64,
    /// The first prediction's, whose memory the system had still to hand out.
    first: f64,
    /// To write as many values of one kind to vectors of the same sizes.
    floor: f64,
    /// The same in memory that the system had still to hand out.
    first_floor: f64,
}

/// Runs the command.
///
/// # Errors
/// If network or GHN cannot be had, or the memory does not suffice.
pub fn run(common: &Common, args: &PredictArgs) -> anyhow::Result<()> {
    let arch = args.network.build()?;
    let ghn = common.placed(opened(&args.ghn, common.seed)?)?;
    let timed = || -> anyhow::Result<(f64, Prediction)> {
        let start = Instant::now();
        let prediction = ghn.predict(&arch, &PredictOptions::default())?;
        Ok((start.elapsed().as_secs_f64(), prediction))
    };
    let (first, prediction) = timed()?;
    let sizes: Vec<usize> = prediction.tensors.iter().map(|(_, t)| t.len()).collect();
    // While the prediction is there, there is no memory to be used again.
    let first_floor = floor(&sizes)?;
    drop(prediction);
    for _ in 1..WARM_UP {
        timed()?;
    }
    let (mut totals, mut floors) = (Vec::new(), Vec::new());
    let mut stages: [Vec<f64>; 5] = Default::default();
    for _ in 0..args.steps {
        let (total, prediction) = timed()?;
        totals.push(total);
        let Seconds {
            graph,
            up,
            gnn,
            decode,
            down,
        } = prediction.seconds;
        for (all, one) in stages.iter_mut().zip([graph, up, gnn, decode, down]) {
            all.push(one);
        }
        drop(prediction);
        floors.push(floor(&sizes)?);
    }
    let [graph, up, gnn, decode, down] = stages;
    let answer = Answer {
        arch: arch.name(),
        ghn: &args.ghn,
        params: sizes.iter().sum(),
        tensors: sizes.len(),
        threads: rayon::current_num_threads(),
        device: ghn.device().to_string(),
        runs: totals.len(),
        seconds: PredictSeconds {
            graph: median(graph)?,
            up: median(up)?,
            gnn: median(gnn)?,
            decode: median(decode)?,
            down: median(down)?,
            write: 0.0,
        },
        total: median(totals)?,
        first,
        floor: median(floors)?,
        first_floor,
    };
    if common.json {
        return print::json(&answer);
    }
    show(&answer)
}

/// The GHN called `name`, or one like it where its file is not here.
fn opened(name: &str, seed: u64) -> Result<Ghn, GhnError> {
    let opened = Ghn::open(name, seed);
    if let Err(GhnError::NotHere { name, .. }) = &opened {
        let mut published = Config::PUBLISHED.iter();
        if let Some(like) = published.find(|published| published.name == *name) {
            return Ghn::untrained(&like.config, seed);
        }
    }
    opened
}

/// Seconds in which all threads write so many values once: the least that a prediction can take.
fn floor(sizes: &[usize]) -> anyhow::Result<f64> {
    use rayon::prelude::*;
    const PIECE: usize = 1 << 18;
    let start = Instant::now();
    let rooms = sizes.iter().map(|size| memory::with_capacity(*size));
    let mut rooms: Vec<Vec<f32>> = rooms.collect::<Result<_, _>>()?;
    let rooms = rooms.iter_mut().zip(sizes);
    let pieces =
        rooms.flat_map(|(room, size)| room.spare_capacity_mut()[..*size].chunks_mut(PIECE));
    let pieces: Vec<_> = pieces.collect();
    pieces.into_par_iter().with_max_len(1).for_each(|piece| {
        black_box(piece).fill(MaybeUninit::new(1.0));
    });
    Ok(start.elapsed().as_secs_f64())
}

fn median(mut seconds: Vec<f64>) -> anyhow::Result<f64> {
    seconds.sort_by(f64::total_cmp);
    let middle = seconds.get(seconds.len() / 2).copied();
    middle.ok_or_else(|| anyhow!("nothing was timed"))
}

fn show(answer: &Answer<'_>) -> anyhow::Result<()> {
    let milliseconds = |s: f64| format!("{:.2} ms", 1e3 * s);
    let PredictSeconds {
        graph,
        up,
        gnn,
        decode,
        down,
        ..
    } = answer.seconds;
    let mut rows = vec![
        ("graph", graph),
        ("to the device", up),
        ("node states", gnn),
        ("decoding", decode),
        ("from the device", down),
        ("all of it", answer.total),
        ("writing alone", answer.floor),
        ("the first time", answer.first),
        ("writing, the first time", answer.first_floor),
    ];
    // On the CPU nothing is moved.
    rows.retain(|(_, seconds)| *seconds > 0.0);
    let mut table = Table::new(&[("", Align::Left), ("median", Align::Right)]);
    for (what, seconds) in rows {
        table.row(&[what, &milliseconds(seconds)]);
    }
    let mut lines = vec![format!(
        "{} by {}: {} values in {} tensors, {}, {} threads, {} predictions",
        answer.arch,
        answer.ghn,
        answer.params,
        answer.tensors,
        answer.device,
        answer.threads,
        answer.runs
    )];
    lines.extend(table.lines());
    print::lines(&lines)
}
