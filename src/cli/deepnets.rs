//! `hyperscope deepnets`: the population of networks that GHNs are trained on.

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::Common;
use super::progress;
use super::runs::print;
use crate::arch::deepnets::Split;
use crate::nn::files::write_aside;
use crate::stats::shift::{Reference, SIDES, size_of};

#[derive(Debug, Args)]
pub struct DeepnetsArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Generate networks of every split and write what they have in common, for `stats shift --against FILE`
    Reference {
        /// Height and width of the images: at 32 and below CIFAR's form of the networks, above ImageNet's
        #[arg(long, default_value_t = SIDES[1], value_name = "S")]
        image: usize,
        /// Networks of the training split (default: 10 000)
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        count: Option<u32>,
        /// The file to write
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

#[derive(Debug, Serialize)]
struct Answer {
    output: String,
    bytes: usize,
    image: usize,
    networks: usize,
    seconds: f64,
}

/// Runs the command.
///
/// # Errors
/// If the images are too small for a network, or the file cannot be written.
pub fn run(common: &Common, args: &DeepnetsArgs) -> anyhow::Result<()> {
    let What::Reference {
        image,
        count,
        output,
    } = &args.what;
    let size = |split| match (split, count) {
        (Split::Train, Some(count)) => *count as usize,
        _ => size_of(split),
    };
    let networks: usize = Split::ALL.into_iter().map(size).sum();
    let start = Instant::now();
    let bar = progress::counted(networks, "networks");
    let reference = Reference::draw(*image, size, || bar.inc(1))?;
    bar.finish_and_clear();
    let packed = reference.packed();
    write_aside(output, |file| file.write_all(&packed))?;
    let answer = Answer {
        output: output.to_string_lossy().into_owned(),
        bytes: packed.len(),
        image: *image,
        networks,
        seconds: start.elapsed().as_secs_f64(),
    };
    if common.json {
        return print::json(&answer);
    }
    print::lines(&[format!(
        "{networks} networks for images of {image} pixels, {} bytes, in {}",
        answer.bytes,
        print::duration(answer.seconds)
    )])
}
