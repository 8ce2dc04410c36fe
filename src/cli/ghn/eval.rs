//! `hyperscope ghn eval`: how good networks are whose parameters a GHN predicts and nobody trains.

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::table::{Align, Table};
use crate::arch::deepnets::{self, Split};
use crate::arch::{self, zoo::Options};
use crate::cli::finetune::ask;
use crate::cli::runs::print;
use crate::cli::{Common, progress};
use crate::data::{self, DataSet, EvalLoader, Protocol};
use crate::ghn::Ghn;
use crate::init::random;
use crate::nn::Placement;
use crate::run::Home;
use crate::stats::Sample;
use crate::train::{PredictedNetwork, evaluate_ghn, evaluate_untrained};

/// Networks of each part of DeepNets-1M unless told otherwise.
const NETWORKS: u32 = 20;
/// Images in a batch, as in the published evaluations: with batch statistics the result depends on it.
const BATCH: u32 = 64;
/// Networks of torchvision, one or two of each family that can be run on small images.
const ZOO: [&str; 14] = [
    "resnet18",
    "resnet50",
    "convnext_tiny",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "efficientnet_b0",
    "densenet121",
    "mnasnet1_0",
    "shufflenet_v2_x1_0",
    "squeezenet1_1",
    "regnet_y_400mf",
    "regnet_x_400mf",
    "resnext50_32x4d",
    "wide_resnet50_2",
];

#[derive(Debug, Args)]
pub struct EvalArgs {
    /// `default`, a checkpoint, or a name in the cache folder
    #[arg(default_value = "default")]
    ghn: String,
    /// Images: synthetic, a file or folder, or a name set in the config file
    #[arg(long, value_name = "DATA")]
    data: String,
    /// Which networks: parts of DeepNets-1M, or torchvision's (zoo)
    #[arg(long = "split", value_enum, value_name = "PART", default_values_t = Part::ALL)]
    splits: Vec<Part>,
    /// Networks of each part of DeepNets-1M
    #[arg(long, value_name = "N", default_value_t = NETWORKS, value_parser = clap::value_parser!(u32).range(1..))]
    nets: u32,
    /// Only so many test images, spread evenly over all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    images: Option<u32>,
    /// Images in a batch
    #[arg(long, value_name = "N", default_value_t = BATCH, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// Side of the images that the networks see
    #[arg(long, value_name = "S", default_value_t = 32, value_parser = clap::value_parser!(u32).range(8..=512))]
    image: u32,
    /// Leave out the same networks with random parameters, which show what chance is
    #[arg(long)]
    no_random: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Part {
    Test,
    Wide,
    Deep,
    Dense,
    #[value(name = "bnfree")]
    BnFree,
    Zoo,
    /// Not among those evaluated unasked: it chooses the best checkpoint of a training
    Val,
}

impl Part {
    const ALL: [Self; 6] = [
        Self::Test,
        Self::Wide,
        Self::Deep,
        Self::Dense,
        Self::BnFree,
        Self::Zoo,
    ];

    const fn split(self) -> Option<Split> {
        match self {
            Self::Test => Some(Split::Test),
            Self::Wide => Some(Split::Wide),
            Self::Deep => Some(Split::Deep),
            Self::Dense => Some(Split::Dense),
            Self::BnFree => Some(Split::BnFree),
            Self::Val => Some(Split::Val),
            Self::Zoo => None,
        }
    }

    fn networks(self, count: u32) -> Vec<String> {
        match self.split() {
            Some(split) => deepnets::first_names(split, count as usize),
            None => ZOO.map(str::to_owned).to_vec(),
        }
    }

    fn word(self) -> &'static str {
        self.split().map_or("zoo", Split::word)
    }
}

/// Accuracies of some networks, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Accuracy {
    mean: f64,
    /// Standard error of the mean; none for one network.
    sem: Option<f64>,
    max: f64,
}

#[derive(Debug, Serialize)]
struct Evaluated {
    split: Part,
    nets: usize,
    #[serde(flatten)]
    predicted: Accuracy,
    /// Of the same networks with random parameters.
    random: Option<Accuracy>,
    cases: Vec<PredictedNetwork>,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Answer<'a> {
    ghn: &'a str,
    hash: &'a str,
    trained: bool,
    data: &'a str,
    images: u64,
    batch: u32,
    side: u32,
    splits: Vec<Evaluated>,
}

/// Runs the command.
///
/// # Errors
/// If the GHN or the data cannot be read, or they have different classes.
pub fn run(common: &Common, args: &EvalArgs) -> anyhow::Result<()> {
    let placement = common.placement()?;
    let data = ask::open_data(&args.data, &Home::find()?)?;
    let ghn = Ghn::open(&args.ghn, common.seed)?;
    let (has, wants) = (ghn.config().num_classes, data.classes.len());
    anyhow::ensure!(
        has == wants,
        "the GHN {} predicts classifiers of {has} classes, and {} has {wants}; take the data that it was \
         trained on, or a GHN for these",
        ghn.name(),
        data.name
    );
    let mut loader = loader(&data, args, common.seed)?;
    let mut parts = Vec::new();
    for part in &args.splits {
        parts.push(evaluated(&ghn, *part, args, &mut loader, placement)?);
    }
    let images = loader.images() as u64;
    if common.json {
        return print::json(&Answer {
            ghn: ghn.name(),
            hash: ghn.hash()?,
            trained: ghn.trained(),
            data: &data.name,
            images,
            batch: args.batch,
            side: args.image,
            splits: parts,
        });
    }
    print::lines(&lines(&ghn, &data, images, args, &parts))
}

fn loader(data: &DataSet, args: &EvalArgs, seed: u64) -> anyhow::Result<EvalLoader> {
    let protocol = Protocol {
        side: args.image as usize,
        batch: args.batch as usize,
        seed,
        augment: false,
        ..Protocol::default()
    };
    let limit = args.images.map(|n| n as usize);
    // Batch statistics of a batch of one class would be no fair sample.
    Ok(EvalLoader::mixed(
        data,
        data::Split::Test,
        &protocol,
        limit,
    )?)
}

fn evaluated(
    ghn: &Ghn,
    part: Part,
    args: &EvalArgs,
    loader: &mut EvalLoader,
    placement: Placement,
) -> anyhow::Result<Evaluated> {
    let names = part.networks(args.nets);
    let bar = progress::counted(names.len(), part.word());
    let (mut cases, mut random) = (Vec::new(), Vec::new());
    for name in &names {
        let options = Options::for_images(ghn.config().num_classes, args.image as usize);
        let arch = arch::build(name, &options)?;
        if !args.no_random {
            let state = random::state(&arch, 0);
            random.push(evaluate_untrained(&arch, &state, loader, placement)?.top1);
        }
        cases.push(evaluate_ghn(ghn, arch, loader, placement)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let predicted: Vec<f64> = cases.iter().map(|net| net.metrics.top1).collect();
    Ok(Evaluated {
        split: part,
        nets: cases.len(),
        predicted: Accuracy::of(&predicted).context("evaluating: there are no networks")?,
        random: Accuracy::of(&random),
        cases,
    })
}

impl Accuracy {
    /// None without networks.
    fn of(values: &[f64]) -> Option<Self> {
        let sample = Sample::of(values)?;
        Some(Self {
            mean: sample.mean,
            sem: sample.standard_error(),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }

    fn text(&self) -> String {
        match self.sem {
            Some(error) => format!("{:.1} ± {error:.1}", self.mean),
            None => format!("{:.1}", self.mean),
        }
    }
}

fn lines(
    ghn: &Ghn,
    data: &DataSet,
    images: u64,
    args: &EvalArgs,
    parts: &[Evaluated],
) -> Vec<String> {
    let mut table = Table::new(&[
        ("networks", Align::Left),
        ("number", Align::Right),
        ("predicted, %", Align::Right),
        ("best, %", Align::Right),
        ("best network", Align::Left),
        ("random, %", Align::Right),
    ]);
    for part in parts {
        let best = part
            .cases
            .iter()
            .max_by(|a, b| a.metrics.top1.total_cmp(&b.metrics.top1));
        table.row(&[
            part.split.word().to_owned(),
            part.nets.to_string(),
            part.predicted.text(),
            format!("{:.1}", part.predicted.max),
            best.map(|net| net.name.clone()).unwrap_or_default(),
            part.random.map(|r| r.text()).unwrap_or_default(),
        ]);
    }
    let mut lines = vec![format!(
        "{}: accuracy on {images} test images of {} at {}x{}, with statistics of batches of {}; mean and its \
         standard error",
        ghn.config(),
        data.name,
        args.image,
        args.image,
        args.batch
    )];
    if !ghn.trained() {
        lines.push("this GHN is untrained: what it predicts is noise".to_owned());
    }
    lines.extend(table.lines());
    lines
}
