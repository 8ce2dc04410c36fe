//! Where in a checkpoint the state dict lies, and the configuration.

use std::collections::HashSet;

use serde_json::Value as Json;

use crate::nn::pickle::{Pickle, Ref, Value};

/// Keys under which training scripts keep a state dict, the likeliest first.
const WRAPPERS: &[&str] = &[
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "params",
    "weights",
];

/// Keys of the configuration, the likeliest first.
pub(super) const CONFIGURATION: &[&str] = &["config", "args", "hyper_parameters"];

/// How the key of an optimiser's state begins, which has tensors, too; ppuda writes "optimzer".
const OPTIMISER: &str = "optim";

/// How many wrappers may lie around a state dict.
const DEEPEST: usize = 16;

/// A way from the checkpoint's root to its state dict.
pub(super) struct Found<'p> {
    pickle: &'p Pickle,
    /// The state dict, then what holds it, from the inside out.
    path: Vec<Ref>,
}

impl<'p> Found<'p> {
    /// The dictionary that holds tensors, if there is one: the root itself, or one inside it.
    pub fn of(pickle: &'p Pickle) -> Option<Self> {
        let mut search = Search {
            pickle,
            seen: HashSet::new(),
        };
        let path = search.path(pickle.root, DEEPEST)?;
        Some(Self { pickle, path })
    }

    /// The state dict.
    pub fn state(&self) -> Ref {
        self.path[0]
    }

    /// The configuration that lies nearest to it.
    pub fn config(&self) -> Option<Json> {
        let mut entries = CONFIGURATION.iter().flat_map(|key| self.entries(key));
        entries.find_map(|at| Some(self.pickle.json(at)).filter(|config| !config.is_null()))
    }

    /// The epoch, likewise.
    pub fn epoch(&self) -> Option<i64> {
        self.entries("epoch")
            .find_map(|at| match self.pickle.get(at) {
                Value::Int(epoch) => Some(*epoch),
                _ => None,
            })
    }

    fn entries(&self, key: &str) -> impl Iterator<Item = Ref> {
        let dicts = self.path.iter();
        dicts.filter_map(move |dict| self.pickle.entry(*dict, key))
    }
}

struct Search<'p> {
    pickle: &'p Pickle,
    /// Nothing is looked through twice: a dictionary may hold itself under every name.
    seen: HashSet<Ref>,
}

impl Search<'_> {
    /// From the state dict inside `at` out to `at` itself.
    fn path(&mut self, at: Ref, depth: usize) -> Option<Vec<Ref>> {
        let depth = depth.checked_sub(1)?;
        if !self.seen.insert(at) {
            return None;
        }
        let mut path = match self.pickle.get(at) {
            Value::List(items) | Value::Tuple(items) => match items[..] {
                [only] => self.path(only, depth),
                _ => None,
            },
            Value::Dict(items) => {
                let wrapped = WRAPPERS.iter().filter_map(|k| self.pickle.entry(at, k));
                let wrapped: Vec<Ref> = wrapped.collect();
                let inside = wrapped.into_iter().find_map(|i| self.path(i, depth));
                if inside.is_none() && self.holds_tensors(items) {
                    return Some(vec![at]);
                }
                inside.or_else(|| self.anywhere(items, depth))
            }
            _ => None,
        }?;
        path.push(at);
        Some(path)
    }

    fn holds_tensors(&self, items: &[(Ref, Ref)]) -> bool {
        let mut values = items.iter().map(|(_, value)| self.pickle.get(*value));
        values.any(|value| matches!(value, Value::Tensor(_)))
    }

    /// Through dictionaries under any other name.
    fn anywhere(&mut self, items: &[(Ref, Ref)], depth: usize) -> Option<Vec<Ref>> {
        items.iter().find_map(|(key, value)| {
            let is_wrapper = matches!(self.pickle.get(*value), Value::Dict(_))
                && self
                    .pickle
                    .text(*key)
                    .is_some_and(|key| !key.starts_with(OPTIMISER));
            is_wrapper.then(|| self.path(*value, depth)).flatten()
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::nn::pickle::{Input, read};

    fn text(text: &str) -> Vec<u8> {
        let mut bytes = vec![0x8c, text.len() as u8];
        bytes.extend(text.bytes());
        bytes
    }

    /// `{key: value, ...}`.
    fn dict(items: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = b"}(".to_vec();
        for (key, value) in items {
            bytes.extend(text(key));
            bytes.extend(value);
        }
        bytes.push(b'u');
        bytes
    }

    /// A state dict whose only tensor has this name.
    fn tensors(name: &str) -> Vec<u8> {
        let mut bytes = b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec();
        bytes.extend(text("storage"));
        bytes.extend(b"ctorch\nFloatStorage\n");
        bytes.extend(text("0"));
        bytes.extend(text("cpu"));
        bytes.extend(b"K\x01tQK\0))tR");
        dict(&[(name, bytes)])
    }

    fn found(root: Vec<u8>) -> Option<(String, Option<Json>, Option<i64>)> {
        let bytes = [b"\x80\x04".to_vec(), root, b".".to_vec()].concat();
        let left = bytes.len() as u64;
        let pickle = read(&mut Input::new(&mut bytes.as_slice(), left)).unwrap();
        let found = Found::of(&pickle)?;
        let (first, _) = pickle.items(found.state())?[0];
        Some((
            pickle.text(first)?.to_owned(),
            found.config(),
            found.epoch(),
        ))
    }

    #[test]
    fn a_state_dict_is_found_under_any_names() {
        let optimiser = ("optimzer", dict(&[("state", tensors("moment"))]));
        let config = ("config", dict(&[("hid", b"K\x08".to_vec())]));
        let inner = dict(&[optimiser, ("my_ghn", tensors("w")), config]);
        let root = dict(&[("epoch", b"K\x03".to_vec()), ("saved", inner)]);
        let wanted = ("w".to_owned(), Some(json!({"hid": 8})), Some(3));
        assert_eq!(found(root), Some(wanted));
    }

    #[test]
    fn usual_names_come_first() {
        let root = dict(&[
            ("averaged", tensors("a")),
            ("state_dict", tensors("b")),
            ("args", b"N".to_vec()),
        ]);
        assert_eq!(found(root), Some(("b".to_owned(), None, None)));
        let only_moments = dict(&[("optimizer", tensors("moment"))]);
        assert_eq!(found(only_moments), None);
    }
}
