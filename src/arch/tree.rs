//! The module hierarchy of an architecture, with repeated blocks folded.

use super::{Arch, Cost, Node, NodeId, Shape, node_cost};

/// A module with everything below it: `layer1`, `layer1.0`, `layer1.0.conv1`.
#[derive(Clone, Debug, PartialEq)]
pub struct ModuleTree {
    /// Last part of the path.
    pub name: String,
    pub path: String,
    /// Nodes that run at exactly this path (a convolution, or the sum of a block).
    pub nodes: Vec<NodeId>,
    pub children: Vec<ModuleTree>,
    /// Parameters and MACs of everything below.
    pub cost: Cost,
    /// Shape that the last node below gives.
    pub output: Shape,
    /// First and last node below, to order modules by execution.
    pub span: [NodeId; 2],
}

/// One line of a tree as shown: a module, or a run of equal siblings.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeRow<'a> {
    pub module: &'a ModuleTree,
    /// How many siblings in a row are built alike, this one included.
    pub repeats: usize,
}

impl ModuleTree {
    /// The hierarchy of `arch`; the root stands for the whole network.
    #[must_use]
    pub fn of(arch: &Arch) -> Self {
        let mut root = Self::empty(arch.name().to_owned(), String::new(), arch.input());
        for (index, node) in arch.nodes().iter().enumerate().skip(1) {
            root.insert(arch, NodeId(index), node);
        }
        root
    }

    const fn empty(name: String, path: String, output: Shape) -> Self {
        Self {
            name,
            path,
            nodes: Vec::new(),
            children: Vec::new(),
            cost: Cost { macs: 0, params: 0 },
            output,
            span: [NodeId(usize::MAX), NodeId(0)],
        }
    }

    fn insert(&mut self, arch: &Arch, id: NodeId, node: &Node) {
        let cost = node_cost(arch, node);
        let mut at = self;
        let mut path = String::new();
        at.grow(cost, node.shape, id);
        for part in node.path.split('.').filter(|p| !p.is_empty()) {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(part);
            let found = at.children.iter().position(|c| c.name == part);
            let index = found.unwrap_or_else(|| {
                at.children
                    .push(Self::empty(part.to_owned(), path.clone(), node.shape));
                at.children.len() - 1
            });
            at = &mut at.children[index];
            at.grow(cost, node.shape, id);
        }
        at.nodes.push(id);
    }

    fn grow(&mut self, cost: Cost, output: Shape, id: NodeId) {
        self.cost += cost;
        self.output = output;
        self.span = [self.span[0].min(id), self.span[1].max(id)];
    }

    /// Children in order, runs of siblings that are built alike folded into their first.
    #[must_use]
    pub fn rows<'a>(&'a self, arch: &Arch) -> Vec<TreeRow<'a>> {
        let mut rows: Vec<TreeRow<'a>> = Vec::new();
        for child in &self.children {
            match rows.last_mut() {
                Some(row) if row.module.is_block() && row.module.equals(child, arch) => {
                    row.repeats += 1;
                }
                _ => rows.push(TreeRow {
                    module: child,
                    repeats: 1,
                }),
            }
        }
        rows
    }

    /// Whether there is anything to open.
    #[must_use]
    pub const fn is_block(&self) -> bool {
        !self.children.is_empty()
    }

    /// Whether both modules hold the same ops with the same shapes, names below included.
    /// Stochastic depth's probability, which grows along a network, does not count.
    #[must_use]
    pub fn equals(&self, other: &Self, arch: &Arch) -> bool {
        self.output == other.output
            && self.cost == other.cost
            && self.nodes.len() == other.nodes.len()
            && self.children.len() == other.children.len()
            && self
                .nodes
                .iter()
                .zip(&other.nodes)
                .all(|(a, b)| same_op(arch.node(*a), arch.node(*b)))
            && self
                .children
                .iter()
                .zip(&other.children)
                .all(|(a, b)| a.name == b.name && a.equals(b, arch))
    }
}

fn same_op(a: &Node, b: &Node) -> bool {
    use super::Op::StochasticDepth;
    a.shape == b.shape
        && match (a.op, b.op) {
            (StochasticDepth { .. }, StochasticDepth { .. }) => true,
            (a, b) => a == b,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::zoo::{self, Options};

    #[test]
    fn equal_blocks_of_a_stage_are_folded() {
        let arch = zoo::build("resnet50", &Options::default()).unwrap();
        let tree = ModuleTree::of(&arch);
        let layer3 = tree.children.iter().find(|c| c.name == "layer3").unwrap();
        let rows = layer3.rows(&arch);
        let repeats: Vec<usize> = rows.iter().map(|r| r.repeats).collect();
        assert_eq!(repeats, [1, 5]);
        assert_eq!(layer3.output, Shape::image(1024, 14, 14));
    }

    #[test]
    fn the_root_holds_the_whole_cost() {
        let arch = zoo::build("convnext_tiny", &Options::default()).unwrap();
        let tree = ModuleTree::of(&arch);
        assert_eq!(tree.cost.params as usize, arch.parameter_count());
        assert_eq!(tree.cost.macs, arch.macs());
    }
}
