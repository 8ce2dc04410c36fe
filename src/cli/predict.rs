//! `hyperscope predict`: a GHN's parameters for a network, written to a file that PyTorch loads.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::Common;
use super::arch::Network;
use super::ghn::weights;
use super::runs::{print, table};
use crate::arch::Arch;
use crate::engine::protocol::{PredictSeconds, Predicted};
use crate::ghn::{Ghn, GhnError, PredictOptions, Prediction};
use crate::init::post::PUBLISHED_BETA;
use crate::init::{self, FirstLayer, Post, PostReport};
use crate::nn::files::write_safetensors;
use table::{Align, Table};

#[derive(Debug, Args)]
pub struct PredictArgs {
    #[command(flatten)]
    network: Network,
    /// `default`, a checkpoint (.pt, or .safetensors with its config beside it), or a name in the
    /// cache folder
    #[arg(long, default_value = crate::ghn::DEFAULT, value_name = "GHN")]
    ghn: String,
    #[command(flatten)]
    post: PostArgs,
    /// The safetensors file to write
    #[arg(short, long, value_name = "OUT.safetensors")]
    output: PathBuf,
}

/// Post-processing after the prediction.
#[derive(Debug, Args)]
struct PostArgs {
    /// What to do to the predicted weights
    #[arg(long, value_enum, default_value_t = PostKind::None, value_name = "KIND")]
    post: PostKind,
    /// Strength of the noise
    #[arg(long, default_value_t = PUBLISHED_BETA, value_name = "B")]
    beta: f64,
    /// First layer that is post-processed, by number from 1 or by name
    #[arg(long, default_value_t = FirstLayer::default(), value_name = "N|NAME")]
    layer: FirstLayer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PostKind {
    None,
    Noise,
    Orth,
    #[value(name = "noise+orth")]
    NoiseOrth,
}

impl PostArgs {
    fn post(&self, seed: u64) -> Post {
        Post {
            noise: matches!(self.post, PostKind::Noise | PostKind::NoiseOrth),
            orth: matches!(self.post, PostKind::Orth | PostKind::NoiseOrth),
            beta: self.beta,
            first_layer: self.layer.clone(),
            seed,
            ..Post::default()
        }
    }
}

/// What `--json` prints: the fields of a prediction, then the rest.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    predicted: Predicted,
    output: &'a str,
    post_processed: Vec<&'a str>,
    warnings: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// If network or GHN cannot be had, post-processing fails, or the file cannot be written.
pub fn run(common: &Common, args: &PredictArgs) -> anyhow::Result<()> {
    let arch = args.network.build()?;
    let post = args.post.post(common.seed);
    // A layer that does not exist is noticed before the work.
    post.first_layer.find(&arch)?;
    let ghn = Ghn::open(&args.ghn, common.seed)?;
    if !ghn.trained() {
        eprintln!(
            "the GHN \"{}\" is untrained: its weights are random, and so is what it predicts",
            ghn.name()
        );
    }
    let options = PredictOptions {
        seed: common.seed,
        ..PredictOptions::default()
    };
    let prediction = ghn.predict(&arch, &options)?;
    let mut predicted = describe(&arch, &ghn, &prediction);
    let mut state = init::random::complete(&arch, prediction.tensors, common.seed);
    let report = init::post_process(&mut state, &arch, &post, &mut |_| ControlFlow::Continue(()))?;
    let start = Instant::now();
    write_safetensors(&args.output, &state, &metadata(&arch, &ghn, common.seed)?)?;
    predicted.seconds.write = start.elapsed().as_secs_f64();
    let output = args.output.to_string_lossy();
    let answer = Answer {
        predicted,
        output: &output,
        post_processed: report.layers.iter().map(|l| l.tensor.as_str()).collect(),
        warnings: report.warnings.iter().map(ToString::to_string).collect(),
    };
    for warning in &answer.warnings {
        eprintln!("warning: {warning}");
    }
    if common.json {
        return print::json(&answer);
    }
    show(&answer, &report, &arch)
}

fn describe(arch: &Arch, ghn: &Ghn, prediction: &Prediction) -> Predicted {
    let values: usize = prediction.tensors.iter().map(|(_, t)| t.len()).sum();
    Predicted {
        arch: arch.name().to_owned(),
        ghn: ghn.name().to_owned(),
        trained: ghn.trained(),
        params: values as u64,
        tensors: prediction.tensors.len() as u64,
        unpredicted: prediction.unpredicted.clone(),
        seconds: PredictSeconds {
            graph: prediction.seconds.graph,
            gnn: prediction.seconds.gnn,
            decode: prediction.seconds.decode,
            write: 0.0,
        },
    }
}

/// What the file says about itself.
fn metadata(arch: &Arch, ghn: &Ghn, seed: u64) -> Result<BTreeMap<String, String>, GhnError> {
    let entries = [
        ("format", "pt".to_owned()),
        ("arch", arch.name().to_owned()),
        ("classes", arch.classes().to_string()),
        ("ghn", ghn.name().to_owned()),
        ("ghn_sha256", ghn.hash()?),
        ("ghn_trained", ghn.trained().to_string()),
        ("seed", seed.to_string()),
    ]
    .map(|(key, value)| (key.to_owned(), value));
    Ok(entries.into())
}

fn show(answer: &Answer, report: &PostReport, arch: &Arch) -> anyhow::Result<()> {
    let Predicted {
        ghn,
        trained,
        params,
        tensors,
        unpredicted,
        seconds,
        ..
    } = &answer.predicted;
    let milliseconds = |s: f64| format!("{:.1} ms", 1e3 * s);
    let predicted = format!(
        "{tensors} tensors, {params} of {} values",
        arch.parameter_count()
    );
    let mut rows = vec![
        ("GHN", format!("{ghn} ({})", weights(*trained))),
        ("predicted", predicted),
        ("left random", named(unpredicted)),
    ];
    if !report.layers.is_empty() {
        let text = format!("{} of {} layers", report.layers.len(), report.of);
        rows.push(("post-processed", text));
    }
    rows.extend([
        ("graph", milliseconds(seconds.graph)),
        ("node states", milliseconds(seconds.gnn)),
        ("decoding", milliseconds(seconds.decode)),
        ("writing", milliseconds(seconds.write)),
        ("file", answer.output.to_owned()),
    ]);
    let mut table = Table::new(&[(arch.name(), Align::Left), ("", Align::Left)]);
    for (what, value) in &rows {
        table.row(&[*what, value.as_str()]);
    }
    print::lines(&table.lines())
}

/// The first few names, and how many there are.
fn named(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let mut text = names[..names.len().min(SHOWN)].join(", ");
    match names.len() {
        0 => "nothing".clone_into(&mut text),
        n if n > SHOWN => text += &format!(", ... ({n} in all)"),
        _ => {}
    }
    text
}
