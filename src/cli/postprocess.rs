//! `hyperscope postprocess`: noise and orthogonal re-initialisation of the weights in a file.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::Common;
use super::progress;
use super::runs::print;
use crate::init::post::PUBLISHED_BETA;
use crate::init::{self, FirstLayer, Post, PostReport};
use crate::nn::StateDict;
use crate::nn::files::{read_state, write_safetensors};

#[derive(Debug, Args)]
pub struct PostprocessArgs {
    /// A file of parameters (.safetensors, .pt, .pth)
    input: PathBuf,
    /// Its architecture; class count and stem follow from the tensors
    #[arg(long, value_name = "ARCH")]
    arch: String,
    /// What to do [default: noise+orth with --recipe]
    #[arg(long, value_name = "WHAT", required_unless_present = "recipe")]
    post: Option<What>,
    /// Take strength and first layer from a published run; options given beside it win
    #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(init::RECIPES.iter().map(|r| r.name)))]
    recipe: Option<String>,
    /// Strength of the noise [default: 0.00003]
    #[arg(long, value_name = "B")]
    beta: Option<f64>,
    /// First layer that is treated, by number from 1, by name, or auto: where the paper begins [default: 1]
    #[arg(long, value_name = "N|NAME|auto")]
    layer: Option<String>,
    /// Treat only layers with more channels than this, and add noise beyond it
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_size: usize,
    /// The safetensors file to write
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
}

/// What is done to the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    None,
    Noise,
    Orth,
    #[value(name = "noise+orth", alias = "orth+noise")]
    Both,
}

impl What {
    const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Noise => "noise",
            Self::Orth => "orth",
            Self::Both => "noise+orth",
        }
    }
}

/// What was done, as `--json` says it.
#[derive(Debug, Serialize)]
struct Done {
    arch: String,
    post: &'static str,
    beta: f64,
    /// Number of the first layer treated.
    layer: usize,
    /// Layers treated, of all that are counted.
    treated: usize,
    of: usize,
    /// Values in them, of all values in weight matrices.
    values: usize,
    of_values: usize,
    layers: Vec<Layer>,
    warnings: Vec<String>,
    output: String,
}

#[derive(Debug, Serialize)]
struct Layer {
    number: usize,
    tensor: String,
    /// Spread of the row correlations, if noise was added.
    std_corr: Option<f64>,
}

/// Runs the command.
///
/// # Errors
/// If the file cannot be read, is not of the architecture, cannot be treated, or the result cannot
/// be written.
pub fn run(common: &Common, args: &PostprocessArgs) -> anyhow::Result<()> {
    let post = post(common, args)?;
    let mut state = read_state(&args.input)
        .context("reading parameters")?
        .tensors;
    let arch = init::arch_of(&args.arch, &state, &args.input, None)?;
    let first = post.first_layer.find(&arch)?;
    let report = treat(&mut state, &arch, &post)?;
    let what = what(args).word();
    let metadata = BTreeMap::from([
        ("arch".to_owned(), arch.name().to_owned()),
        ("post".to_owned(), what.to_owned()),
        ("beta".to_owned(), post.beta.to_string()),
        ("layer".to_owned(), first.to_string()),
        ("seed".to_owned(), post.seed.to_string()),
    ]);
    write_safetensors(&args.output, &state, &metadata)?;
    let done = Done {
        arch: arch.name().to_owned(),
        post: what,
        beta: post.beta,
        layer: first,
        treated: report.layers.len(),
        of: report.of,
        values: report.values,
        of_values: report.of_values,
        layers: layers(&report),
        warnings: report.warnings.iter().map(ToString::to_string).collect(),
        output: args.output.display().to_string(),
    };
    show(common, &done)
}

fn what(args: &PostprocessArgs) -> What {
    args.post.unwrap_or(What::Both)
}

fn post(common: &Common, args: &PostprocessArgs) -> anyhow::Result<Post> {
    let recipe = args.recipe.as_deref().and_then(init::recipe);
    let layer = match &args.layer {
        Some(layer) => layer.parse()?,
        None => FirstLayer::Number(recipe.map_or(1, |r| r.first_layer)),
    };
    let what = what(args);
    Ok(Post {
        noise: matches!(what, What::Noise | What::Both),
        orth: matches!(what, What::Orth | What::Both),
        beta: args
            .beta
            .or(recipe.map(|r| r.beta))
            .unwrap_or(PUBLISHED_BETA),
        first_layer: layer,
        max_size: args.max_size,
        only: None,
        seed: common.seed,
    })
}

fn treat(
    state: &mut StateDict,
    arch: &crate::arch::Arch,
    post: &Post,
) -> anyhow::Result<PostReport> {
    let bar = progress::tensors(0);
    let report = init::post_process(state, arch, post, &mut |progress| {
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
        bar.set_message(progress.tensor.to_owned());
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    Ok(report?)
}

fn layers(report: &PostReport) -> Vec<Layer> {
    report
        .layers
        .iter()
        .map(|l| Layer {
            number: l.number,
            tensor: l.tensor.clone(),
            std_corr: l.correlation_std,
        })
        .collect()
}

fn show(common: &Common, done: &Done) -> anyhow::Result<()> {
    if common.json {
        return print::json(done);
    }
    for warning in &done.warnings {
        eprintln!("warning: {warning}");
    }
    let share = 100.0 * done.values as f64 / done.of_values.max(1) as f64;
    print::lines(&[
        format!(
            "{}: {} of {} layers treated from number {} on ({}, beta {:e})",
            done.arch, done.treated, done.of, done.layer, done.post, done.beta
        ),
        format!(
            "{} of {} matrix weights replaced ({share:.1} %)",
            done.values, done.of_values
        ),
        format!("written to {}", crate::text::Shown::new(&done.output)),
    ])
}
