//! `hyperscope demo`, and `hyperscope` alone: the app.

use std::io::{IsTerminal as _, stdin, stdout};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use clap::Args;

use super::Common;
use crate::engine::protocol::ArchSpec;
use crate::nn::Device;
use crate::run::{self, Home};
use crate::tui;

#[derive(Debug, Args)]
pub struct DemoArgs {}

const ARCH: &str = "resnet18";
/// The synthetic images: ten classes, 32 by 32.
const CLASSES: usize = 10;
const SIDE: usize = 32;
/// First layer that is post-processed, 11 of 21: earlier ones keep what was predicted, as in the
/// paper's recipes.
const LAYER: &str = "layer3.0.conv1";

/// What the runs begin from: the paper's four starts, side by side.
const STARTS: [&str; 4] = ["ghn+noise+orth", "ghn+noise", "ghn", "rand"];

/// What all runs have in common: long enough to be watched, short enough to be seen to end.
const FINETUNE: [&str; 15] = [
    "finetune",
    ARCH,
    "--data",
    "synthetic",
    "--shots",
    "20",
    "--epochs",
    "10",
    "--batch",
    "20",
    // Fewer pixels than the prediction was made for: the parameters are the same.
    "--image",
    "24",
    "--layer",
    LAYER,
    "--detach",
];

/// The same steps for a pipe or a script.
const HEADLESS: &str = "\
the demo is the app on built-in defaults, and needs a terminal on standard input and output. Without one:

  hyperscope arch show resnet18 --classes 10 --image 32
  hyperscope predict resnet18 --ghn default --classes 10 --image 32 --post noise+orth -o resnet18.safetensors
  hyperscope stats diversity resnet18.safetensors
  hyperscope finetune resnet18 --init ghn+noise+orth --data synthetic --shots 20 --epochs 5
  hyperscope finetune resnet18 --init rand --data synthetic --shots 20 --epochs 5
  hyperscope runs compare RUN RUN";

/// Starts short runs unless some are going, and opens the app on a prediction.
///
/// # Errors
/// No terminal; runs that cannot be started; a terminal that cannot be used.
pub fn run(common: &Common, _args: &DemoArgs) -> anyhow::Result<()> {
    if !has_terminal() {
        eprintln!("{HEADLESS}");
        anyhow::bail!("no terminal");
    }
    let home = Home::find()?;
    if !is_going(&home)? {
        start_runs(common)?;
    }
    let options = tui::Options {
        predict: Some(selection(common.seed)),
        ..options(common, &home)?
    };
    Ok(tui::run(options)?)
}

fn selection(seed: u64) -> tui::Selection {
    let mut selection = tui::Selection {
        arch: ArchSpec {
            name: ARCH.to_owned(),
            classes: CLASSES,
            side: SIDE,
        },
        seed,
        ..tui::Selection::default()
    };
    selection.post.layer = LAYER.to_owned();
    selection
}

/// Opens the app where it was left.
///
/// # Errors
/// No terminal, or one that cannot be used; a config file that cannot be read.
pub fn open_app(common: &Common) -> anyhow::Result<()> {
    if !has_terminal() {
        anyhow::bail!(
            "the app needs a terminal on standard input and output; `hyperscope --help` lists the commands that need none"
        );
    }
    Ok(tui::run(options(common, &Home::find()?)?)?)
}

fn has_terminal() -> bool {
    stdin().is_terminal() && stdout().is_terminal()
}

/// Whether a run of the demonstration's kind has a worker now.
fn is_going(home: &Home) -> anyhow::Result<bool> {
    let listing = run::list(home)?;
    Ok(listing.runs.iter().any(|r| {
        r.status.is_live() && r.request.arch == ARCH && r.request.data.spec == "synthetic"
    }))
}

/// Starts the runs through the public command, as anybody could: side by side on the CPU, whose threads they
/// share, and on a GPU, which carries out one at a time, only the first.
fn start_runs(common: &Common) -> anyhow::Result<()> {
    let starts = match common.placement()?.device {
        Device::Cpu => &STARTS[..],
        _ => &STARTS[..1],
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = (common.threads.unwrap_or(cores) / starts.len()).max(1);
    let each = Common {
        threads: Some(threads),
        ..common.clone()
    };
    let begun: Vec<std::io::Result<Child>> = starts
        .iter()
        .map(|start| {
            Command::new(std::env::current_exe()?)
                .args(FINETUNE)
                .args(["--init", start])
                .args(each.for_children())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
        })
        .collect();
    for child in begun {
        let output = child.and_then(Child::wait_with_output);
        let output = output.context("starting the demonstration's runs")?;
        anyhow::ensure!(
            output.status.success(),
            "starting the demonstration's runs: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

fn options(common: &Common, home: &Home) -> anyhow::Result<tui::Options> {
    let config = home.config()?;
    Ok(tui::Options {
        color: common.color.clone(),
        theme: config.theme.clone(),
        themes: Some(home.config_folder().join("themes")),
        keys: config.keys.clone(),
        state_file: Some(home.cache_folder().join("app.json")),
        runs: home.runs_folder().to_owned(),
        child_arguments: common.for_children(),
        ..tui::Options::default()
    })
}
