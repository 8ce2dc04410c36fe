//! `hyperscope eval`.

use clap::Args;

use super::Common;

#[derive(Debug, Args)]
pub struct EvalArgs {}

/// Runs the command.
///
/// # Errors
/// Not built yet.
pub fn run(_common: &Common, _args: &EvalArgs) -> anyhow::Result<()> {
    anyhow::bail!("not built yet")
}
