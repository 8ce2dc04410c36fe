//! `hyperscope arch`: what networks there are, what they are made of, the graph that a GHN reads; and
//! networks as ONNX models.

use clap::{Args, Subcommand};

use super::Common;
use crate::arch::{self, Arch, ArchError, Shape, onnx, zoo};

mod diff;
mod export;
mod graph;
mod list;
mod sample;
mod show;
mod visits;

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
    /// torchvision's name, such as resnet50, or deepnets:SEED, deepnets/SPLIT:SEED, or an ONNX file
    arch: String,
    #[command(flatten)]
    shape: NetworkShape,
}

/// What a network is built for.
#[derive(Clone, Copy, Debug, Args)]
pub struct NetworkShape {
    /// Number of classes [default: 1000, or a file's own]
    #[arg(long, value_name = "N")]
    pub classes: Option<usize>,
    /// Height and width of the images; at 32 and below the network takes the stem for small images
    /// [default: 224, or a file's own]
    #[arg(long, value_name = "S")]
    pub image: Option<usize>,
    /// GoogLeNet and Inception: with the auxiliary classifiers that torchvision gives them by default;
    /// networks of DeepNets-1M: with the one that cells are trained with
    #[arg(long)]
    auxiliary: bool,
}

impl Network {
    /// Builds it.
    ///
    /// # Errors
    /// [`ArchError`] for a name that is unknown, or an impossible size.
    pub fn build(&self) -> Result<Arch, ArchError> {
        arch::build(&self.arch, &self.options()?)
    }

    fn options(&self) -> Result<zoo::Options, ArchError> {
        self.shape.options_of(&self.arch)
    }

    /// Both networks of a comparison, for the same images and classes: those of a file if one of them is a
    /// file's and nothing else is asked for.
    fn build_with(&self, other: &str) -> Result<[Arch; 2], ArchError> {
        let other = Self {
            arch: other.to_owned(),
            ..self.clone()
        };
        let leads = onnx::is_name(&other.arch) && !onnx::is_name(&self.arch);
        let options = if leads { &other } else { self }.options()?;
        Ok([
            arch::build(&self.arch, &options)?,
            arch::build(&other.arch, &options)?,
        ])
    }
}

impl NetworkShape {
    /// What is asked for, and where nothing is, what is usual for the network called `name`.
    ///
    /// # Errors
    /// If `name` is a file that cannot be read.
    pub fn options_of(self, name: &str) -> Result<zoo::Options, ArchError> {
        // A file is read for what it says itself only if it is asked.
        let usual = match self {
            Self {
                classes: Some(_),
                image: Some(_),
                ..
            } => zoo::Options::default(),
            _ => arch::usual_options(name)?,
        };
        Ok(self.or(&usual))
    }

    /// What is asked for, and `usual` where nothing is.
    fn or(self, usual: &zoo::Options) -> zoo::Options {
        let side = self.image.unwrap_or(usual.side);
        zoo::Options {
            auxiliary: self.auxiliary,
            ..zoo::Options::for_images(self.classes.unwrap_or(usual.classes), side)
        }
    }

    fn options(self) -> zoo::Options {
        self.or(&zoo::Options::default())
    }
}

/// Checks that a network takes the images of a data set, which have three channels and equal sides.
///
/// # Errors
/// If it was made for other ones, as networks from files may be.
pub fn takes_images(arch: &Arch, side: usize) -> anyhow::Result<()> {
    anyhow::ensure!(
        arch.input() == Shape::image(3, side, side),
        "{} reads images of {}, and those of a data set are given as 3x{side}x{side}; \
         a network for other images can be shown, predicted and timed, but not evaluated or trained",
        arch.name(),
        arch.input()
    );
    Ok(())
}

/// The side of the images of a network that is a file's own; none for others, which take any.
///
/// # Errors
/// If the file cannot be read.
pub fn own_side(name: &str) -> Result<Option<usize>, ArchError> {
    if !onnx::is_name(name) {
        return Ok(None);
    }
    Ok(Some(arch::usual_options(name)?.side))
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
            let [one, other] = network.build_with(other)?;
            diff::run(common, &one, &other)
        }
        What::Sample(args) => sample::run(common, args),
        What::Graph { network, filter } => graph::run(common, &network.build()?, filter.as_deref()),
        What::Export(args) => export::run(common, args),
    }
}

/// A count with thousands apart: `25 557 032`.
pub(super) fn grouped(count: u64) -> String {
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
pub(super) fn short(count: u64) -> String {
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
