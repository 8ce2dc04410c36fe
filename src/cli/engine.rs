//! `hyperscope engine --stdio`: the app's engine child.

use std::io::{BufReader, stdin, stdout};

use clap::Args;

use super::Common;
use crate::engine::{self, Surroundings};
use crate::run::Home;

#[derive(Debug, Args)]
pub struct EngineArgs {
    /// Speak the protocol on standard input and output, the only way there is
    #[arg(long, required = true)]
    pub stdio: bool,
}

/// Answers requests until standard input ends.
///
/// # Errors
/// If standard output cannot be written.
pub fn run(common: &Common, _args: &EngineArgs) -> anyhow::Result<()> {
    let around = Surroundings {
        device: device(),
        // Only who wants to run a network must know.
        placement: common.placement().map_err(|error| format!("{error:#}")),
        home: Home::find().ok(),
    };
    engine::serve(BufReader::new(stdin()), stdout(), around)?;
    Ok(())
}

/// The device in words: `cpu, 2 threads, AVX-512`.
fn device() -> String {
    let threads = rayon::current_num_threads();
    let plural = if threads == 1 { "" } else { "s" };
    format!("cpu, {threads} thread{plural}{}", vectors())
}

#[cfg(target_arch = "x86_64")]
fn vectors() -> &'static str {
    if is_x86_feature_detected!("avx512f") {
        ", AVX-512"
    } else if is_x86_feature_detected!("avx2") {
        ", AVX2"
    } else {
        ""
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn vectors() -> &'static str {
    ""
}
