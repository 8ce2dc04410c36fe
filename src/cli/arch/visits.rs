//! `hyperscope arch sample --visits`: the widths in which GHN training sees the networks that it comes to again
//! and again.

use rayon::prelude::*;
use serde::Serialize;

use super::grouped;
use crate::arch::ArchError;
use crate::arch::deepnets::{self, Sizes, Split, Visit, VisitRule};
use crate::arch::zoo::Options;
use crate::cli::Common;
use crate::cli::runs::{print, table};
use crate::random::stream;
use table::{Align, Table};

#[derive(Debug, Serialize)]
struct Answer {
    rule: &'static str,
    networks: Vec<Visited>,
}

#[derive(Debug, Serialize)]
struct Visited {
    name: String,
    /// What the rule goes by.
    sizes: Sizes,
    visits: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    #[serde(flatten)]
    visit: Visit,
    params: usize,
}

/// Prints the first visits of the training split's networks, each network built with the widths drawn.
///
/// # Errors
/// If the images are too small for one, or standard output cannot be written.
pub fn run(
    common: &Common,
    seeds: std::ops::Range<u64>,
    visits: u32,
    rule: VisitRule,
    options: &Options,
) -> anyhow::Result<()> {
    let networks: Result<Vec<Visited>, ArchError> = seeds
        .into_par_iter()
        .map(|seed| visited(seed, visits, rule, options))
        .collect();
    let networks = networks?;
    if common.json {
        return print::json(&Answer {
            rule: rule.word(),
            networks,
        });
    }
    print::lines(&table_of(&networks).lines())
}

fn visited(
    seed: u64,
    visits: u32,
    rule: VisitRule,
    options: &Options,
) -> Result<Visited, ArchError> {
    let name = deepnets::name_of(Split::Train, seed);
    let plan = deepnets::plan(&name, options)?;
    let sizes = Sizes::of(&plan).ok_or_else(|| ArchError::Disconnected { arch: name.clone() })?;
    let visit = |number: u32| {
        let mut stream = stream(seed, &format!("deepnets/visit/{number}"));
        let visit = Visit::draw(&plan, sizes, rule, options.stem, &mut stream);
        let arch = plan.on(visit).build(&name, options)?;
        Ok(Row {
            visit,
            params: arch.parameter_count(),
        })
    };
    Ok(Visited {
        visits: (0..visits).map(visit).collect::<Result<_, ArchError>>()?,
        name,
        sizes,
    })
}

fn table_of(networks: &[Visited]) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("architecture", Left),
        ("visit", Right),
        ("channels", Right),
        ("classifier", Right),
        ("stride", Right),
        ("parameters", Right),
    ]);
    for network in networks {
        for (number, Row { visit, params }) in network.visits.iter().enumerate() {
            table.row(&[
                network.name.clone(),
                number.to_string(),
                visit.channels.to_string(),
                visit.classifier_width.to_string(),
                visit.photograph_stride.to_string(),
                grouped(*params as u64),
            ]);
        }
    }
    table
}
