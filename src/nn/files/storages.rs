//! Where the elements of a checkpoint's storages come from.

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use super::Problem;
use super::element::Element;
use crate::nn::Values;
use crate::nn::pickle::Storage;

/// What is known of a storage before it is read.
#[derive(Clone, Debug)]
pub(super) struct About {
    /// `FloatStorage`, `HalfStorage`, ...
    pub class: Rc<str>,
    pub bytes: u64,
}

/// Whether more will be asked of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Again,
    ForTheLastTime,
}

/// The storages of a checkpoint.
pub(super) trait Storages {
    /// The class and size of one.
    fn about(&mut self, storage: &Storage) -> Result<About, Problem>;

    /// Some of its elements, of the type that its class says; the range lies within its size.
    fn elements(
        &mut self,
        storage: &Storage,
        range: Range<u64>,
        asked: Asked,
    ) -> Result<Values, Problem>;
}

/// Storages that were read with the stream that they came in, by key or number.
#[derive(Debug, Default)]
pub(super) struct Held {
    storages: HashMap<Key, Stored>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Named(Rc<str>),
    Numbered(u32),
}

/// One of them.
#[derive(Debug)]
pub(super) struct Stored {
    pub class: Rc<str>,
    /// None if its elements are of a type that is not supported.
    pub values: Option<Values>,
}

impl Held {
    /// Keeps the storage that the checkpoint calls `key`.
    pub fn insert(&mut self, key: Rc<str>, stored: Stored) {
        self.storages.insert(Key::Named(key), stored);
    }

    /// Keeps the storage of a stream inside the pickle, and numbers it.
    pub fn add(&mut self, stored: Stored) -> u32 {
        let number = self.storages.len() as u32;
        self.storages.insert(Key::Numbered(number), stored);
        number
    }

    /// The storage, held under the class that the tensor gives it.
    fn stored(&mut self, storage: &Storage) -> Result<(&mut Stored, Key), Problem> {
        let (key, class) = match storage {
            Storage::Entry { class, key } => (Key::Named(Rc::clone(key)), Some(class)),
            Storage::Stream(number) => (Key::Numbered(*number), None),
        };
        match self.storages.get_mut(&key) {
            Some(stored) if class.is_none_or(|c| *c == stored.class) => Ok((stored, key)),
            Some(_) => Err(Problem::damaged("a storage has two types of elements")),
            None => Err(match key {
                Key::Named(key) => Problem::damaged(format!("storage {key} is missing")),
                Key::Numbered(_) => Problem::damaged("a storage inside it is missing"),
            }),
        }
    }
}

impl Storages for Held {
    fn about(&mut self, storage: &Storage) -> Result<About, Problem> {
        let (stored, _) = self.stored(storage)?;
        let size = Element::of_storage(&stored.class).map_or(0, Element::size);
        let count = stored.values.as_ref().map_or(0, Values::len);
        Ok(About {
            class: Rc::clone(&stored.class),
            bytes: count as u64 * size as u64,
        })
    }

    fn elements(
        &mut self,
        storage: &Storage,
        range: Range<u64>,
        asked: Asked,
    ) -> Result<Values, Problem> {
        let (stored, key) = self.stored(storage)?;
        let Some(values) = &mut stored.values else {
            return Err(Problem::damaged("a storage has no elements"));
        };
        let range = range.start as usize..range.end as usize;
        if asked == Asked::Again {
            return Ok(values.part(range));
        }
        let whole = range == (0..values.len());
        let last = if whole {
            stored.values.take()
        } else {
            Some(values.part(range))
        };
        self.storages.remove(&key);
        last.ok_or_else(|| Problem::damaged("a storage has no elements"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held() -> (Held, Storage, *const f32) {
        let values = vec![1.0, 2.0, 3.0];
        let place = values.as_ptr();
        let mut held = Held::default();
        let stored = Stored {
            class: "FloatStorage".into(),
            values: Some(Values::F32(values)),
        };
        held.insert("0".into(), stored);
        (held, entry("FloatStorage"), place)
    }

    fn entry(class: &str) -> Storage {
        Storage::Entry {
            class: class.into(),
            key: "0".into(),
        }
    }

    #[test]
    fn a_whole_storage_is_given_away_and_not_copied() {
        let (mut held, storage, place) = held();
        let shared = held.elements(&storage, 1..3, Asked::Again).unwrap();
        assert_eq!(shared, Values::F32(vec![2.0, 3.0]));
        let whole = held.elements(&storage, 0..3, Asked::ForTheLastTime);
        let Ok(Values::F32(values)) = whole else {
            panic!("no floats");
        };
        assert_eq!(values.as_ptr(), place);
        assert!(held.about(&storage).is_err());
    }

    #[test]
    fn a_storage_has_one_type() {
        let (mut held, ..) = held();
        assert!(held.about(&entry("LongStorage")).is_err());
        assert_eq!(held.about(&entry("FloatStorage")).unwrap().bytes, 12);
    }
}
