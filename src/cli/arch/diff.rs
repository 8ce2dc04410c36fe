//! `hyperscope arch diff`: what distinguishes two architectures.

use serde::Serialize;

use super::{grouped, short};
use crate::arch::{Arch, Diff, Node, NodeId, diff_block, node_cost};
use crate::cli::Common;
use crate::cli::runs::{print, table};
use table::{Align, Table};

#[derive(Debug, Serialize)]
struct Answer<'a> {
    a: Totals<'a>,
    b: Totals<'a>,
    same: usize,
    changed: Vec<Changed<'a>>,
    removed: Vec<Shown<'a>>,
    added: Vec<Shown<'a>>,
}

#[derive(Debug, Serialize)]
struct Totals<'a> {
    name: &'a str,
    nodes: usize,
    tensors: usize,
    params: usize,
    macs: u64,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    path: &'a str,
    op: String,
    output: String,
    params: u64,
}

#[derive(Debug, Serialize)]
struct Changed<'a> {
    path: &'a str,
    a: Shown<'a>,
    b: Shown<'a>,
}

/// Prints totals, and the nodes that differ.
///
/// # Errors
/// If standard output cannot be written.
pub fn run(common: &Common, a: &Arch, b: &Arch) -> anyhow::Result<()> {
    let diff = Diff::of(a, b);
    if common.json {
        return print::json(&Answer {
            a: totals(a),
            b: totals(b),
            same: diff.same,
            changed: diff
                .changed
                .iter()
                .map(|(x, y)| Changed {
                    path: &a.node(*x).path,
                    a: shown(a, *x),
                    b: shown(b, *y),
                })
                .collect(),
            removed: diff.removed.iter().map(|n| shown(a, *n)).collect(),
            added: diff.added.iter().map(|n| shown(b, *n)).collect(),
        });
    }
    print::lines(&table_of_totals(a, b).lines())?;
    if diff.is_empty() {
        return print::lines(&["", "all nodes are alike"]);
    }
    let counts = format!(
        "\n{} nodes are alike, {} changed, {} removed, {} added\n",
        diff.same,
        diff.changed.len(),
        diff.removed.len(),
        diff.added.len()
    );
    print::lines(&[counts])?;
    print::lines(&table_of_nodes(a, b, &diff).lines())
}

fn totals(arch: &Arch) -> Totals<'_> {
    Totals {
        name: arch.name(),
        nodes: arch.nodes().len(),
        tensors: arch.tensors().len(),
        params: arch.parameter_count(),
        macs: arch.macs(),
    }
}

fn shown(arch: &Arch, id: NodeId) -> Shown<'_> {
    let node = arch.node(id);
    Shown {
        path: &node.path,
        op: node.op.describe(),
        output: node.shape.to_string(),
        params: node_cost(arch, node).params,
    }
}

fn table_of_totals(a: &Arch, b: &Arch) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("", Left),
        (a.name(), Right),
        (b.name(), Right),
        ("ratio", Right),
    ]);
    let (x, y) = (totals(a), totals(b));
    let mut row = |name: &str, x: u64, y: u64, text: fn(u64) -> String| {
        let ratio = y as f64 / x as f64;
        table.row(&[name.to_owned(), text(x), text(y), format!("{ratio:.2}")]);
    };
    row("nodes", x.nodes as u64, y.nodes as u64, grouped);
    row("tensors", x.tensors as u64, y.tensors as u64, grouped);
    row("parameters", x.params as u64, y.params as u64, grouped);
    row("MACs", x.macs, y.macs, short);
    table
}

/// Changed nodes with what they were and are, those changed alike in one line; removed and added ones by
/// blocks.
fn table_of_nodes(a: &Arch, b: &Arch, diff: &Diff) -> Table {
    use Align::{Left, Right};
    let mut table = Table::new(&[
        ("", Left),
        ("node", Left),
        ("more", Right),
        ("op", Left),
        ("output", Left),
        ("parameters", Right),
    ]);
    let mut changes: Vec<(String, [String; 2], i128, usize)> = Vec::new();
    for (x, y) in &diff.changed {
        let (old, new) = (shown(a, *x), shown(b, *y));
        let texts = [both(&old.op, &new.op), both(&old.output, &new.output)];
        let gain = i128::from(new.params) - i128::from(old.params);
        match changes.iter_mut().find(|c| c.1 == texts) {
            Some(change) => {
                change.2 += gain;
                change.3 += 1;
            }
            None => changes.push((old.path.to_owned(), texts, gain, 0)),
        }
    }
    for (path, [op, output], gain, more) in changes {
        table.row(&["~".to_owned(), path, count(more), op, output, signed(gain)]);
    }
    for (sign, arch, nodes) in [("-", a, &diff.removed), ("+", b, &diff.added)] {
        for (block, nodes) in blocks(arch, nodes) {
            let params: u64 = nodes.iter().map(|n| node_cost(arch, n).params).sum();
            let last = nodes[nodes.len() - 1];
            let mut ops: Vec<&str> = nodes.iter().map(|n| n.op.word()).collect();
            ops.dedup();
            let gain = if sign == "-" {
                -i128::from(params)
            } else {
                i128::from(params)
            };
            table.row(&[
                sign.to_owned(),
                block.to_owned(),
                count(nodes.len() - 1),
                ops.join(", "),
                last.shape.to_string(),
                signed(gain),
            ]);
        }
    }
    table
}

/// Neighbouring nodes of one block together.
fn blocks<'a>(arch: &'a Arch, nodes: &[NodeId]) -> Vec<(&'a str, Vec<&'a Node>)> {
    let mut blocks: Vec<(&str, Vec<&Node>)> = Vec::new();
    for node in nodes.iter().map(|n| arch.node(*n)) {
        let block = diff_block(node);
        match blocks.last_mut() {
            Some((last, members)) if *last == block => members.push(node),
            _ => blocks.push((block, vec![node])),
        }
    }
    blocks
}

fn both(old: &str, new: &str) -> String {
    if old == new {
        return old.to_owned();
    }
    format!("{old} -> {new}")
}

fn count(more: usize) -> String {
    if more == 0 {
        String::new()
    } else {
        format!("+{more}")
    }
}

fn signed(gain: i128) -> String {
    let size = grouped(u64::try_from(gain.unsigned_abs()).unwrap_or(u64::MAX));
    match gain {
        0 => String::new(),
        1.. => format!("+{size}"),
        _ => format!("-{size}"),
    }
}
