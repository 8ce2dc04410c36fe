//! `hyperscope arch show`: the module tree, or the whole state dict as JSON.

use serde::Serialize;

use super::{fits, grouped, short};
use crate::arch::{Arch, ModuleTree, TreeRow};
use crate::cli::Common;
use crate::cli::runs::{print, table};
use table::{Align, Table};

#[derive(Debug, Serialize)]
struct Shown<'a> {
    name: &'a str,
    params: usize,
    macs: u64,
    input: Vec<usize>,
    classes: usize,
    nodes: usize,
    tensors: Vec<ShownTensor<'a>>,
}

#[derive(Debug, Serialize)]
struct ShownTensor<'a> {
    name: &'a str,
    shape: &'a [usize],
}

/// Prints `arch`, its modules down to `depth` levels.
///
/// # Errors
/// If nothing fits the filter, or standard output cannot be written.
pub fn run(common: &Common, arch: &Arch, depth: usize, filter: Option<&str>) -> anyhow::Result<()> {
    if common.json {
        return print::json(&document(arch));
    }
    let tree = ModuleTree::of(arch);
    let mut table = Table::new(&[
        ("module", Align::Left),
        ("op", Align::Left),
        ("output", Align::Right),
        ("parameters", Align::Right),
        ("MACs", Align::Right),
    ]);
    let mut rows = Vec::new();
    match filter {
        None => folded(&tree, arch, depth, 0, &mut rows),
        Some(_) => matching(&tree, arch, filter, &mut rows),
    }
    anyhow::ensure!(
        !rows.is_empty(),
        "{} has no module whose path holds \"{}\"",
        arch.name(),
        filter.unwrap_or_default()
    );
    for row in rows {
        table.row(&row);
    }
    let summary = format!(
        "{}   {} parameters   {} MACs   input {}   {} classes\n",
        arch.name(),
        grouped(arch.parameter_count() as u64),
        short(arch.macs()),
        arch.input(),
        arch.classes()
    );
    print::lines(&[summary])?;
    print::lines(&table.lines())
}

fn document(arch: &Arch) -> Shown<'_> {
    let tensors = arch.tensors().iter().map(|t| ShownTensor {
        name: &t.name,
        shape: &t.shape,
    });
    Shown {
        name: arch.name(),
        params: arch.parameter_count(),
        macs: arch.macs(),
        input: arch.input().dims(),
        classes: arch.classes(),
        nodes: arch.nodes().len(),
        tensors: tensors.collect(),
    }
}

/// The tree with indentation; siblings that are built alike share a line.
fn folded(
    module: &ModuleTree,
    arch: &Arch,
    depth: usize,
    level: usize,
    rows: &mut Vec<[String; 5]>,
) {
    if level == depth {
        return;
    }
    for TreeRow {
        module: child,
        repeats,
    } in module.rows(arch)
    {
        let mut name = format!("{}{}", "  ".repeat(level), child.name);
        if repeats > 1 {
            name += &format!("  x{repeats}");
        }
        rows.push(row(name, child, arch));
        folded(child, arch, depth, level + 1, rows);
    }
}

/// Modules by full path, nothing folded.
fn matching(module: &ModuleTree, arch: &Arch, filter: Option<&str>, rows: &mut Vec<[String; 5]>) {
    for child in &module.children {
        if fits(filter, &child.path) {
            rows.push(row(child.path.clone(), child, arch));
        }
        matching(child, arch, filter, rows);
    }
}

fn row(name: String, module: &ModuleTree, arch: &Arch) -> [String; 5] {
    let ops: Vec<String> = if module.is_block() {
        Vec::new()
    } else {
        let ops = module.nodes.iter().map(|n| arch.node(*n).op.describe());
        let mut ops: Vec<String> = ops.collect();
        ops.dedup();
        ops
    };
    let cost = |count: u64, text: String| if count == 0 { String::new() } else { text };
    [
        name,
        ops.join(", "),
        module.output.to_string(),
        cost(module.cost.params, grouped(module.cost.params)),
        cost(module.cost.macs, short(module.cost.macs)),
    ]
}
