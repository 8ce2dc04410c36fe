//! `hyperscope check`: compares this build, on this device, with reference numbers.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::Common;
use crate::nn::Device;

mod exec;
mod fill;
mod ghn;
mod graph;
mod init;
mod measure;
mod ops;
mod post;
mod published;
mod stored;
mod tiny;
mod train;

#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Logits and gradients of every network, against PyTorch in float64
    Exec(Reference),
    /// A few optimiser steps, against PyTorch in float64
    Train(Reference),
    /// Random initialisation, against torchvision's
    Init(Reference),
    /// GHN graphs: nodes, order, edges, distances
    Graph(Reference),
    /// Predicted parameters; on a GPU also those of published sizes, against the CPU's
    Ghn(Reference),
    /// Noise and orthogonal re-initialisation
    Post(Reference),
    /// Every op and optimiser of the chosen device, against plain loops in float64
    Ops,
}

#[derive(Debug, Args)]
pub struct Reference {
    /// The reference's file or folder
    path: PathBuf,
}

/// One comparison.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Case {
    pub name: String,
    /// False for a missing case, too.
    pub ok: bool,
    /// This build cannot do what the case asks for.
    pub missing: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_rel_err: Option<f64>,
    /// What was compared, or what differs.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl Case {
    /// A case that this build has no architecture or GHN for.
    #[must_use]
    pub fn missing(name: &str, note: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            missing: true,
            note: note.into(),
            ..Self::default()
        }
    }

    /// A case that ended in an error.
    #[must_use]
    pub fn failed(name: &str, error: &anyhow::Error) -> Self {
        Self {
            name: name.to_owned(),
            note: format!("{error:#}"),
            ..Self::default()
        }
    }
}

#[derive(Debug, Serialize)]
struct Report {
    passed: usize,
    failed: usize,
    missing: usize,
    cases: Vec<Case>,
}

/// Runs the comparison and prints it.
///
/// # Errors
/// If the reference cannot be read, or any case fails or is missing.
pub fn run(common: &Common, args: &CheckArgs) -> anyhow::Result<()> {
    let cases = match &args.what {
        What::Exec(r) => exec::cases(&r.path, common.placement()?)?,
        What::Train(r) => train::cases(&r.path, common.placement()?)?,
        What::Init(r) => init::cases(&r.path)?,
        What::Graph(r) => graph::cases(&r.path)?,
        What::Ghn(r) => ghn_cases(&r.path, common.placement()?.device, common.seed)?,
        What::Post(r) => post::cases(&r.path)?,
        What::Ops => ops::cases(common.placement()?),
    };
    let report = Report {
        passed: cases.iter().filter(|c| c.ok).count(),
        failed: cases.iter().filter(|c| !c.ok && !c.missing).count(),
        missing: cases.iter().filter(|c| c.missing).count(),
        cases,
    };
    print(common, &report)?;
    anyhow::ensure!(
        report.failed + report.missing == 0,
        "{} failed, {} missing of {}",
        report.failed,
        report.missing,
        report.cases.len()
    );
    Ok(())
}

/// The reference's cases, and on a GPU those against the CPU.
fn ghn_cases(path: &Path, device: Device, seed: u64) -> anyhow::Result<Vec<Case>> {
    let mut cases = ghn::cases(path, device)?;
    if device != Device::Cpu {
        cases.extend(published::cases(device, seed)?);
    }
    Ok(cases)
}

fn print(common: &Common, report: &Report) -> anyhow::Result<()> {
    if common.json {
        println!("{}", serde_json::to_string_pretty(report)?);
        return Ok(());
    }
    for case in &report.cases {
        let word = match (case.ok, case.missing) {
            (true, _) => "ok     ",
            (_, true) => "missing",
            _ => "FAILED ",
        };
        let error = case
            .max_rel_err
            .map_or_else(|| " ".repeat(8), |e| format!("{e:8.1e}"));
        println!("{word}  {error}  {:<28} {}", case.name, case.note);
    }
    println!(
        "\n{} passed, {} failed, {} missing",
        report.passed, report.failed, report.missing
    );
    Ok(())
}
