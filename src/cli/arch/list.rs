//! `hyperscope arch list`.

use serde::Serialize;

use super::{NetworkShape, fits, grouped, short};
use crate::arch::zoo;
use crate::cli::Common;
use crate::cli::runs::{print, table};
use table::{Align, Table};

#[derive(Debug, Serialize)]
struct Entry {
    family: &'static str,
    name: &'static str,
    params: usize,
    macs: u64,
}

/// Prints every architecture that fits the filter.
///
/// # Errors
/// If one cannot be built for the shape, or nothing fits.
pub fn run(common: &Common, filter: Option<&str>, shape: NetworkShape) -> anyhow::Result<()> {
    let mut entries = Vec::new();
    for family in zoo::FAMILIES {
        for name in family.names {
            if !fits(filter, name) && !fits(filter, family.title) {
                continue;
            }
            let arch = zoo::build(name, &shape.options())?;
            entries.push(Entry {
                family: family.title,
                name,
                params: arch.parameter_count(),
                macs: arch.macs(),
            });
        }
    }
    if common.json {
        return print::json(&entries);
    }
    anyhow::ensure!(
        !entries.is_empty(),
        "no architecture's family or name holds \"{}\"; `hyperscope arch list` shows all",
        filter.unwrap_or_default()
    );
    let mut table = Table::new(&[
        ("family", Align::Left),
        ("name", Align::Left),
        ("parameters", Align::Right),
        ("MACs", Align::Right),
    ]);
    for entry in &entries {
        table.row(&[
            entry.family,
            entry.name,
            &grouped(entry.params as u64),
            &short(entry.macs),
        ]);
    }
    print::lines(&table.lines())
}
