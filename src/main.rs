//! Parses the command line, hands over to the command, turns its result into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    hyperscope::cli::main()
}
