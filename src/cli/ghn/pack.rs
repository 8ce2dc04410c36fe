//! `hyperscope ghn pack`: a GHN in one file, small enough to hand on.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use crate::cli::Common;
use crate::cli::runs::print;
use crate::ghn::{CARD, EVALUATIONS, Ghn};
use crate::nn::files::{write_half_safetensors, write_safetensors};
use crate::text::Shown;
use crate::train::GhnEvaluation;

#[derive(Debug, Args)]
pub struct PackArgs {
    /// A checkpoint, such as checkpoint/best/model.safetensors of a run that trained a GHN
    ghn: String,
    /// The file to write
    #[arg(short, long, value_name = "FILE.safetensors")]
    output: PathBuf,
    /// What is to be said of it, a text file: data, training, accuracy, limits; `ghn show` prints it
    #[arg(long, value_name = "FILE")]
    card: Option<PathBuf>,
    /// How good it is, what `ghn eval --json` printed of this very checkpoint; the app shows it. May be given
    /// several times, for several settings
    #[arg(long = "eval", value_name = "FILE.json")]
    evaluations: Vec<PathBuf>,
    /// Keep single precision: twice as large, and the same to the last bit
    #[arg(long)]
    single: bool,
}

/// Runs the command.
///
/// # Errors
/// If the checkpoint cannot be read or the file not be written.
pub fn run(common: &Common, args: &PackArgs) -> anyhow::Result<()> {
    let mut ghn = Ghn::open(&args.ghn, common.seed)?;
    let config = serde_json::to_string(ghn.config()).context("writing down the GHN's config")?;
    let mut metadata = BTreeMap::from([("config".to_owned(), config)]);
    if let Some(path) = &args.card {
        let card =
            std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        metadata.insert(CARD.to_owned(), card);
    } else if let Some(card) = ghn.card() {
        metadata.insert(CARD.to_owned(), card.to_owned());
    }
    let evaluations = match args.evaluations.as_slice() {
        [] => ghn.evaluations().map(str::to_owned),
        files => Some(evaluations(files, &ghn)?),
    };
    metadata.extend(evaluations.map(|list| (EVALUATIONS.to_owned(), list)));
    let state = ghn.state();
    if args.single {
        write_safetensors(&args.output, &state, &metadata)?;
    } else {
        write_half_safetensors(&args.output, &state, &metadata)?;
    }
    let bytes = std::fs::metadata(&args.output).map_or(0, |m| m.len());
    let file = args.output.display().to_string();
    if common.json {
        return print::json(
            &json!({"ghn": ghn.name(), "params": ghn.parameter_count(), "file": file, "bytes": bytes}),
        );
    }
    print::lines(&[format!(
        "{} weights in {bytes} bytes: {}",
        ghn.parameter_count(),
        Shown::new(&file)
    )])
}

/// The JSON list of the evaluations in these files, all of them of `ghn`.
fn evaluations(files: &[PathBuf], ghn: &Ghn) -> anyhow::Result<String> {
    let mut list = Vec::new();
    for path in files {
        let reading = || format!("reading the evaluation {}", path.display());
        let text = std::fs::read_to_string(path).with_context(reading)?;
        let evaluation = GhnEvaluation::parse(&text).with_context(reading)?;
        anyhow::ensure!(
            evaluation.hash == ghn.hash()?,
            "{} is the evaluation of another GHN than {}: its weights have the hash {}, not {}; evaluate this \
             one with `ghn eval --json`",
            path.display(),
            ghn.name(),
            evaluation.hash,
            ghn.hash()?
        );
        list.push(evaluation);
    }
    serde_json::to_string(&list).context("writing down the evaluations")
}
