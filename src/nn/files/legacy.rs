//! `torch.save` before 1.6: five pickles in a row (magic number, version, sizes, the object, keys of
//! the storages), then each storage as a count and raw elements. And single pickles with such
//! streams inside, as joblib writes a state dict. Both are read from the first byte to the last,
//! elements straight to where they stay.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::rc::Rc;

use super::checkpoint;
use super::element::Element;
use super::storages::{Held, Stored};
use super::strided::Budget;
use super::{Loaded, Problem};
use crate::nn::Values;
use crate::nn::pickle::{self, Event, Input, Machine, Pickle, STREAM_MAGIC, Storage, Value};

/// Reads a checkpoint from a whole legacy stream.
pub(super) fn read_stream(input: &mut Input<'_>) -> Result<Loaded, Problem> {
    if input.array().ok() == Some(*STREAM_MAGIC) {
        let (pickle, mut held) = after_magic(input)?;
        checkpoint::load(&pickle, &mut held, Budget::for_file(input.at()))
    } else {
        Err(Problem::damaged("it has no magic number"))
    }
}

/// Reads a checkpoint from one pickle whose tensors lie inside it.
pub(super) fn read_pickle(input: &mut Input<'_>) -> Result<Loaded, Problem> {
    let mut held = Held::default();
    let mut machine = Machine::new(input);
    let root = loop {
        match machine.step()? {
            Event::Went => {}
            Event::Stream(embedded) => {
                let stored = machine.input().within(embedded, inner_storage)?;
                machine.push(Value::Stream(held.add(stored)))?;
            }
            Event::End(root) => break root,
        }
    };
    let pickle = machine.finish(root);
    checkpoint::load(&pickle, &mut held, Budget::for_file(input.at()))
}

/// The one storage of a stream that lies inside a pickle.
fn inner_storage(input: &mut Input<'_>) -> Result<Stored, Problem> {
    let head = Head::read(input)?;
    let Value::Storage(Storage::Entry { class, key }) = head.object.get(head.object.root) else {
        return Err(Problem::damaged("a storage inside it is something else"));
    };
    if head.keys != [Rc::clone(key)] {
        return Err(Problem::damaged("a storage inside it has no elements"));
    }
    Ok(Stored {
        class: Rc::clone(class),
        values: match Element::of_storage(class) {
            Some(element) => Some(elements(input, key, element)?),
            None => None,
        },
    })
}

/// The object and the storages of a stream.
fn after_magic(input: &mut Input<'_>) -> Result<(Pickle, Held), Problem> {
    let Head { object, keys } = Head::read(input)?;
    let classes = classes(&object);
    let mut held = Held::default();
    for key in keys {
        let class = classes.get(&key).copied();
        let element = class.and_then(|class| Element::of_storage(class));
        let (Some(class), Some(element)) = (class, element) else {
            return Err(Problem::damaged(format!(
                "storage {key} has elements of an unknown size"
            )));
        };
        let values = elements(input, &key, element)?;
        let stored = Stored {
            class: Rc::clone(class),
            values: Some(values),
        };
        held.insert(key, stored);
    }
    drop(classes);
    Ok((object, held))
}

/// What a stream says before its elements.
struct Head {
    object: Pickle,
    /// Keys of the storages, in the order in which they follow.
    keys: Vec<Rc<str>>,
}

impl Head {
    /// From what follows the magic number.
    fn read(input: &mut Input<'_>) -> Result<Self, Problem> {
        // Protocol version and machine: what they say has never changed in files that exist.
        for _ in 0..2 {
            pickle::read(input)?;
        }
        let object = pickle::read(input)?;
        let keys = pickle::read(input)?;
        let Value::List(listed) = keys.get(keys.root) else {
            return Err(Problem::damaged("the list of storages is missing"));
        };
        let key = |at: &pickle::Ref| match keys.get(*at) {
            Value::Str(key) => Ok(Rc::clone(key)),
            _ => Err(Problem::damaged("a storage's key is no text")),
        };
        let keys = listed.iter().map(key).collect::<Result<_, _>>()?;
        Ok(Self { object, keys })
    }
}

/// Classes of the storages that the object names, by key.
fn classes(object: &Pickle) -> HashMap<Rc<str>, &Rc<str>> {
    object
        .values()
        .filter_map(|value| match value {
            Value::Storage(Storage::Entry { class, key }) => Some((Rc::clone(key), class)),
            _ => None,
        })
        .collect()
}

/// The elements of the storage that follows: their number, then they themselves.
fn elements(input: &mut Input<'_>, key: &str, element: Element) -> Result<Values, Problem> {
    let count = input.array().map(u64::from_le_bytes);
    let values = count.and_then(|count| {
        let sure = input.left();
        element.read(count, input, sure)
    });
    values.map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => Problem::damaged(format!("storage {key} ends too early")),
        _ => error.into(),
    })
}
