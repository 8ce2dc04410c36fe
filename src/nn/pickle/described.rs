//! What a pickle describes, once it is read.

use super::{Ref, Value};

/// A pickle that was read: its values, and which of them is the result.
#[derive(Debug)]
pub(crate) struct Pickle {
    values: Vec<Value>,
    pub root: Ref,
}

impl Pickle {
    pub(super) const fn new(values: Vec<Value>, root: Ref) -> Self {
        Self { values, root }
    }

    /// The value behind a reference.
    pub fn get(&self, at: Ref) -> &Value {
        &self.values[at.0 as usize]
    }

    /// All values, in the order in which they were made.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.values.iter()
    }

    /// Text, if it is that.
    pub fn text(&self, at: Ref) -> Option<&str> {
        match self.get(at) {
            Value::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The items of a dictionary, if it is one.
    pub fn items(&self, at: Ref) -> Option<&[(Ref, Ref)]> {
        match self.get(at) {
            Value::Dict(items) => Some(items),
            _ => None,
        }
    }

    /// The value that a dictionary holds for a text key.
    pub fn entry(&self, dict: Ref, key: &str) -> Option<Ref> {
        let of_key = |(k, _): &&(Ref, Ref)| self.text(*k) == Some(key);
        self.items(dict)?.iter().rev().find(of_key).map(|(_, v)| *v)
    }
}
