//! Running statistics for predicted networks, as `predict` is asked for them.

use std::ops::ControlFlow;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use super::super::Common;
use super::super::arch::takes_images;
use super::super::deepnets::bar;
use crate::arch::Arch;
use crate::data::{self, DataSet, EvalLoader, Protocol, Split};
use crate::nn::StateDict;
use crate::train;

/// Images that the statistics are measured on, where nobody says how many.
const IMAGES: u32 = 1024;
/// Images in a batch: as `eval` has it with the statistics of each batch.
const BATCH: u32 = 64;

/// Measuring the statistics of batch norms.
#[derive(Debug, Args)]
pub struct CalibrationArgs {
    /// Fill the running statistics of batch norms, which no GHN predicts, from training images of this
    /// data set, so that the file works in inference mode: synthetic, a file or folder, or a name set in
    /// the config file
    #[arg(long, value_name = "DATA")]
    calibrate: Option<String>,
    /// Images that the statistics are measured on, drawn from the training images
    #[arg(long, value_name = "N", default_value_t = IMAGES, requires = "calibrate", value_parser = clap::value_parser!(u32).range(1..))]
    images: u32,
    /// Images in a batch; the statistics are the average over batches
    #[arg(long, value_name = "N", default_value_t = BATCH, requires = "calibrate", value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
}

/// What the statistics were measured on, as `--json` says it.
#[derive(Debug, Serialize)]
pub struct Calibrated {
    /// Name of the data set.
    pub data: String,
    pub images: u64,
    /// Batches, and images in each.
    pub batches: u64,
    pub batch: u32,
    /// Batch norms that have statistics now; 0 if there are none.
    pub norms: usize,
    pub seconds: f64,
}

impl CalibrationArgs {
    /// Opens the data set, if calibration is asked for, and checks that every network takes its images.
    ///
    /// # Errors
    /// If there is no such data set, or a network was made for other images.
    pub fn open(&self, archs: &[&Arch]) -> anyhow::Result<Option<DataSet>> {
        let Some(name) = &self.calibrate else {
            return Ok(None);
        };
        let config = crate::run::Home::find()?.config()?;
        let data =
            data::open(name, &config.data).context("opening the data set to calibrate on")?;
        for arch in archs {
            takes_images(arch, side(arch))?;
        }
        Ok(Some(data))
    }

    /// Sets the running statistics in `state`.
    ///
    /// # Errors
    /// If images cannot be read, or the network's activations overflow.
    pub fn run(
        &self,
        common: &Common,
        data: &DataSet,
        arch: &Arch,
        state: &mut StateDict,
    ) -> anyhow::Result<Calibrated> {
        let protocol = Protocol {
            side: side(arch),
            batch: self.batch as usize,
            seed: common.seed,
            augment: false,
            ..Protocol::default()
        };
        let limit = Some(self.images as usize);
        let mut loader = EvalLoader::mixed(data, Split::Train, &protocol, limit)?;
        let bar = bar(loader.images(), "images");
        let placement = common.placement()?;
        let measured = train::calibrate(arch, state, placement, &mut loader, |done| {
            bar.set_position(done);
            ControlFlow::Continue(())
        });
        bar.finish_and_clear();
        let measured = measured.with_context(|| format!("calibrating {}", arch.name()))?;
        let of = |count: fn(&train::Calibration) -> u64| measured.as_ref().map_or(0, count);
        Ok(Calibrated {
            data: data.name.clone(),
            images: of(|m| m.images),
            batches: of(|m| m.batches),
            batch: self.batch,
            norms: measured.as_ref().map_or(0, |m| m.norms),
            seconds: measured.map_or(0.0, |m| m.seconds),
        })
    }
}

/// Height of the images that a network reads; [`takes_images`] compares the width.
fn side(arch: &Arch) -> usize {
    arch.input().dims().get(1).copied().unwrap_or(0)
}
