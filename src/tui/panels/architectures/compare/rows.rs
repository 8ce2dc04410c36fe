//! The difference of two architectures as rows.

use std::collections::HashSet;

use super::super::outline::{Fold, OutlineRow};
use super::super::tree::{layers, nodes_in, span_label};
use super::words;
use crate::arch::{Arch, Cost, ModuleDiff, NodeDiff, NodeId, Part, Shape, Tally, node_cost};
use crate::text::Shown;

/// What became of a row's module or function as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Same,
    Changed,
    Removed,
    Added,
}

impl Kind {
    /// In a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Same => "alike",
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Added => "added",
        }
    }
}

/// One row of the difference.
#[derive(Clone, Debug, PartialEq)]
pub struct DiffLine {
    pub depth: usize,
    /// `conv1`, `1..2`; the whole path where the rows are filtered.
    pub label: Shown,
    pub path: String,
    pub key: String,
    pub fold: Fold,
    pub kind: Kind,
    /// Of one repeat.
    pub tally: Tally,
    /// How many siblings with equal differences this row stands for.
    pub repeats: usize,
    /// What it does, and what changed about it.
    pub op: String,
    /// A function without a module of its own, such as a sum.
    pub is_function: bool,
    /// What became of each node of a layer or function.
    pub judged: Vec<NodeDiff>,
    /// Of the first repeat, as the two architectures have it.
    pub nodes: [Vec<NodeId>; 2],
    pub outputs: [Option<Shape>; 2],
    /// Of all repeats together; nothing where an architecture does not have it.
    pub costs: [Cost; 2],
}

impl OutlineRow for DiffLine {
    fn key(&self) -> &str {
        &self.key
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn fold(&self) -> Fold {
        self.fold
    }
}

impl DiffLine {
    /// Whether jumping from difference to difference stops here: not where only something within differs.
    #[must_use]
    pub fn is_stop(&self) -> bool {
        match self.kind {
            Kind::Same => false,
            Kind::Changed => self.fold == Fold::Leaf,
            Kind::Removed | Kind::Added => true,
        }
    }

    /// Whether it can be said in one word what happened to all of it.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        let mixed = self.tally.same + self.tally.removed + self.tally.added > 0;
        !(matches!(self.kind, Kind::Changed) && (mixed || !matches!(self.fold, Fold::Leaf)))
    }
}

/// Which modules are open.
#[derive(Clone, Copy, Debug)]
pub enum Open<'a> {
    /// Those with these paths.
    These(&'a HashSet<String>),
    /// All in which something differs and something may not.
    Changed,
}

impl Open<'_> {
    fn has(self, module: &ModuleDiff) -> bool {
        match self {
            Self::These(paths) => paths.contains(&module.path),
            Self::Changed => kind(module) == Kind::Changed,
        }
    }
}

/// Rows of everything in `diff`.
#[must_use]
pub fn rows(diff: &ModuleDiff, archs: [&Arch; 2], open: Open<'_>) -> Vec<DiffLine> {
    let mut rows = Vec::new();
    Maker { archs, open }.add(diff, 0, &mut rows);
    rows
}

/// Rows without others below them whose path, operation or change holds every word of `filter`, each with
/// its whole path.
#[must_use]
pub fn found(diff: &ModuleDiff, archs: [&Arch; 2], filter: &str) -> Vec<DiffLine> {
    let words: Vec<String> = filter.split_whitespace().map(str::to_lowercase).collect();
    let maker = Maker {
        archs,
        open: Open::Changed,
    };
    let mut rows = Vec::new();
    maker.search(diff, &words, &mut rows);
    rows
}

/// Paths of all modules in which others lie.
pub fn blocks(module: &ModuleDiff, into: &mut HashSet<String>) {
    for part in &module.parts {
        if let Part::Module(child) = part
            && child.is_block()
        {
            into.insert(child.path.clone());
            blocks(child, into);
        }
    }
}

/// What became of a module.
#[must_use]
pub fn kind(module: &ModuleDiff) -> Kind {
    match module.sides {
        [Some(_), None] => Kind::Removed,
        [None, Some(_)] => Kind::Added,
        _ if module.tally.differing() == 0 => Kind::Same,
        _ => Kind::Changed,
    }
}

struct Maker<'a> {
    archs: [&'a Arch; 2],
    open: Open<'a>,
}

impl Maker<'_> {
    fn add(&self, module: &ModuleDiff, depth: usize, rows: &mut Vec<DiffLine>) {
        for row in module.rows(self.archs) {
            match row.part {
                Part::Node(node) => rows.push(self.function(&module.path, *node, depth)),
                Part::Module(child) => {
                    let label = match row.repeats {
                        1 => child.name.clone(),
                        _ => span_label(&child.name, row.last.name()),
                    };
                    rows.push(self.module(child, depth, &label, row.repeats));
                    if child.is_block() && self.open.has(child) {
                        self.add(child, depth + 1, rows);
                    }
                }
            }
        }
    }

    fn search(&self, module: &ModuleDiff, words: &[String], rows: &mut Vec<DiffLine>) {
        for part in &module.parts {
            let row = match part {
                Part::Module(child) if child.is_block() => {
                    self.search(child, words, rows);
                    continue;
                }
                Part::Module(child) => self.module(child, 0, &child.path, 1),
                Part::Node(node) => self.function(&module.path, *node, 0),
            };
            let text = format!("{} {} {}", row.path, row.op, row.kind.word()).to_lowercase();
            if words.iter().all(|w| text.contains(w.as_str())) {
                rows.push(row);
            }
        }
    }

    fn module(&self, module: &ModuleDiff, depth: usize, label: &str, repeats: usize) -> DiffLine {
        let fold = match (module.is_block(), self.open.has(module)) {
            (false, _) => Fold::Leaf,
            (true, true) => Fold::Open,
            (true, false) => Fold::Closed,
        };
        let nodes = [0, 1].map(|side| {
            let arch = self.archs[side];
            module.sides[side].map_or_else(Vec::new, |s| nodes_in(arch, &module.path, s.span))
        });
        let cost = |side: Option<crate::arch::DiffSide>| {
            let cost = side.map_or_else(Cost::default, |s| s.cost);
            Cost {
                params: cost.params * repeats as u64,
                macs: cost.macs * repeats as u64,
            }
        };
        DiffLine {
            depth,
            label: Shown::new(label),
            path: module.path.clone(),
            key: module.path.clone(),
            fold,
            kind: kind(module),
            tally: module.tally,
            repeats,
            op: match fold {
                Fold::Leaf => self.layer(module),
                Fold::Open | Fold::Closed => self.block(module, &nodes),
            },
            is_function: false,
            judged: match fold {
                Fold::Leaf => nodes_of(module).collect(),
                Fold::Open | Fold::Closed => Vec::new(),
            },
            nodes,
            outputs: module.sides.map(|side| side.map(|s| s.output)),
            costs: module.sides.map(cost),
        }
    }

    /// Of a module without others in it: its operation, and what changed about it.
    fn layer(&self, module: &ModuleDiff) -> String {
        let differs = |node: &NodeDiff| !matches!(node, NodeDiff::Same(..));
        let telling = nodes_of(module).find(differs);
        let telling = telling.or_else(|| nodes_of(module).next());
        telling.map_or_else(String::new, |node| self.op(node))
    }

    /// Of a block its layers, of a stage how many blocks it has.
    fn block(&self, module: &ModuleDiff, nodes: &[Vec<NodeId>; 2]) -> String {
        let stages = [0, 1].map(|side| {
            let blocks = module.parts.iter().filter(|part| match part {
                Part::Module(child) => {
                    child.sides[side].is_some()
                        && child.is_block()
                        && child.name.parse::<usize>().is_ok()
                }
                Part::Node(_) => false,
            });
            blocks.count()
        });
        let [old, new] = if stages.iter().any(|n| *n > 0) {
            stages.map(|n| match n {
                0 => String::new(),
                1 => "1 block".to_owned(),
                n => format!("{n} blocks"),
            })
        } else {
            [0, 1].map(|side| layers(self.archs[side], &nodes[side]))
        };
        match (old.is_empty(), new.is_empty()) {
            (false, false) => words::change(&old, &new),
            (false, true) => old,
            (true, _) => new,
        }
    }

    fn op(&self, node: NodeDiff) -> String {
        let of = |side: usize, id: NodeId| self.archs[side].node(id);
        match node {
            NodeDiff::Same(a, _) | NodeDiff::Removed(a) => of(0, a).op.describe(),
            NodeDiff::Added(b) => of(1, b).op.describe(),
            NodeDiff::Changed(a, b) => words::op(of(0, a), of(1, b)),
        }
    }

    fn function(&self, path: &str, node: NodeDiff, depth: usize) -> DiffLine {
        let ids = node.nodes();
        let of = |side: usize| ids[side].map(|id| (self.archs[side], self.archs[side].node(id)));
        let place = |id: Option<NodeId>| id.map_or_else(String::new, |id| id.0.to_string());
        let (kind, tally) = judged(node);
        DiffLine {
            depth,
            label: Shown::default(),
            path: path.to_owned(),
            key: format!("{path}#{}-{}", place(ids[0]), place(ids[1])),
            fold: Fold::Leaf,
            kind,
            tally,
            repeats: 1,
            op: self.op(node),
            is_function: true,
            judged: vec![node],
            nodes: ids.map(|id| id.into_iter().collect()),
            outputs: [0, 1].map(|side| of(side).map(|(_, node)| node.shape)),
            costs: [0, 1].map(|side| {
                of(side).map_or_else(Cost::default, |(arch, node)| node_cost(arch, node))
            }),
        }
    }
}

/// Nodes at exactly the module's path.
fn nodes_of(module: &ModuleDiff) -> impl Iterator<Item = NodeDiff> + '_ {
    module.parts.iter().filter_map(|part| match part {
        Part::Node(node) => Some(*node),
        Part::Module(_) => None,
    })
}

fn judged(node: NodeDiff) -> (Kind, Tally) {
    let mut tally = Tally::default();
    let (kind, count) = match node {
        NodeDiff::Same(..) => (Kind::Same, &mut tally.same),
        NodeDiff::Changed(..) => (Kind::Changed, &mut tally.changed),
        NodeDiff::Removed(_) => (Kind::Removed, &mut tally.removed),
        NodeDiff::Added(_) => (Kind::Added, &mut tally.added),
    };
    *count = 1;
    (kind, tally)
}
