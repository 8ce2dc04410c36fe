//! `hyperscope arch graph`: the graph that a GHN reads.

use super::fits;
use crate::arch::Arch;
use crate::cli::Common;
use crate::cli::runs::{print, table};
use crate::ghn::graph::{Document, Graph, Primitive, Topology};
use table::{Align, Table};

/// Prints the graph of `arch`.
///
/// # Errors
/// If standard output cannot be written.
pub fn run(common: &Common, arch: &Arch, filter: Option<&str>) -> anyhow::Result<()> {
    if common.json {
        return print::json(&Document::of(arch));
    }
    let graph = Graph::of(arch);
    let Topology {
        edges: direct,
        degree,
        path,
        ..
    } = Topology::of(&graph);
    let all = graph.distances.edges().count();
    let longest = graph.distances.edges().map(|e| e.2).max().unwrap_or(0);
    print::lines(&[
        format!(
            "{}   {} nodes   {direct} edges, {} virtual   longest distance {longest}",
            arch.name(),
            graph.len(),
            all - direct
        ),
        format!("average degree {degree:.3}   average shortest path {path:.2}, either way"),
        counts(&graph),
        String::new(),
    ])?;
    let mut table = Table::new(&[
        ("id", Align::Right),
        ("type", Align::Left),
        ("name", Align::Left),
        ("shape", Align::Right),
        ("from", Align::Left),
    ]);
    for (id, node) in graph.nodes.iter().enumerate() {
        let kind = node.primitive.name();
        if !fits(filter, kind) && !fits(filter, &node.name) {
            continue;
        }
        let shape = node.shape.as_ref().map_or_else(String::new, |s| by(s, "x"));
        let from: Vec<usize> = (0..graph.len())
            .filter(|f| graph.distances.between(*f, id) == 1)
            .collect();
        let row = [&id.to_string(), kind, &node.name, &shape, &by(&from, " ")];
        table.row(&row);
    }
    print::lines(&table.lines())
}

fn by(numbers: &[usize], separator: &str) -> String {
    let words: Vec<String> = numbers.iter().map(usize::to_string).collect();
    words.join(separator)
}

/// How many nodes of each type there are.
fn counts(graph: &Graph) -> String {
    let count = |p: &Primitive| graph.nodes.iter().filter(|n| n.primitive == *p).count();
    let words: Vec<String> = Primitive::ALL
        .iter()
        .map(|p| (p.name(), count(p)))
        .filter(|(_, n)| *n > 0)
        .map(|(name, n)| format!("{name} {n}"))
        .collect();
    words.join("   ")
}
