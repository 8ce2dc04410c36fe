//! The command line: one file per command, arguments in, table or JSON out.
//!
//! Exit codes: 0 good, 1 the work failed, 2 bad usage (clap's own).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::ghn::Ghn;
use crate::nn::{self, Device, Placement, Precision};
use crate::setup;

mod arch;
mod bench;
mod check;
mod deepnets;
mod demo;
mod engine;
mod eval;
mod finetune;
mod ghn;
mod postprocess;
mod predict;
mod progress;
mod reproduce;
mod runs;
mod shell;
mod stats;

/// Predict a network's parameters with a Graph HyperNetwork, look at them, post-process them,
/// fine-tune from them and watch.
#[derive(Debug, Parser)]
#[command(name = "hyperscope", version, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

/// The device that is chosen for the user.
const AUTO: &str = "auto";

/// Options that mean the same everywhere.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// Print JSON instead of tables: one document, or one line per item for streams
    #[arg(long, global = true)]
    pub json: bool,
    /// Where networks run and GHNs predict: auto (a GPU if there is one; small GHNs on the CPU), cpu or cuda:N
    #[arg(long, global = true, default_value = "auto", value_name = "DEVICE")]
    pub device: String,
    /// How activations are stored: f32, or bf16 on a GPU
    #[arg(long, global = true, default_value = "f32", value_name = "TYPE")]
    pub dtype: Precision,
    /// Folder to look for NVIDIA's libraries in before anywhere else
    #[arg(long, global = true, value_name = "FOLDER", hide_short_help = true)]
    pub cuda_libs: Option<PathBuf>,
    /// Number of CPU threads (default: all cores)
    #[arg(long, global = true, value_name = "N")]
    pub threads: Option<usize>,
    /// Seed of every random draw
    #[arg(long, global = true, default_value_t = 1111, value_name = "N")]
    pub seed: u64,
    /// Colours of the app: auto, always, never, 16, 256 or truecolor [default: auto]
    #[arg(long, global = true, value_name = "WHEN", hide_short_help = true)]
    pub color: Option<String>,
}

impl Common {
    /// Refuses devices that are not there. What `auto` is only matters to those who ask.
    fn check_device(&self) -> anyhow::Result<()> {
        if let Some(folder) = &self.cuda_libs {
            nn::look_for_libraries_in(folder);
        }
        if self.device != AUTO {
            self.device.parse::<Device>()?.check()?;
        }
        Ok(())
    }

    /// Where and how networks run.
    ///
    /// # Errors
    /// If `--device` names none, or one that cannot compute in `--dtype`.
    pub fn placement(&self) -> anyhow::Result<Placement> {
        let device = match self.device.as_str() {
            AUTO => Device::auto(),
            word => word.parse()?,
        };
        Ok(Placement::new(device, self.dtype)?)
    }

    /// A GHN where it is to predict: on the device that is named, or, for `auto`, on a GPU if it is large.
    ///
    /// # Errors
    /// If `--device` names none, or the GHN does not fit there.
    pub fn placed(&self, ghn: Ghn) -> anyhow::Result<Ghn> {
        let device = match self.device.as_str() {
            AUTO if ghn.is_large() => Device::auto(),
            AUTO => Device::Cpu,
            word => word.parse()?,
        };
        Ok(ghn.on(device)?)
    }

    /// Opens a GHN to predict with.
    ///
    /// # Errors
    /// If there is none of this name, and as [`Common::placed`].
    pub fn open_ghn(&self, name: &str) -> anyhow::Result<Ghn> {
        self.placed(Ghn::open(name, self.seed)?)
    }

    /// The same options for a child process.
    #[must_use]
    pub fn for_children(&self) -> Vec<String> {
        let mut arguments = vec!["--device".to_owned(), self.device.clone()];
        arguments.extend(["--dtype".to_owned(), self.dtype.to_string()]);
        if let Some(folder) = &self.cuda_libs {
            arguments.extend(["--cuda-libs".to_owned(), folder.display().to_string()]);
        }
        if let Some(threads) = self.threads {
            arguments.extend(["--threads".to_owned(), threads.to_string()]);
        }
        arguments.extend(["--seed".to_owned(), self.seed.to_string()]);
        arguments
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Open the app on built-in defaults: predict, post-process, start short runs
    Demo(demo::DemoArgs),
    /// List and show architectures, and the graph that a GHN reads
    Arch(arch::ArchArgs),
    /// The population of networks that GHNs are trained on
    Deepnets(deepnets::DeepnetsArgs),
    /// Predict parameters with a GHN and write them to a file
    Predict(predict::PredictArgs),
    /// Add noise to, or orthogonalise, the weights of a file
    Postprocess(postprocess::PostprocessArgs),
    /// Numbers about parameters and architectures
    Stats(stats::StatsArgs),
    /// Accuracy of a file's weights on a data set
    Eval(eval::EvalArgs),
    /// Train a network from a random, predicted or stored start
    Finetune(finetune::FinetuneArgs),
    /// The paper's experiment: starts side by side, over seeds, with a table at the end
    Reproduce(reproduce::ReproduceArgs),
    /// List, show, watch and steer runs
    Runs(runs::RunsArgs),
    /// Graph HyperNetworks at hand
    Ghn(ghn::GhnArgs),
    /// Compare this build with reference numbers
    Check(check::CheckArgs),
    /// Time training and evaluation on this machine
    Bench(bench::BenchArgs),
    /// Answer the app's requests on standard input and output
    #[command(hide = true)]
    Engine(engine::EngineArgs),
    /// Carry out a run in this process
    #[command(hide = true)]
    Worker(finetune::WorkerArgs),
    /// Print completions for a shell
    Completions(shell::CompletionsArgs),
    /// Print the manual page
    Man,
}

/// Parses the arguments, runs the command, reports its error.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = setup::process(cli.common.threads) {
        return report(&error);
    }
    let common = &cli.common;
    if let Err(error) = common.check_device() {
        return report(&error);
    }
    let done = match cli.command {
        None => demo::open_app(common),
        Some(Command::Demo(args)) => demo::run(common, &args),
        Some(Command::Arch(args)) => arch::run(common, &args),
        Some(Command::Deepnets(args)) => deepnets::run(common, &args),
        Some(Command::Predict(args)) => predict::run(common, &args),
        Some(Command::Postprocess(args)) => postprocess::run(common, &args),
        Some(Command::Stats(args)) => stats::run(common, &args),
        Some(Command::Eval(args)) => eval::run(common, &args),
        Some(Command::Finetune(args)) => finetune::run(common, &args),
        Some(Command::Reproduce(args)) => reproduce::run(common, &args),
        Some(Command::Runs(args)) => runs::run(common, &args),
        Some(Command::Ghn(args)) => ghn::run(common, &args),
        Some(Command::Check(args)) => check::run(common, &args),
        Some(Command::Bench(args)) => bench::run(common, &args),
        Some(Command::Engine(args)) => engine::run(common, &args),
        Some(Command::Worker(args)) => finetune::work(common, &args),
        Some(Command::Completions(args)) => shell::completions::<Cli>(&args),
        Some(Command::Man) => shell::man::<Cli>(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

/// Prints an error with its causes to standard error. A closed pipe (`| head`) is not an error.
fn report(error: &anyhow::Error) -> ExitCode {
    let broken_pipe = error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    });
    if broken_pipe {
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {}", crate::text::Shown::new(&format!("{error:#}")));
    ExitCode::FAILURE
}
