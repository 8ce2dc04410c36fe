//! Whether two requests belong to the same protocol.

use super::Cell;
use crate::run::Request;

/// Never part of a protocol: names and moments, and what changes how fast a run is, not what it does.
const INCIDENTAL: &[&str] = &[
    "name",
    "experiment",
    "created",
    "created_ms",
    "command",
    "hyperscope",
    "device",
    "threads",
    // The hash says which GHN it is; where its file lies does not matter.
    "ghn.name",
    "data.name",
];

/// A stored run that does not fit what is asked for now.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// Dotted, such as `training.lr`.
    pub key: String,
    /// None where a request lacks the key.
    pub stored: Option<toml::Value>,
    pub asked: Option<toml::Value>,
}

/// What of the protocol differs between a stored request and those that are asked for, if anything.
///
/// It is held against the request that is nearest to it: of the same architecture, start and seed if
/// there is one. What those three decide counts only where they are the same, so that an experiment can
/// be continued with further seeds, starts and architectures.
#[must_use]
pub fn conflict(stored: &Request, asked: &[Request]) -> Option<Conflict> {
    let cell = Cell::of(stored);
    let nearness = |other: &&Request| {
        let other = Cell::of(other);
        (
            other.arch == cell.arch,
            other.start == cell.start,
            other.seed == cell.seed,
        )
    };
    let nearest = asked.iter().max_by_key(nearness)?;
    let free = Free::between(stored, nearest);
    let (ours, theirs) = (stored.flat(), nearest.flat());
    let find = |flat: &[(String, toml::Value)], key: &str| {
        let found = flat.iter().find(|(k, _)| k == key);
        found.map(|(_, value)| value.clone())
    };
    let keys = ours.iter().chain(&theirs).map(|(key, _)| key);
    keys.filter(|key| !free.leaves(key)).find_map(|key| {
        let (stored, asked) = (find(&ours, key), find(&theirs, key));
        (stored != asked).then(|| Conflict {
            key: key.clone(),
            stored,
            asked,
        })
    })
}

/// Which keys may differ between two requests of one experiment.
struct Free {
    arch: bool,
    start: bool,
    seed: bool,
    /// Both GHNs have random weights, which follow from the seed.
    untrained: bool,
}

impl Free {
    fn between(a: &Request, b: &Request) -> Self {
        let untrained = |r: &Request| r.ghn.as_ref().is_some_and(|ghn| !ghn.trained);
        Self {
            arch: a.arch != b.arch,
            start: a.init != b.init,
            seed: a.seed != b.seed,
            untrained: untrained(a) && untrained(b),
        }
    }

    fn leaves(&self, key: &str) -> bool {
        let below = |table: &str| key.strip_prefix(table).is_some_and(|k| k.starts_with('.'));
        INCIDENTAL.contains(&key)
            || (self.arch && (key == "arch" || key == "post.layer" || below("training")))
            || (self.start && (key == "init" || below("ghn") || below("post")))
            || (self.seed && (key == "seed" || (self.untrained && key == "ghn.sha256")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{GhnRequest, PostRequest, TrainingRequest};

    fn request(arch: &str, init: &str, seed: u64) -> Request {
        Request {
            arch: arch.into(),
            init: init.into(),
            seed,
            side: 32,
            ghn: init.starts_with("ghn").then(|| GhnRequest {
                sha256: format!("{seed}"),
                ..GhnRequest::default()
            }),
            post: init.contains('+').then(PostRequest::default),
            training: TrainingRequest {
                epochs: 300,
                lr: if arch == "resnet50" { 0.01 } else { 0.001 },
                ..TrainingRequest::default()
            },
            ..Request::default()
        }
    }

    #[test]
    fn seeds_starts_and_architectures_may_be_added() {
        let asked = [request("resnet50", "ghn", 1)];
        for stored in [
            request("resnet50", "ghn", 2),
            request("resnet50", "rand", 1),
            request("resnet50", "ghn+noise+orth", 3),
            request("convnext_tiny", "rand", 3),
        ] {
            assert_eq!(conflict(&stored, &asked), None, "{stored:?}");
        }
    }

    #[test]
    fn another_protocol_is_named_by_its_first_difference() {
        let asked = [
            request("resnet50", "ghn", 1),
            request("resnet50", "rand", 1),
        ];
        let mut stored = request("resnet50", "rand", 7);
        stored.training.epochs = 50;
        stored.device = "cuda:0".into();
        let found = conflict(&stored, &asked).unwrap();
        assert_eq!(found.key, "training.epochs");
        assert_eq!(found.stored, Some(toml::Value::Integer(50)));
        let mut side = request("convnext_tiny", "rand", 7);
        side.side = 64;
        assert_eq!(conflict(&side, &asked).unwrap().key, "side");
    }

    #[test]
    fn another_ghn_is_another_protocol_unless_both_are_drawn_from_the_seed() {
        let asked = [request("resnet50", "ghn", 1)];
        let mut stored = request("resnet50", "ghn", 2);
        stored.ghn.as_mut().unwrap().trained = true;
        let key = conflict(&stored, &asked).unwrap().key;
        assert!(key.starts_with("ghn."), "{key}");
        let mut same_seed = request("resnet50", "ghn", 1);
        same_seed.ghn.as_mut().unwrap().sha256 = "other".into();
        assert_eq!(conflict(&same_seed, &asked).unwrap().key, "ghn.sha256");
    }
}
