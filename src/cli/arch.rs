//! `hyperscope arch`: what networks there are, what they are made of, the graph that a GHN reads; and
//! networks as ONNX models.

use clap::{Args, Subcommand};

use super::Common;
use crate::arch::{self, Arch, ArchError, zoo};

mod diff;
mod export;
mod graph;
mod list;
mod sample;
mod show;

#[derive(Debug, Args)]
pub struct ArchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// All architectures with their parameters and multiply-accumulates
    List {
        /// Only those whose family or name holds this text
        filter: Option<String>,
        #[command(flatten)]
        shape: NetworkShape,
    },
    /// Modules, shapes and costs; with --json all tensors of the state dict
    Show {
        #[command(flatten)]
        network: Network,
        /// Levels of modules shown
        #[arg(long, default_value_t = 4, value_name = "N")]
        depth: usize,
        /// Only modules whose path holds this text, each on its own line
        #[arg(long, value_name = "TEXT")]
        filter: Option<String>,
    },
    /// What distinguishes two architectures: nodes added, removed and changed, and totals
    Diff {
        #[command(flatten)]
        network: Network,
        /// The other one, built for the same images and classes
        other: String,
    },
    /// Random architectures as GHNs are trained on, with the shapes of their graphs
    Sample(sample::SampleArgs),
    /// The graph that a GHN reads: primitive ops, edges, distances
    Graph {
        #[command(flatten)]
        network: Network,
        /// Only nodes whose type or name holds this text (the JSON has all)
        #[arg(long, value_name = "TEXT")]
        filter: Option<String>,
    },
    /// Write a network as an ONNX model for inference
    Export(export::ExportArgs),
}

/// A network by its name, as an argument of any command.
#[derive(Clone, Debug, Args)]
pub struct Network {
    /// torchvision's name, such as resnet50, or deepnets:SEED, deepnets/SPLIT:SEED
    arch: String,
    #[command(flatten)]
    shape: NetworkShape,
}

/// What a network is built for.
#[derive(Clone, Copy, Debug, Args)]
pub struct NetworkShape {
    /// Number of classes
    #[arg(long, default_value_t = 1000, value_name = "N")]
    classes: usize,
    /// Height and width of the images; at 32 and below the network takes the stem for small images
    #[arg(long, default_value_t = 224, value_name = "S")]
    image: usize,
    /// GoogLeNet and Inception: with the auxiliary classifiers that torchvision gives them by default
    #[arg(long)]
    auxiliary: bool,
}

impl Network {
    /// Builds it.
    ///
    /// # Errors
    /// [`ArchError`] for a name that is unknown, or an impossible size.
    pub fn build(&self) -> Result<Arch, ArchError> {
        arch::build(&self.arch, &self.shape.options())
    }

    /// Height and width of the images.
    #[must_use]
    pub const fn image(&self) -> usize {
        self.shape.image
    }
}

impl NetworkShape {
    const fn options(self) -> zoo::Options {
        zoo::Options {
            auxiliary: self.auxiliary,
            ..zoo::Options::for_images(self.classes, self.image)
        }
    }
}

/// Runs the command.
///
/// # Errors
/// If the architecture cannot be built or standard output cannot be written.
pub fn run(common: &Common, args: &ArchArgs) -> anyhow::Result<()> {
    match &args.what {
        What::List { filter, shape } => list::run(common, filter.as_deref(), *shape),
        What::Show {
            network,
            depth,
            filter,
        } => show::run(common, &network.build()?, *depth, filter.as_deref()),
        What::Diff { network, other } => {
            let other = Network {
                arch: other.clone(),
                ..network.clone()
            };
            diff::run(common, &network.build()?, &other.build()?)
        }
        What::Sample(args) => sample::run(common, args),
        What::Graph { network, filter } => graph::run(common, &network.build()?, filter.as_deref()),
        What::Export(args) => export::run(common, args),
    }
}

/// A count with thousands apart: `25 557 032`.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A count in three digits: `25.6 M`.
fn short(count: u64) -> String {
    let value = count as f64;
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{:.1} k", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} M", value / 1e6),
        _ => format!("{:.2} G", value / 1e9),
    }
}

/// Whether `text` holds `filter`, whatever the case; no filter fits everything.
fn fits(filter: Option<&str>, text: &str) -> bool {
    filter.is_none_or(|f| text.to_lowercase().contains(&f.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_from_the_right() {
        assert_eq!(grouped(25_557_032), "25 557 032");
        assert_eq!(grouped(999), "999");
        assert_eq!(short(88_591_464), "88.6 M");
    }
}
