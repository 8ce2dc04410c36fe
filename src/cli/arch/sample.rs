//! `hyperscope arch sample`: random architectures of DeepNets-1M, with the shapes of their graphs.

use clap::Args;
use rayon::prelude::*;
use serde::Serialize;

use super::{NetworkShape, grouped, visits};
use crate::arch::ArchError;
use crate::arch::deepnets::{self, Split, VisitRule};
use crate::cli::Common;
use crate::cli::runs::{print, table};
use crate::ghn::Graph;
use crate::ghn::graph::Topology;
use crate::stats::Moments;
use table::{Align, Table};

#[derive(Debug, Args)]
pub struct SampleArgs {
    /// train, val, test, wide, deep, dense, bnfree or search
    #[arg(long, default_value = "train", value_name = "SPLIT", value_parser = split)]
    split: Split,
    /// How many
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
    /// Seed of the first one; the others follow
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u64,
    /// The widths of so many visits of GHN training to each, in place of graphs; of the split train
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    visits: Option<u32>,
    /// By whose rule a visit draws widths: ghn2 (and GHN-1) or ghn3
    #[arg(long, default_value = "ghn2", value_name = "RULE", requires = "visits", value_parser = rule)]
    rule: VisitRule,
    #[command(flatten)]
    shape: NetworkShape,
}

fn rule(word: &str) -> Result<VisitRule, String> {
    let rule = VisitRule::ALL.into_iter().find(|rule| rule.word() == word);
    rule.ok_or_else(|| "there are ghn2 and ghn3".to_owned())
}

fn split(word: &str) -> Result<Split, String> {
    Split::from_word(word).ok_or_else(|| {
        let words: Vec<&str> = Split::ALL.iter().map(|s| s.word()).collect();
        format!("there are {}", words.join(", "))
    })
}

#[derive(Debug, Serialize)]
struct Sample {
    name: String,
    params: usize,
    #[serde(flatten)]
    topology: Topology,
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    split: &'a str,
    summary: Vec<Summary>,
    samples: &'a [Sample],
}

/// How a number is distributed over the samples.
#[derive(Debug, Serialize)]
struct Summary {
    of: &'static str,
    mean: f64,
    /// Standard deviation, of the samples themselves.
    deviation: f64,
    min: f64,
    max: f64,
}

/// Prints the samples and what they have in common.
///
/// # Errors
/// If the images are too small for one, or standard output cannot be written.
pub fn run(common: &Common, args: &SampleArgs) -> anyhow::Result<()> {
    let options = args.shape.options();
    let last = args.seed.checked_add(u64::from(args.count));
    let last = last.ok_or_else(|| anyhow::anyhow!("seeds end at {}", u64::MAX))?;
    if let Some(visits) = args.visits {
        anyhow::ensure!(
            args.split == Split::Train,
            "only networks of the split train are visited, not those of {}; leave --split or --visits out",
            args.split.word()
        );
        return visits::run(common, args.seed..last, visits, args.rule, &options);
    }
    let samples: Result<Vec<Sample>, ArchError> = (args.seed..last)
        .into_par_iter()
        .map(|seed| {
            let name = deepnets::name_of(args.split, seed);
            let arch = deepnets::build(&name, &options)?;
            Ok(Sample {
                params: arch.parameter_count(),
                topology: Topology::of(&Graph::of(&arch)),
                name,
            })
        })
        .collect();
    let samples = samples?;
    let summary = summaries(&samples);
    if common.json {
        return print::json(&Answer {
            split: args.split.word(),
            summary,
            samples: &samples,
        });
    }
    print::lines(&table_of(&samples).lines())?;
    print::lines(&[""])?;
    print::lines(&table_of_summaries(&summary).lines())
}

fn summaries(samples: &[Sample]) -> Vec<Summary> {
    let summary = |of, value: fn(&Sample) -> f64| {
        let values = samples.iter().map(value);
        let Moments { mean, deviation } = Moments::of(values.clone());
        Summary {
            of,
            mean,
            deviation,
            min: values.clone().fold(f64::INFINITY, f64::min),
            max: values.fold(f64::NEG_INFINITY, f64::max),
        }
    };
    vec![
        summary("parameters", |s| s.params as f64),
        summary("nodes", |s| s.topology.nodes as f64),
        summary("edges", |s| s.topology.edges as f64),
        summary("degree", |s| s.topology.degree),
        summary("path", |s| s.topology.path),
        summary("depth", |s| s.topology.depth as f64),
    ]
}

fn table_of(samples: &[Sample]) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("architecture", Left),
        ("parameters", Right),
        ("nodes", Right),
        ("edges", Right),
        ("degree", Right),
        ("path", Right),
        ("depth", Right),
    ]);
    for sample in samples {
        let Topology {
            nodes,
            edges,
            degree,
            path,
            depth,
        } = sample.topology;
        table.row(&[
            sample.name.clone(),
            grouped(sample.params as u64),
            nodes.to_string(),
            edges.to_string(),
            format!("{degree:.2}"),
            format!("{path:.2}"),
            depth.to_string(),
        ]);
    }
    table
}

fn table_of_summaries(summaries: &[Summary]) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("over all", Left),
        ("mean", Right),
        ("deviation", Right),
        ("least", Right),
        ("most", Right),
    ]);
    for summary in summaries {
        let text = |value: f64| {
            if summary.max < 100.0 {
                format!("{value:.2}")
            } else {
                grouped(value.round() as u64)
            }
        };
        table.row(&[
            summary.of.to_owned(),
            text(summary.mean),
            text(summary.deviation),
            text(summary.min),
            text(summary.max),
        ]);
    }
    table
}
