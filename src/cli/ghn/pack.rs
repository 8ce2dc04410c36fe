//! `hyperscope ghn pack`: a GHN in one file, small enough to hand on.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use crate::cli::Common;
use crate::cli::runs::print;
use crate::ghn::Ghn;
use crate::nn::files::{write_half_safetensors, write_safetensors};
use crate::text::Shown;

#[derive(Debug, Args)]
pub struct PackArgs {
    /// A checkpoint, such as checkpoint/best/model.safetensors of a run that trained a GHN
    ghn: String,
    /// The file to write
    #[arg(short, long, value_name = "FILE.safetensors")]
    output: PathBuf,
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
    let metadata = BTreeMap::from([("config".to_owned(), config)]);
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
