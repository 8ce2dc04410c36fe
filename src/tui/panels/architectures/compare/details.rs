//! What is known about a row of the difference, as labelled lines.

use std::sync::Arc;

use super::super::details::{Details, attributes, grouped, tally, tensors};
use super::super::tree::times;
use super::rows::{DiffLine, Kind};
use super::words;
use crate::arch::{Arch, NodeDiff, NodeId, Shape};
use crate::text::Shown;
use crate::tui::catalogue::ArchReport;
use crate::tui::widgets::number;

/// Of one row.
#[must_use]
pub fn of(reports: &[Arc<ArchReport>; 2], row: &DiffLine) -> Details {
    let archs = [&reports[0].arch, &reports[1].arch];
    let mut lines = Vec::new();
    let mut say = |label, text: String| {
        if !text.is_empty() {
            lines.push((label, Shown::new(&text)));
        }
    };
    match row.nodes.each_ref().map(Vec::as_slice) {
        [&[a], &[b]] => say("op", words::all(archs[0].node(a), archs[1].node(b))),
        [&[a], &[]] => say("op", attributes(archs[0].node(a))),
        [&[], &[b]] => say("op", attributes(archs[1].node(b))),
        sides => say(
            "ops",
            both([0, 1].map(|side| ops(archs[side], sides[side]))),
        ),
    }
    if row.judged.len() > 1 {
        for text in calls(archs, &row.judged) {
            say("calls", text);
        }
    }
    say("output", both(row.outputs.map(shape)));
    say(
        "params",
        amount(row.costs.map(|cost| cost.params), row.kind),
    );
    say("MACs", amount(row.costs.map(|cost| cost.macs), row.kind));
    let [old, new] = [0, 1].map(|side| tensors(archs[side], &row.nodes[side]));
    for place in 0..old.len().max(new.len()) {
        let of = |lines: &[String]| lines.get(place).cloned().unwrap_or_default();
        say("tensor", both([of(&old), of(&new)]));
    }
    let times = match times(row.repeats) {
        Some(words) => format!(", {words}; numbers of all together"),
        None => String::new(),
    };
    let kind = row.kind.word();
    Details {
        title: Shown::new(&format!("{}, {kind}{times}", row.path)),
        lines,
    }
}

/// What differs of a layer that runs several times, such as an activation: each difference once.
fn calls(archs: [&Arch; 2], judged: &[NodeDiff]) -> Vec<String> {
    let gives = |side: usize, id: NodeId| shape(Some(archs[side].node(id).shape));
    let mut texts: Vec<(String, usize)> = Vec::new();
    for node in judged {
        let text = match *node {
            NodeDiff::Same(..) => continue,
            NodeDiff::Changed(a, b) => both([gives(0, a), gives(1, b)]),
            NodeDiff::Removed(a) => format!("{}, removed", gives(0, a)),
            NodeDiff::Added(b) => format!("{}, added", gives(1, b)),
        };
        match texts.iter_mut().find(|(known, _)| *known == text) {
            Some((_, count)) => *count += 1,
            None => texts.push((text, 1)),
        }
    }
    let said = texts.into_iter().map(|(text, count)| match times(count) {
        Some(words) => format!("{text}, {words}"),
        None => text,
    });
    said.collect()
}

fn shape(shape: Option<Shape>) -> String {
    shape.map_or_else(String::new, |shape| number::shape(&shape.dims()))
}

fn ops(arch: &Arch, nodes: &[NodeId]) -> String {
    match nodes {
        [] => String::new(),
        nodes => tally(arch, nodes),
    }
}

/// What both sides say; only one of them if the other has nothing to say.
fn both([old, new]: [String; 2]) -> String {
    match (old.is_empty(), new.is_empty()) {
        (true, _) => new,
        (_, true) => old,
        _ => words::change(&old, &new),
    }
}

/// `36 864 → 147 456, 4.00 times as many`.
fn amount([old, new]: [u64; 2], kind: Kind) -> String {
    match kind {
        _ if old == new && old == 0 => String::new(),
        Kind::Removed => grouped(old),
        Kind::Added => grouped(new),
        _ if old == new => format!("{} in both", grouped(old)),
        _ => {
            let more = if new > old { "more" } else { "fewer" };
            let change = format!("{} → {}", grouped(old), grouped(new));
            format!("{change}, {} {more}", grouped(old.abs_diff(new)))
        }
    }
}
