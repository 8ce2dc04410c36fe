//! What distinguishes two architectures, node by node.

mod modules;

use std::collections::{BTreeMap, HashMap};

use super::{Arch, Node, NodeId};

pub use modules::{DiffRow, ModuleDiff, Part, Side, Tally};

/// What became of one node on the way from the first architecture to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeDiff {
    /// Both have it: op with its sizes, and output.
    Same(NodeId, NodeId),
    /// Both have a node in this place, with other sizes or another op.
    Changed(NodeId, NodeId),
    /// Only the first has it.
    Removed(NodeId),
    /// Only the second has it.
    Added(NodeId),
}

impl NodeDiff {
    /// The node in the first and in the second architecture.
    #[must_use]
    pub const fn nodes(self) -> [Option<NodeId>; 2] {
        match self {
            Self::Same(a, b) | Self::Changed(a, b) => [Some(a), Some(b)],
            Self::Removed(a) => [Some(a), None],
            Self::Added(b) => [None, Some(b)],
        }
    }
}

/// Nodes of two architectures, those of the same place and kind together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Nodes that are alike: op with its sizes, and output.
    pub same: usize,
    /// Nodes of both whose op or sizes differ, in the first one's order.
    pub changed: Vec<(NodeId, NodeId)>,
    /// Nodes that only the first has, in its order.
    pub removed: Vec<NodeId>,
    /// Nodes that only the second has, in its order.
    pub added: Vec<NodeId>,
}

impl Diff {
    /// Compares two architectures. Nodes are the same node if they have the same path and kind of op, and
    /// are the same in order among those: so a deeper network's further blocks are added, and a wider
    /// one's layers are changed. What a path has left over on both sides, such as another activation, was
    /// changed, too.
    #[must_use]
    pub fn of(a: &Arch, b: &Arch) -> Self {
        let (in_a, mut in_b) = (by_path(a), by_path(b));
        let mut diff = Self::default();
        for (path, of_a) in in_a {
            let of_b = in_b.remove(path).unwrap_or_default();
            for node in pair((a, &of_a), (b, &of_b)) {
                match node {
                    NodeDiff::Same(..) => diff.same += 1,
                    NodeDiff::Changed(x, y) => diff.changed.push((x, y)),
                    NodeDiff::Removed(x) => diff.removed.push(x),
                    NodeDiff::Added(y) => diff.added.push(y),
                }
            }
        }
        diff.added.extend(in_b.into_values().flatten());
        diff.changed.sort_unstable();
        diff.removed.sort_unstable();
        diff.added.sort_unstable();
        diff
    }

    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty() && self.added.is_empty()
    }
}

fn by_path(arch: &Arch) -> BTreeMap<&str, Vec<NodeId>> {
    let mut nodes: BTreeMap<&str, Vec<NodeId>> = BTreeMap::new();
    for (i, node) in arch.nodes().iter().enumerate() {
        nodes.entry(&node.path).or_default().push(NodeId(i));
    }
    nodes
}

/// Pairs the nodes that two architectures have at one path, in no order.
fn pair((a, of_a): (&Arch, &[NodeId]), (b, of_b): (&Arch, &[NodeId])) -> Vec<NodeDiff> {
    let mut left: HashMap<(&str, usize), NodeId> = numbered(b, of_b).collect();
    let mut pairs = Vec::with_capacity(of_a.len().max(of_b.len()));
    let mut missed = Vec::new();
    for (key, x) in numbered(a, of_a) {
        match left.remove(&key) {
            Some(y) => pairs.push(judge(a, x, b, y)),
            None => missed.push(x),
        }
    }
    let mut left: Vec<NodeId> = left.into_values().collect();
    left.sort_unstable();
    let replaced = missed.len().min(left.len());
    let (rest_a, rest_b) = (missed.split_off(replaced), left.split_off(replaced));
    pairs.extend(
        missed
            .into_iter()
            .zip(left)
            .map(|(x, y)| NodeDiff::Changed(x, y)),
    );
    pairs.extend(rest_a.into_iter().map(NodeDiff::Removed));
    pairs.extend(rest_b.into_iter().map(NodeDiff::Added));
    pairs
}

fn judge(a: &Arch, x: NodeId, b: &Arch, y: NodeId) -> NodeDiff {
    let (old, new) = (a.node(x), b.node(y));
    if (old.op, old.shape) == (new.op, new.shape) {
        NodeDiff::Same(x, y)
    } else {
        NodeDiff::Changed(x, y)
    }
}

/// Each node with its op's word and how many of that word are before it.
fn numbered<'a>(
    arch: &'a Arch,
    nodes: &'a [NodeId],
) -> impl Iterator<Item = ((&'static str, usize), NodeId)> + 'a {
    let mut before: HashMap<&str, usize> = HashMap::new();
    nodes.iter().map(move |id| {
        let word = arch.node(*id).op.word();
        let count = before.entry(word).or_default();
        *count += 1;
        ((word, *count), *id)
    })
}

/// The block that a node belongs to, for a summary: its path up to the first numbers in it, such as
/// `layer1.0` of `layer1.0.conv2` and `features.5.24` of `features.5.24.block.0`; without one, the whole path.
#[must_use]
pub fn block(node: &Node) -> &str {
    let path = &node.path;
    let (mut end, mut at) = (None, 0);
    for part in path.split('.') {
        let next = at + part.len();
        let is_number = part.bytes().all(|c| c.is_ascii_digit());
        match (is_number, end) {
            (true, _) => end = Some(next),
            (false, Some(_)) => break,
            (false, None) => {}
        }
        at = next + 1;
    }
    &path[..end.unwrap_or(path.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::zoo::{self, Options};

    fn build(name: &str) -> Arch {
        zoo::build(name, &Options::default()).unwrap()
    }

    #[test]
    fn a_network_does_not_differ_from_itself() {
        let net = build("googlenet");
        let diff = Diff::of(&net, &net);
        assert!(diff.is_empty());
        assert_eq!(diff.same, net.nodes().len());
    }

    #[test]
    fn a_deeper_network_has_further_blocks() {
        let (a, b) = (build("resnet18"), build("resnet34"));
        let diff = Diff::of(&a, &b);
        assert!(diff.changed.is_empty() && diff.removed.is_empty());
        assert_eq!(diff.same, a.nodes().len());
        let mut blocks: Vec<&str> = diff.added.iter().map(|n| block(b.node(*n))).collect();
        blocks.dedup();
        let expected = [
            "layer1.2", "layer2.2", "layer2.3", "layer3.2", "layer3.3", "layer3.4", "layer3.5",
            "layer4.2",
        ];
        assert_eq!(blocks, expected);
        // The other way round, they are missing.
        assert_eq!(Diff::of(&b, &a).removed, diff.added);
    }

    #[test]
    fn a_wider_network_has_the_same_layers_with_other_sizes() {
        let (a, b) = (build("resnet50"), build("wide_resnet50_2"));
        let diff = Diff::of(&a, &b);
        assert!(diff.added.is_empty() && diff.removed.is_empty() && !diff.changed.is_empty());
        for (x, y) in &diff.changed {
            assert_eq!(a.node(*x).path, b.node(*y).path);
        }
    }

    #[test]
    fn another_op_in_the_same_place_is_a_change() {
        let (a, b) = (build("vgg11"), build("vgg11_bn"));
        let diff = Diff::of(&a, &b);
        let words = |(x, y): &(NodeId, NodeId)| (a.node(*x).op.word(), b.node(*y).op.word());
        let changes: Vec<_> = diff.changed.iter().map(words).collect();
        assert!(changes.contains(&("relu", "batch norm")), "{changes:?}");
    }

    #[test]
    fn every_node_is_told_of_once() {
        let (a, b) = (build("mobilenet_v2"), build("densenet121"));
        let diff = Diff::of(&a, &b);
        let both = diff.same + diff.changed.len();
        assert_eq!(both + diff.removed.len(), a.nodes().len());
        assert_eq!(both + diff.added.len(), b.nodes().len());
    }
}
