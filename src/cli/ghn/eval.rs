//! `hyperscope ghn eval`: how good networks are whose parameters a GHN predicts and nobody trains.

use std::ops::ControlFlow;

use anyhow::Context as _;
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use super::table::{Align, Table};
use crate::cli::finetune::ask;
use crate::cli::runs::print;
use crate::cli::{Common, progress};
use crate::ghn::Ghn;
use crate::run::{EvaluationRecord, Home, evaluations};
use crate::text::Shown;
use crate::train::{
    EvaluatedPart, EvaluationSetting, Evaluator, EvaluatorOptions, GhnEvaluation, Part,
    USUAL_BATCH, USUAL_NETWORKS, USUAL_SIDE,
};

#[derive(Debug, Args)]
pub struct EvalArgs {
    /// `default`, a checkpoint, or a name in the cache folder
    #[arg(default_value = "default")]
    ghn: String,
    /// Images: synthetic, a file or folder, or a name set in the config file
    #[arg(long, value_name = "DATA")]
    data: String,
    /// Which networks: parts of DeepNets-1M, or torchvision's (zoo)
    #[arg(long = "split", value_enum, value_name = "PART", default_values_t = Part::USUAL)]
    splits: Vec<Part>,
    /// Networks of each part of DeepNets-1M
    #[arg(long, value_name = "N", default_value_t = USUAL_NETWORKS, value_parser = clap::value_parser!(u32).range(1..))]
    nets: u32,
    /// Only so many test images, spread evenly over all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    images: Option<u32>,
    /// Images in a batch
    #[arg(long, value_name = "N", default_value_t = USUAL_BATCH, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// Side of the images that the networks see
    #[arg(long, value_name = "S", default_value_t = USUAL_SIDE, value_parser = clap::value_parser!(u32).range(8..=512))]
    image: u32,
    /// Leave out the same networks with random parameters, which show what chance is
    #[arg(long)]
    no_random: bool,
}

impl ValueEnum for Part {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let value = PossibleValue::new(self.word());
        Some(match self {
            Self::Val => value.help(
                "Not among those evaluated unasked: it chooses the best checkpoint of a training",
            ),
            _ => value,
        })
    }
}

/// Runs the command.
///
/// # Errors
/// If the GHN or the data cannot be read, or they have different classes.
pub fn run(common: &Common, args: &EvalArgs) -> anyhow::Result<()> {
    let placement = common.placement()?;
    let home = Home::find()?;
    let data = ask::open_data(&args.data, &home)?;
    let ghn = common.open_ghn(&args.ghn)?;
    let options = EvaluatorOptions {
        side: args.image,
        batch: args.batch,
        images: args.images,
        seed: common.seed,
        random: !args.no_random,
    };
    let mut evaluator = Evaluator::new(&ghn, &data, options, placement)?;
    let mut record = EvaluationRecord::begun(evaluator.begin()?, common.seed, placement);
    let mut parts = Vec::new();
    for part in &args.splits {
        let found = evaluated(&mut evaluator, *part, args)?;
        // One part at a time: what is found stays if the rest is interrupted.
        record.evaluation.splits = vec![found.clone()];
        if let Err(error) = evaluations::keep(&home, &record) {
            eprintln!(
                "the app will not know of this evaluation: {}",
                Shown::new(&error.to_string())
            );
        }
        parts.push(found);
    }
    record.evaluation.splits = parts;
    if common.json {
        return print::json(&record.evaluation);
    }
    print::lines(&lines(&ghn, &record.evaluation))
}

fn evaluated(
    evaluator: &mut Evaluator<'_>,
    part: Part,
    args: &EvalArgs,
) -> anyhow::Result<EvaluatedPart> {
    let names = part.networks(args.nets as usize);
    let bar = progress::counted(names.len(), part.word());
    let mut networks = Vec::new();
    for name in &names {
        networks.extend(evaluator.network(name, &mut || ControlFlow::Continue(()))?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    EvaluatedPart::of(part, &networks).context("evaluating: there are no networks")
}

fn lines(ghn: &Ghn, evaluation: &GhnEvaluation) -> Vec<String> {
    let mut table = Table::new(&[
        ("networks", Align::Left),
        ("number", Align::Right),
        ("predicted, %", Align::Right),
        ("best, %", Align::Right),
        ("best network", Align::Left),
        ("random, %", Align::Right),
    ]);
    for part in &evaluation.splits {
        table.row(&[
            part.split.word().to_owned(),
            part.nets.to_string(),
            part.predicted.to_string(),
            format!("{:.1}", part.predicted.max),
            part.best().map(|net| net.name.clone()).unwrap_or_default(),
            part.random.map(|r| r.to_string()).unwrap_or_default(),
        ]);
    }
    let EvaluationSetting {
        data,
        images,
        batch,
        side,
    } = &evaluation.setting;
    let mut lines = vec![format!(
        "{}: accuracy on {images} test images of {} at {side}x{side}, with statistics of batches of {batch}; mean \
         and its standard error",
        ghn.config(),
        Shown::new(data),
    )];
    if !ghn.trained() {
        lines.push("this GHN is untrained: what it predicts is noise".to_owned());
    }
    lines.extend(table.lines());
    lines
}
