//! What changed, in words: `conv 3x3, 64 to 64 → 64 to 128 channels`.

use super::super::details::attributes;
use crate::arch::Node;

/// Between what was and what is. Drawn as the set of characters has it, see [`shown`].
const ARROW: &str = " → ";

/// `text` with the arrow that can be drawn.
#[must_use]
pub fn shown(text: &str, arrow: &str) -> String {
    text.replace('→', arrow)
}

/// Both texts with an arrow between them, words at their ends that are the same said once; one of them if
/// they are the same.
#[must_use]
pub fn change(old: &str, new: &str) -> String {
    if old == new {
        return old.to_owned();
    }
    let (a, b): (Vec<&str>, Vec<&str>) = (old.split(' ').collect(), new.split(' ').collect());
    // Something must be left on either side.
    let most = a.len().min(b.len()) - 1;
    let alike = |pair: &(&&str, &&str)| pair.0 == pair.1;
    let head = a.iter().zip(&b).take(most).take_while(alike).count();
    let (left, right) = (a.iter().rev(), b.iter().rev());
    let tail = left.zip(right).take(most - head).take_while(alike).count();
    let of = |words: &[&str]| words.join(" ");
    format!("{}{ARROW}{}", of(&a[..a.len() - tail]), of(&b[head..]))
}

/// What a node does, and in what it differs from the other one: sizes that are the same are left out.
#[must_use]
pub fn op(old: &Node, new: &Node) -> String {
    if old.op.word() != new.op.word() {
        return format!("{}{ARROW}{}", old.op.describe(), new.op.describe());
    }
    inline(old, new, Common::Left)
}

/// All attributes of both nodes, those that differ with an arrow.
#[must_use]
pub fn all(old: &Node, new: &Node) -> String {
    if old.op.word() != new.op.word() {
        return format!("{}{ARROW}{}", attributes(old), attributes(new));
    }
    inline(old, new, Common::Said)
}

/// What is done with attributes that are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Common {
    Said,
    Left,
}

fn inline(old: &Node, new: &Node, common: Common) -> String {
    let (old, new) = (attributes(old), attributes(new));
    let (a, b): (Vec<&str>, Vec<&str>) = (old.split(", ").collect(), new.split(", ").collect());
    let mut gone = a[1..].iter().filter(|part| !b.contains(part));
    let mut words = vec![change(a[0], b[0])];
    for part in &b[1..] {
        match (a.contains(part), common) {
            (true, Common::Said) => words.push((*part).to_owned()),
            (true, Common::Left) => {}
            (false, _) => words.push(match gone.next() {
                Some(was) => change(was, part),
                None => format!("now {part}"),
            }),
        }
    }
    words.extend(gone.map(|was| format!("no longer {was}")));
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::{self, zoo};

    #[test]
    fn words_at_the_ends_that_are_the_same_are_said_once() {
        assert_eq!(
            change("64 to 64 channels", "64 to 128 channels"),
            "64 to 64 → 128 channels"
        );
        assert_eq!(change("stride 1", "stride 2"), "stride 1 → 2");
        assert_eq!(change("bias", "no bias"), "bias → no bias");
        assert_eq!(change("relu", "relu"), "relu");
        assert_eq!(change("", "2 blocks"), " → 2 blocks");
    }

    #[test]
    fn only_attributes_that_differ_are_named() {
        let build = |name: &str| arch::build(name, &zoo::Options::default()).unwrap();
        let (a, b) = (build("resnet50"), build("wide_resnet50_2"));
        let find = |arch: &arch::Arch| {
            let nodes = arch.nodes().iter();
            nodes
                .clone()
                .find(|n| n.path == "layer1.0.conv1")
                .cloned()
                .unwrap()
        };
        let (old, new) = (find(&a), find(&b));
        assert_eq!(op(&old, &new), "conv 1x1, 64 to 64 → 128 channels");
        let all = all(&old, &new);
        assert!(
            all.ends_with("64 to 64 → 128 channels, stride 1, padding 0, no bias"),
            "{all}"
        );
    }

    #[test]
    fn an_attribute_of_one_side_only_is_named_so() {
        let build = |name: &str| arch::build(name, &zoo::Options::default()).unwrap();
        let (a, b) = (build("resnet50"), build("resnext50_32x4d"));
        let find = |arch: &arch::Arch| {
            let nodes = arch.nodes().iter();
            nodes
                .clone()
                .find(|n| n.path == "layer1.0.conv2")
                .cloned()
                .unwrap()
        };
        let (old, new) = (find(&a), find(&b));
        assert!(
            op(&old, &new).contains("now 32 groups"),
            "{}",
            op(&old, &new)
        );
        assert!(
            op(&new, &old).contains("no longer 32 groups"),
            "{}",
            op(&new, &old)
        );
    }
}
