//! A small set of nodes: most nodes have one predecessor and one successor, and a graph is rewritten so
//! often that what is allocated for each of them counts.

use std::ops::Deref;

use smallvec::SmallVec;

/// Indices of nodes, ascending, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(SmallVec<[usize; 4]>);

impl Places {
    pub fn insert(&mut self, node: usize) {
        if let Err(at) = self.0.binary_search(&node) {
            self.0.insert(at, node);
        }
    }

    pub fn remove(&mut self, node: usize) {
        if let Ok(at) = self.0.binary_search(&node) {
            self.0.remove(at);
        }
    }

    pub fn holds(&self, node: usize) -> bool {
        self.0.binary_search(&node).is_ok()
    }
}

impl Deref for Places {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl IntoIterator for Places {
    type Item = usize;
    type IntoIter = smallvec::IntoIter<[usize; 4]>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Places {
    type Item = &'a usize;
    type IntoIter = std::slice::Iter<'a, usize>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl FromIterator<usize> for Places {
    fn from_iter<I: IntoIterator<Item = usize>>(nodes: I) -> Self {
        let mut nodes: SmallVec<[usize; 4]> = nodes.into_iter().collect();
        nodes.sort_unstable();
        nodes.dedup();
        Self(nodes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn nodes_are_held_once_and_ascending(steps in prop::collection::vec((0..9_usize, any::<bool>()), 0..40)) {
            let (mut places, mut set) = (Places::default(), BTreeSet::new());
            for (node, stays) in steps {
                if stays {
                    places.insert(node);
                    set.insert(node);
                } else {
                    places.remove(node);
                    set.remove(&node);
                }
                prop_assert!(places.iter().eq(&set));
                prop_assert_eq!(places.holds(node), stays);
            }
            let again: Places = set.iter().rev().chain(&set).copied().collect();
            prop_assert!(again.iter().eq(&set));
        }
    }
}
