//! What distinguishes two architectures, node by node.

use std::collections::HashMap;

use super::{Arch, Node, NodeId};

/// Nodes of two architectures, those of the same place and kind together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Nodes that are alike: op with its sizes, and output.
    pub same: usize,
    /// Nodes of both whose sizes differ, in the first one's order.
    pub changed: Vec<(NodeId, NodeId)>,
    /// Nodes that only the first has, in its order.
    pub removed: Vec<NodeId>,
    /// Nodes that only the second has, in its order.
    pub added: Vec<NodeId>,
}

/// Place and kind of a node: its path, its op's word, and how many like it the path has before.
type Key<'a> = (&'a str, &'static str, usize);

impl Diff {
    /// Compares two architectures. Nodes are the same node if they have the same path and kind of op, and
    /// are the same in order among those: so a deeper network's further blocks are added, and a wider
    /// one's layers are changed.
    #[must_use]
    pub fn of(a: &Arch, b: &Arch) -> Self {
        let in_b: HashMap<Key<'_>, NodeId> = keys(b).map(|(id, key)| (key, id)).collect();
        let mut found = vec![false; b.nodes().len()];
        let mut diff = Self::default();
        for (id, key) in keys(a) {
            let Some(other) = in_b.get(&key) else {
                diff.removed.push(id);
                continue;
            };
            found[other.0] = true;
            let (x, y) = (a.node(id), b.node(*other));
            if (x.op, x.shape) == (y.op, y.shape) {
                diff.same += 1;
            } else {
                diff.changed.push((id, *other));
            }
        }
        let missed = found.iter().enumerate().filter(|(_, found)| !**found);
        diff.added = missed.map(|(i, _)| NodeId(i)).collect();
        diff
    }

    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty() && self.added.is_empty()
    }
}

fn keys(arch: &Arch) -> impl Iterator<Item = (NodeId, Key<'_>)> {
    let mut before: HashMap<(&str, &str), usize> = HashMap::new();
    arch.nodes().iter().enumerate().map(move |(i, node)| {
        let place = (node.path.as_str(), node.op.word());
        let count = before.entry(place).or_default();
        *count += 1;
        (NodeId(i), (place.0, place.1, *count))
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
    fn every_node_is_told_of_once() {
        let (a, b) = (build("mobilenet_v2"), build("densenet121"));
        let diff = Diff::of(&a, &b);
        let both = diff.same + diff.changed.len();
        assert_eq!(both + diff.removed.len(), a.nodes().len());
        assert_eq!(both + diff.added.len(), b.nodes().len());
    }
}
