//! The arguments of `hyperscope reproduce`.

use clap::Args;

/// Longest name of an experiment, in bytes: it becomes a part of a file's name.
const LONGEST_NAME: usize = 80;

#[derive(Clone, Debug, Args)]
pub struct ReproduceArgs {
    /// Images: synthetic, a file or folder, or a name set in the config file
    #[arg(long, value_name = "DATA", required_unless_present = "report")]
    pub data: Option<String>,
    /// Networks, each by the published recipe of its family
    #[arg(
        long,
        value_name = "ARCH,...",
        value_delimiter = ',',
        default_value = "resnet50,convnext_tiny"
    )]
    pub archs: Vec<String>,
    /// Starts, as `finetune --init` takes them; differences are to `rand`
    #[arg(
        long,
        value_name = "INIT,...",
        value_delimiter = ',',
        default_value = "rand,ghn,ghn+noise,ghn+noise+orth"
    )]
    pub starts: Vec<String>,
    /// Number of seeds: --seed and those that follow it
    #[arg(long, value_name = "K", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub seeds: u32,
    /// GHN that predicts: default, untrained, a file, or a name in the cache folder
    #[arg(long, value_name = "GHN", default_value = "default")]
    pub ghn: String,
    /// Train only on the first K images of each class
    #[arg(long, value_name = "K", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub shots: u32,
    /// Epochs [default: the recipe's, 300]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub epochs: Option<u32>,
    /// Side of the images that the networks see
    #[arg(long, value_name = "S", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub image: u32,
    /// First layer that is post-processed, by number from 1 or by name [default: the recipe's, at the same
    /// part of the way in networks of other sizes]
    #[arg(long, value_name = "N|NAME|auto")]
    pub layer: Option<String>,
    /// Evaluate the validation images every N epochs, and after the last
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub eval_every: u32,
    /// Runs at a time, on the CPU; they share its threads
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub jobs: u32,
    /// Name of the experiment [default: made from the protocol, so that the same command finds its runs again]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub name: Option<String>,
    /// Resume runs that failed, too
    #[arg(long)]
    pub retry: bool,
    /// Show the protocol and what would be done with each run, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print the result of an experiment as far as it got, and do nothing
    #[arg(long, value_name = "NAME", conflicts_with_all = ["data", "name", "dry_run", "retry"])]
    pub report: Option<String>,
}

fn name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("it must not be empty".to_owned());
    }
    if text.len() > LONGEST_NAME {
        return Err(format!("it must be {LONGEST_NAME} bytes or less"));
    }
    if text.chars().any(char::is_control) {
        return Err("it must be one line of plain text".to_owned());
    }
    Ok(text.to_owned())
}
