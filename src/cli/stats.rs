//! `hyperscope stats`: numbers about parameters and architectures.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::Common;
use crate::nn::StateDict;
use crate::nn::files::read_state;

mod compare;
mod diversity;
mod shift;

#[derive(Debug, Args)]
pub struct StatsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// How diverse the rows and filters of each weight are: ranks, spectrum, correlations, copies
    Diversity(DiversityArgs),
    /// How far architectures lie from those that GHNs are trained on, and why
    Shift(shift::ShiftArgs),
    /// How two files of parameters differ, tensor by tensor
    Compare {
        /// A file of parameters (.safetensors, .pt, .pth)
        first: PathBuf,
        /// The other one
        second: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct DiversityArgs {
    /// A file of parameters (.safetensors, .pt, .pth)
    file: PathBuf,
    /// Its architecture: only the weights of its layers are measured, in their order
    #[arg(long, value_name = "ARCH")]
    arch: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// If a file cannot be read, or holds nothing to measure.
pub fn run(common: &Common, args: &StatsArgs) -> anyhow::Result<()> {
    match &args.what {
        What::Diversity(args) => diversity::run(common, args),
        What::Shift(args) => shift::run(common, args),
        What::Compare { first, second } => compare::run(common, first, second),
    }
}

fn read(path: &Path) -> anyhow::Result<StateDict> {
    Ok(read_state(path).context("reading parameters")?.tensors)
}

/// A number for a table cell; one that is undefined is a dash.
fn number(value: f64) -> String {
    match value {
        v if !v.is_finite() => "-".to_owned(),
        0.0 => "0".to_owned(),
        v if (1e-3..1e5).contains(&v.abs()) => {
            let digits = (3 - v.abs().log10().floor() as i32).clamp(0, 6) as usize;
            format!("{v:.digits$}")
        }
        v => format!("{v:.2e}"),
    }
}

/// A share in percent for a table cell.
fn percent(share: f64) -> String {
    if share.is_finite() {
        format!("{:.1}", 100.0 * share)
    } else {
        "-".to_owned()
    }
}

/// A shape as `[64,3,7,7]`.
fn shape(shape: &[usize]) -> String {
    let sides: Vec<String> = shape.iter().map(ToString::to_string).collect();
    format!("[{}]", sides.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_four_digits() {
        assert_eq!(number(12.3456), "12.35");
        assert_eq!(number(0.012_345), "0.01235");
        assert_eq!(number(-512.0), "-512.0");
        assert_eq!(number(1e-7), "1.00e-7");
        assert_eq!(number(f64::NAN), "-");
        assert_eq!((number(0.0), percent(0.875)), ("0".into(), "87.5".into()));
    }
}
