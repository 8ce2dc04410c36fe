//! `hyperscope completions` and `hyperscope man`.

use std::io::stdout;

use clap::{Args, CommandFactory};

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// bash, zsh, fish, elvish or powershell
    shell: clap_complete::Shell,
}

/// Prints the completions of the command line `C`.
///
/// # Errors
/// None; the signature is that of every command.
pub fn completions<C: CommandFactory>(args: &CompletionsArgs) -> anyhow::Result<()> {
    clap_complete::generate(args.shell, &mut C::command(), "hyperscope", &mut stdout());
    Ok(())
}

/// Prints the manual page of the command line `C`.
///
/// # Errors
/// If standard output cannot be written.
pub fn man<C: CommandFactory>() -> anyhow::Result<()> {
    clap_mangen::Man::new(C::command()).render(&mut stdout())?;
    Ok(())
}
