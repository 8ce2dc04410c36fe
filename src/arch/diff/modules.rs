//! What distinguishes two architectures, module by module: their trees laid over each other.

use std::collections::HashMap;

use super::{NodeDiff, judge, pair};
use crate::arch::{Arch, Cost, ModuleTree, Node, NodeId, Op, Shape};

/// How many nodes became what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub same: usize,
    pub changed: usize,
    pub removed: usize,
    pub added: usize,
}

impl Tally {
    /// Nodes that differ.
    #[must_use]
    pub const fn differing(&self) -> usize {
        self.changed + self.removed + self.added
    }

    fn count(&mut self, node: NodeDiff) {
        match node {
            NodeDiff::Same(..) => self.same += 1,
            NodeDiff::Changed(..) => self.changed += 1,
            NodeDiff::Removed(_) => self.removed += 1,
            NodeDiff::Added(_) => self.added += 1,
        }
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.same += other.same;
        self.changed += other.changed;
        self.removed += other.removed;
        self.added += other.added;
    }
}

/// A module as one of the two architectures has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    pub cost: Cost,
    pub output: Shape,
    /// First and last node below.
    pub span: [NodeId; 2],
}

/// A module of either architecture with everything below it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModuleDiff {
    /// Last part of the path.
    pub name: String,
    pub path: String,
    /// The module in the first and in the second architecture; at least one has it.
    pub sides: [Option<Side>; 2],
    /// Of all nodes below.
    pub tally: Tally,
    /// What lies in it, in order of execution: the second architecture's, and what only the first has
    /// behind what it follows there.
    pub parts: Vec<Part>,
}

/// What lies in a module.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Module(Box<ModuleDiff>),
    /// A node at exactly the module's path.
    Node(NodeDiff),
}

/// One line of the trees as shown: a part, or a run of siblings with equal differences.
#[derive(Clone, Copy, Debug)]
pub struct DiffRow<'a> {
    pub part: &'a Part,
    /// The last of the run; the part itself if it stands alone.
    pub last: &'a Part,
    pub repeats: usize,
}

impl ModuleDiff {
    /// Lays the tree of `b` over that of `a`; the root stands for the whole networks.
    #[must_use]
    pub fn of(a: (&Arch, &ModuleTree), b: (&Arch, &ModuleTree)) -> Self {
        let mut root = Self::merge([a.0, b.0], [Some(a.1), Some(b.1)]);
        // The input belongs to no module.
        root.tally.count(judge(a.0, NodeId(0), b.0, NodeId(0)));
        root
    }

    fn merge(archs: [&Arch; 2], trees: [Option<&ModuleTree>; 2]) -> Self {
        let known = trees[0].or(trees[1]).expect("one side has the module");
        let nodes = |side: usize| trees[side].map_or(&[][..], |t| &t.nodes);
        let mut tally = Tally::default();
        let mut parts: Vec<Part> = Vec::new();
        for node in pair((archs[0], nodes(0)), (archs[1], nodes(1))) {
            tally.count(node);
            parts.push(Part::Node(node));
        }
        for children in children(trees) {
            let child = Self::merge(archs, children);
            tally += child.tally;
            parts.push(Part::Module(Box::new(child)));
        }
        Self {
            name: known.name.clone(),
            path: known.path.clone(),
            sides: trees.map(|tree| tree.map(Side::of)),
            tally,
            parts: in_order(parts),
        }
    }

    /// Whether there are modules in it.
    #[must_use]
    pub fn is_block(&self) -> bool {
        self.parts.iter().any(|p| matches!(p, Part::Module(_)))
    }

    /// Parts in order, runs of siblings that differ alike folded into their first. Alike siblings are
    /// folded, too, if they are blocks; else they are layers that only happen to be the same.
    #[must_use]
    pub fn rows<'a>(&'a self, archs: [&Arch; 2]) -> Vec<DiffRow<'a>> {
        let mut rows: Vec<DiffRow<'a>> = Vec::new();
        for part in &self.parts {
            match rows.last_mut() {
                Some(row) if row.part.folds() && row.part.equals(part, archs) => {
                    row.repeats += 1;
                    row.last = part;
                }
                _ => rows.push(DiffRow {
                    part,
                    last: part,
                    repeats: 1,
                }),
            }
        }
        rows
    }
}

impl Side {
    fn of(tree: &ModuleTree) -> Self {
        Self {
            cost: tree.cost,
            output: tree.output,
            span: tree.span,
        }
    }
}

impl Part {
    /// Last part of a module's path; nothing for a node.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Module(module) => &module.name,
            Self::Node(_) => "",
        }
    }

    fn folds(&self) -> bool {
        match self {
            Self::Module(module) => module.is_block() || module.tally.differing() > 0,
            Self::Node(_) => false,
        }
    }

    /// Place among the nodes of each architecture.
    fn places(&self) -> [Option<NodeId>; 2] {
        match self {
            Self::Module(module) => module.sides.map(|side| side.map(|s| s.span[0])),
            Self::Node(node) => node.nodes(),
        }
    }

    /// Whether both became the same of the same, names below included.
    fn equals(&self, other: &Self, archs: [&Arch; 2]) -> bool {
        match (self, other) {
            (Self::Node(a), Self::Node(b)) => {
                let kinds = std::mem::discriminant(a) == std::mem::discriminant(b);
                let (a, b) = (a.nodes(), b.nodes());
                kinds && (0..2).all(|side| same_node(archs[side], a[side], b[side]))
            }
            (Self::Module(a), Self::Module(b)) => {
                let whole = |side: Option<Side>| side.map(|s| (s.cost, s.output));
                a.tally == b.tally
                    && a.sides.map(whole) == b.sides.map(whole)
                    && a.parts.len() == b.parts.len()
                    && a.parts
                        .iter()
                        .zip(&b.parts)
                        .all(|(a, b)| a.name() == b.name() && a.equals(b, archs))
            }
            _ => false,
        }
    }
}

/// Whether two nodes of one architecture do the same. Stochastic depth's probability, which grows along a
/// network, does not count.
fn same_node(arch: &Arch, a: Option<NodeId>, b: Option<NodeId>) -> bool {
    let is_depth = |node: &Node| matches!(node.op, Op::StochasticDepth { .. });
    match (a, b) {
        (Some(a), Some(b)) => {
            let (a, b) = (arch.node(a), arch.node(b));
            a.shape == b.shape && (a.op == b.op || is_depth(a) && is_depth(b))
        }
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// Children of both sides, those of one name together.
fn children(trees: [Option<&ModuleTree>; 2]) -> Vec<[Option<&ModuleTree>; 2]> {
    let of = |side: usize| trees[side].map_or(&[][..], |t| &t.children);
    let mut in_b: HashMap<&str, &ModuleTree> = of(1).iter().map(|c| (c.name.as_str(), c)).collect();
    let mut pairs: Vec<_> = of(0)
        .iter()
        .map(|child| [Some(child), in_b.remove(child.name.as_str())])
        .collect();
    pairs.extend(in_b.into_values().map(|child| [None, Some(child)]));
    pairs
}

/// See [`ModuleDiff::parts`].
fn in_order(mut parts: Vec<Part>) -> Vec<Part> {
    parts.sort_by_key(|part| part.places()[0]);
    let mut keyed = Vec::with_capacity(parts.len());
    // Where the second architecture has what was last met in both.
    let mut last = None;
    for part in parts {
        let key = match part.places() {
            [Some(_), Some(b)] => {
                last = Some(b);
                (last, None)
            }
            [a, None] => (last, a),
            [None, b] => (b, None),
        };
        keyed.push((key, part));
    }
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, part)| part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::Diff;
    use crate::arch::zoo::{self, Options};

    fn diff(a: &str, b: &str) -> (ModuleDiff, [Arch; 2]) {
        let archs = [a, b].map(|name| zoo::build(name, &Options::default()).unwrap());
        let trees = [&archs[0], &archs[1]].map(ModuleTree::of);
        let diff = ModuleDiff::of((&archs[0], &trees[0]), (&archs[1], &trees[1]));
        (diff, archs)
    }

    /// Name, repeats and tally of each module in the module called `path`.
    fn rows(diff: &ModuleDiff, archs: &[Arch; 2], path: &[&str]) -> Vec<(String, usize, Tally)> {
        let mut at = diff;
        for name in path {
            let found = at.parts.iter().find_map(|part| match part {
                Part::Module(module) if module.name == *name => Some(module),
                _ => None,
            });
            at = found.expect("a module of this name");
        }
        let of = |row: DiffRow<'_>| match row.part {
            Part::Module(module) => Some((module.name.clone(), row.repeats, module.tally)),
            Part::Node(_) => None,
        };
        let rows = at.rows([&archs[0], &archs[1]]);
        rows.into_iter().filter_map(of).collect()
    }

    #[test]
    fn the_tree_counts_what_the_list_of_nodes_counts() {
        for (a, b) in [
            ("resnet18", "resnet34"),
            ("resnet50", "wide_resnet50_2"),
            ("resnet50", "convnext_base"),
            ("vgg11", "vgg13_bn"),
            ("swin_t", "vit_b_16"),
            ("densenet121", "googlenet"),
        ] {
            let (tree, archs) = diff(a, b);
            let flat = Diff::of(&archs[0], &archs[1]);
            assert_eq!(tree.tally.same, flat.same, "{a} {b}");
            assert_eq!(tree.tally.changed, flat.changed.len(), "{a} {b}");
            assert_eq!(tree.tally.removed, flat.removed.len(), "{a} {b}");
            assert_eq!(tree.tally.added, flat.added.len(), "{a} {b}");
        }
    }

    #[test]
    fn further_blocks_stand_in_one_row_behind_those_of_both() {
        let (tree, archs) = diff("resnet18", "resnet34");
        let rows = rows(&tree, &archs, &["layer3"]);
        let names: Vec<_> = rows.iter().map(|r| (r.0.as_str(), r.1)).collect();
        assert_eq!(names, [("0", 1), ("1", 1), ("2", 4)]);
        assert_eq!((rows[1].2.differing(), rows[2].2.same), (0, 0));
    }

    #[test]
    fn blocks_that_change_alike_are_folded() {
        let (tree, archs) = diff("resnet50", "wide_resnet50_2");
        let rows = rows(&tree, &archs, &["layer2"]);
        let names: Vec<_> = rows.iter().map(|r| (r.0.as_str(), r.1)).collect();
        assert_eq!(names, [("0", 1), ("1", 3)]);
        assert!(rows[1].2.changed > 0);
    }

    #[test]
    fn what_went_stands_before_what_came_in_its_place() {
        let (tree, archs) = diff("resnet50", "convnext_base");
        let names: Vec<_> = rows(&tree, &archs, &[]).into_iter().map(|r| r.0).collect();
        let place = |name: &str| names.iter().position(|n| n == name).unwrap();
        assert!(place("conv1") < place("layer1") && place("layer1") < place("features"));
        assert!(place("features") < place("avgpool") && place("fc") < place("classifier"));
    }
}
