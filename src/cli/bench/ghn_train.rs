//! `hyperscope bench ghn-train`: how long a step of a GHN's training takes, and where the time goes.

use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::peak_bytes;
use crate::arch::deepnets::NetworkArgs;
use crate::cli::Common;
use crate::cli::ghn::recipe;
use crate::cli::runs::print;
use crate::cli::runs::table::{Align, Table};
use crate::data::{self, Protocol, Split};
use crate::ghn::Ghn;
use crate::train::{Command, Event, GhnTask, Reporter, StepPhases, networks, train_ghn};

/// Steps before those that are timed.
const WARM_UP: u64 = 3;

#[derive(Debug, Args)]
pub struct GhnTrainArgs {
    /// What is trained, and how: ghn2, ghn3, logah, or a recipe file
    #[arg(long, value_name = "NAME|FILE", default_value = "ghn2")]
    recipe: String,
    /// Networks in a step
    #[arg(long, value_name = "M", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    meta_batch: u32,
    /// Images in a step [default: the recipe's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: Option<u32>,
    /// Steps that are timed, after a few that are not. Networks differ, and so do steps: take many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
}

/// What `--json` prints: means over the timed steps, in seconds.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    recipe: &'a str,
    meta_batch: usize,
    batch: usize,
    image: usize,
    threads: usize,
    device: String,
    steps: u64,
    steps_per_s: f64,
    /// Of the whole step, waiting for images included.
    step: f64,
    graph: f64,
    predict: f64,
    forward: f64,
    backward: f64,
    update: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_bytes: Option<u64>,
    /// Steps before the first that is timed.
    before: u64,
    /// What every step learnt from, the first ones too, as DeepNets-1M's authors write it: for their code to
    /// train on the same.
    networks: Vec<Vec<NetworkArgs>>,
}

/// Runs the command.
///
/// # Errors
/// If the recipe cannot be read, or training fails.
pub fn run(common: &Common, args: &GhnTrainArgs) -> anyhow::Result<()> {
    let mut recipe = recipe(&args.recipe)?;
    recipe.meta_batch = args.meta_batch as usize;
    recipe.batch = args.batch.map_or(recipe.batch, |n| n as usize);
    recipe.eval_networks = 0;
    let placement = common.placement()?;
    let data = data::open("synthetic", &Default::default())?;
    recipe.ghn.num_classes = data.classes.len();
    let protocol = Protocol {
        batch: recipe.batch,
        seed: common.seed,
        ..Protocol::default()
    };
    let folder = tempfile::tempdir().context("making a folder for checkpoints")?;
    // As the loader counts: the last batch of a pass may be a part of one.
    let a_pass = data.len(Split::Train, &protocol)?.div_ceil(recipe.batch);
    let all = u64::from(recipe.epochs) * a_pass as u64;
    let task = GhnTask {
        ghn: Ghn::untrained(&recipe.ghn, common.seed)?,
        placement,
        data,
        protocol,
        val: None,
        seed: common.seed,
        checkpoints: folder.path().to_owned(),
        recipe: recipe.clone(),
    };
    let mut watch = Watch::new(u64::from(args.steps));
    train_ghn(task, &mut watch)?;
    let steps = watch.timed as f64;
    // The table does not show them, so they are drawn again for JSON alone.
    let told = if common.json {
        watch.before() + watch.timed
    } else {
        0
    };
    let answer = Answer {
        recipe: &args.recipe,
        meta_batch: recipe.meta_batch,
        batch: recipe.batch,
        image: recipe.image,
        threads: rayon::current_num_threads(),
        device: placement.device.to_string(),
        steps: watch.timed,
        steps_per_s: steps / watch.seconds,
        step: watch.seconds / steps,
        graph: watch.sums.graph / steps,
        predict: watch.sums.predict / steps,
        forward: watch.sums.forward / steps,
        backward: watch.sums.backward / steps,
        update: watch.sums.update / steps,
        peak_bytes: peak_bytes(),
        before: watch.before(),
        networks: (0..told)
            .map(|step| {
                let nets = networks(&recipe, common.seed, step, all);
                nets.iter().map(|net| NetworkArgs::of(&net.plan)).collect()
            })
            .collect(),
    };
    if common.json {
        return print::json(&answer);
    }
    show(&answer)
}

/// Adds up phases after the warm-up, and ends the training when there were enough steps.
struct Watch {
    wanted: u64,
    /// Step and time from which on it is counted.
    begun: Option<(u64, Instant)>,
    told: u64,
    timed: u64,
    seconds: f64,
    sums: StepPhases,
}

impl Watch {
    fn new(wanted: u64) -> Self {
        Self {
            wanted,
            begun: None,
            told: 0,
            timed: 0,
            seconds: 0.0,
            sums: StepPhases::default(),
        }
    }

    /// Steps before the first that is timed.
    fn before(&self) -> u64 {
        self.begun.map_or(0, |(step, _)| step)
    }
}

impl Reporter for Watch {
    fn event(&mut self, event: Event) {
        let Event::Phases(phases) = event else { return };
        let steps = (phases.step - self.told) as f64;
        self.told = phases.step;
        let Some((first, since)) = self.begun else {
            if phases.step >= WARM_UP {
                self.begun = Some((phases.step, Instant::now()));
            }
            return;
        };
        self.timed = phases.step - first;
        self.seconds = since.elapsed().as_secs_f64();
        self.sums.graph += steps * phases.graph;
        self.sums.predict += steps * phases.predict;
        self.sums.forward += steps * phases.forward;
        self.sums.backward += steps * phases.backward;
        self.sums.update += steps * phases.update;
    }

    fn command(&mut self) -> Option<Command> {
        (self.timed >= self.wanted).then_some(Command::Stop)
    }
}

fn show(answer: &Answer<'_>) -> anyhow::Result<()> {
    let mut table = Table::new(&[
        ("", Align::Left),
        ("a step", Align::Right),
        ("", Align::Right),
    ]);
    for (what, seconds) in [
        ("graph", answer.graph),
        ("predict", answer.predict),
        ("forward", answer.forward),
        ("backward", answer.backward),
        ("update", answer.update),
        ("all of it", answer.step),
    ] {
        let share = format!("{:.1} %", 100.0 * seconds / answer.step);
        table.row(&[what, &format!("{:.1} ms", 1e3 * seconds), &share]);
    }
    let mut lines = vec![format!(
        "{}, m = {}, {} images of {}x{}, {}, {} threads: {:.2} steps/s over {} steps",
        answer.recipe,
        answer.meta_batch,
        answer.batch,
        answer.image,
        answer.image,
        answer.device,
        answer.threads,
        answer.steps_per_s,
        answer.steps
    )];
    lines.extend(table.lines());
    lines.extend(answer.peak_bytes.map(|peak| {
        format!(
            "memory    {:.2} GiB at most",
            peak as f64 / f64::from(1 << 30)
        )
    }));
    print::lines(&lines)
}
