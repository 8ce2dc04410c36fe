//! What is known about the module under the cursor, as labelled lines.

use super::tree::{TreeLine, times};
use crate::arch::{Arch, Node, NodeId, Op, Scheme};
use crate::text::Shown;
use crate::tui::catalogue::ArchReport;
use crate::tui::widgets::number;

/// The lines of the details pane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    pub title: Shown,
    /// Label and text.
    pub lines: Vec<(&'static str, Shown)>,
}

/// So many neighbours are named.
const NEIGHBOURS: usize = 3;

impl Details {
    /// Of one row of the tree.
    #[must_use]
    pub fn of(report: &ArchReport, row: &TreeLine) -> Self {
        let arch = &report.arch;
        let mut lines = Vec::new();
        let mut say = |label, text: String| {
            if !text.is_empty() {
                lines.push((label, Shown::new(&text)));
            }
        };
        match row.nodes.as_slice() {
            [id] => say("op", attributes(arch.node(*id))),
            _ => say("ops", tally(arch, &row.nodes)),
        }
        say("shape", shapes(arch, row));
        say("params", cost(row.params, report.params));
        say("MACs", cost(row.macs, report.macs));
        for tensor in tensors(arch, &row.nodes) {
            say("tensor", tensor);
        }
        let (before, after) = neighbours(arch, &row.nodes);
        say("from", names(arch, &before));
        say("to", names(arch, &after));
        let name = if row.path.is_empty() {
            arch.name()
        } else {
            &row.path
        };
        let title = match times(row.repeats) {
            Some(words) => format!("{name}, built {words} alike; numbers of all together"),
            None => name.to_owned(),
        };
        Self {
            title: Shown::new(&title),
            lines,
        }
    }
}

/// `conv 3x3, 64 → 64 channels, stride 1, padding 1, no bias`.
pub fn attributes(node: &Node) -> String {
    let op = node.op.describe();
    match node.op {
        Op::Conv2d(c) => {
            let bias = if c.bias { "bias" } else { "no bias" };
            let groups = if c.groups > 1 {
                format!(", {} groups", c.groups)
            } else {
                String::new()
            };
            format!(
                "{op}, {} to {} channels, stride {}, padding {}{groups}, {bias}",
                c.in_channels, c.out_channels, c.stride[0], c.padding[0]
            )
        }
        Op::Linear(l) | Op::Projection(_, l) => {
            let bias = if l.bias { "bias" } else { "no bias" };
            format!(
                "{op}, {} to {} features, {bias}",
                l.in_features, l.out_features
            )
        }
        Op::BatchNorm { eps, momentum, .. } => format!("{op}, eps {eps:e}, momentum {momentum}"),
        Op::LayerNorm { eps, .. } => format!("{op} over channels, eps {eps:e}"),
        Op::MaxPool(p) | Op::AvgPool(p) => {
            let ceil = if p.ceil { ", rounded up" } else { "" };
            format!(
                "{op}, stride {}, padding {}{ceil}",
                p.stride[0], p.padding[0]
            )
        }
        Op::StochasticDepth { p } | Op::Dropout { p } => format!("{op}, p {p:.3}"),
        _ => op,
    }
}

/// `12 ops: 4 conv, 4 batch norm, 3 relu, 1 add`.
pub fn tally(arch: &Arch, nodes: &[NodeId]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for id in nodes {
        let word = arch.node(*id).op.word();
        match counts.iter_mut().find(|(w, _)| *w == word) {
            Some((_, n)) => *n += 1,
            None => counts.push((word, 1)),
        }
    }
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let words: Vec<String> = counts.iter().map(|(w, n)| format!("{n} {w}")).collect();
    format!("{}: {}", nodes.len(), words.join(", "))
}

fn shapes(arch: &Arch, row: &TreeLine) -> String {
    let first = row.nodes.first().map(|id| arch.node(*id));
    let input = first.and_then(|node| node.inputs.first());
    let output = number::shape(&row.output.dims());
    match input {
        Some(id) => format!(
            "{} to {output}",
            number::shape(&arch.node(*id).shape.dims())
        ),
        None => output,
    }
}

/// The amount and its share of the whole network; nothing for none.
fn cost(value: u64, total: u64) -> String {
    if value == 0 {
        return String::new();
    }
    let share = number::percent(value as f64 / total.max(1) as f64);
    format!("{}, {share} of the network", grouped(value))
}

/// `2 359 296`: digits in groups of three.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Name, shape and first values of each tensor of a single module.
pub fn tensors(arch: &Arch, nodes: &[NodeId]) -> Vec<String> {
    let [id] = nodes else {
        return Vec::new();
    };
    let node = arch.node(*id);
    let describe = |t: &crate::arch::TensorSpec| {
        let name = t.name.rsplit('.').next().unwrap_or(&t.name);
        let shape = number::shape(&t.shape);
        format!("{name} {shape}, {}", scheme(t.scheme))
    };
    arch.tensors_of(node).iter().map(describe).collect()
}

/// How a tensor's first values are drawn.
fn scheme(scheme: Scheme) -> String {
    match scheme {
        Scheme::Constant(value) => format!("begins at {value}"),
        Scheme::Uniform { bound } => format!("uniform within {bound:.4}"),
        Scheme::Normal { std } => format!("normal, std {std:.4}"),
        Scheme::TruncatedNormal { std, .. } => format!("normal, std {std:.4}, truncated"),
        Scheme::OffsetIndex(_) | Scheme::OffsetCoordinates(_) => "fixed".to_owned(),
    }
}

/// Nodes outside that give to these nodes, and nodes outside that take from them.
fn neighbours(arch: &Arch, nodes: &[NodeId]) -> (Vec<NodeId>, Vec<NodeId>) {
    let inside = |id: &NodeId| nodes.binary_search(id).is_ok();
    let mut before: Vec<NodeId> = nodes
        .iter()
        .flat_map(|id| arch.node(*id).inputs.iter().copied())
        .filter(|id| !inside(id))
        .collect();
    before.sort_unstable();
    before.dedup();
    let after = (0..arch.nodes().len())
        .map(NodeId)
        .filter(|id| !inside(id) && arch.node(*id).inputs.iter().any(inside))
        .collect();
    (before, after)
}

fn names(arch: &Arch, ids: &[NodeId]) -> String {
    let name = |id: &NodeId| {
        let node = arch.node(*id);
        match (node.path.as_str(), node.module) {
            ("", _) => node.op.word().to_owned(),
            (path, None) => format!("{path} ({})", node.op.word()),
            (path, Some(_)) => path.to_owned(),
        }
    };
    let mut words: Vec<String> = ids.iter().take(NEIGHBOURS).map(name).collect();
    if ids.len() > NEIGHBOURS {
        words.push(format!("{} more", ids.len() - NEIGHBOURS));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_groups() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1000), "1 000");
        assert_eq!(grouped(25_557_032), "25 557 032");
    }
}
