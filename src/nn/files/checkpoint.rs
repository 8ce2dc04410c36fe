//! From a checkpoint's values to named tensors: finds the state dict, reads its tensors.

use std::borrow::Cow;
use std::ops::Range;

use super::element::Element;
use super::strided::{Budget, Window};
use super::{Loaded, Problem, legacy};
use crate::nn::pickle::{Pickle, Ref, Storage, TensorView, Value};
use crate::nn::{StateDict, Tensor};

/// Where the bytes of a checkpoint's storages lie.
pub(super) trait Storages {
    /// Bytes of the storage `key`.
    fn size(&mut self, key: &str) -> Result<u64, Problem>;

    /// Some of them; the range lies within the size.
    fn bytes(&mut self, key: &str, bytes: Range<u64>) -> Result<Cow<'_, [u8]>, Problem>;
}

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
const CONFIGURATION: &[&str] = &["config", "args", "hyper_parameters"];

/// What wrappers of modules put in front of every name.
const PREFIXES: &[&str] = &["module.", "_orig_mod."];

/// How many wrappers may lie around a state dict.
const DEEPEST: usize = 4;

/// Reads the checkpoint that `pickle` describes.
pub(super) fn load(
    pickle: &Pickle<'_>,
    storages: &mut dyn Storages,
    budget: Budget,
) -> Result<Loaded, Problem> {
    let root = pickle.root;
    let Some(state) = find(pickle, root, DEEPEST) else {
        return Err(Problem::NoTensors {
            found: describe(pickle, root),
        });
    };
    let mut reader = Reader {
        pickle,
        storages,
        budget,
    };
    let tensors = without_prefix(reader.tensors(state)?);
    let config = CONFIGURATION.iter().find_map(|key| pickle.entry(root, key));
    let epoch = pickle.entry(root, "epoch").map(|e| pickle.get(e));
    Ok(Loaded {
        tensors,
        config: config.map(|c| pickle.json(c)).filter(|c| !c.is_null()),
        epoch: match epoch {
            Some(Value::Int(epoch)) => Some(*epoch),
            _ => None,
        },
        ..Loaded::default()
    })
}

/// The dictionary that holds tensors: `at` itself, or one that it wraps.
fn find(pickle: &Pickle<'_>, at: Ref, depth: usize) -> Option<Ref> {
    let depth = depth.checked_sub(1)?;
    match pickle.get(at) {
        Value::List(items) | Value::Tuple(items) => match items[..] {
            [only] => find(pickle, only, depth),
            _ => None,
        },
        Value::Dict(items) => {
            let wrapped = WRAPPERS.iter().filter_map(|key| pickle.entry(at, key));
            let inside = wrapped
                .filter(|inner| !matches!(pickle.get(*inner), Value::Tensor(_)))
                .find_map(|inner| find(pickle, inner, depth));
            let holds_tensors = || {
                let mut values = items.iter().map(|(_, v)| pickle.get(*v));
                values.any(|v| matches!(v, Value::Tensor(_)))
            };
            inside.or_else(|| holds_tensors().then_some(at))
        }
        _ => None,
    }
}

/// What a pickle without named tensors holds instead.
fn describe(pickle: &Pickle<'_>, at: Ref) -> String {
    match pickle.get(at) {
        Value::Object { class, .. } => {
            format!("it holds an instance of {}", class_name(pickle, *class))
        }
        Value::Tensor(_) => "it holds one tensor without a name".to_owned(),
        Value::List(items) | Value::Tuple(items) => format!("it is a list of {}", items.len()),
        Value::Dict(items) => {
            let keys = items.iter().filter_map(|(k, _)| pickle.text(*k));
            let keys: Vec<String> = keys.take(8).map(|k| k.chars().take(40).collect()).collect();
            format!("it is a dictionary with the keys: {}", keys.join(", "))
        }
        _ => "it holds a single value".to_owned(),
    }
}

fn class_name(pickle: &Pickle<'_>, class: Ref) -> String {
    match pickle.get(class) {
        Value::Global { module, name } => format!("{module}.{name}"),
        _ => "an unknown class".to_owned(),
    }
}

struct Reader<'r, 'p> {
    pickle: &'r Pickle<'p>,
    storages: &'r mut dyn Storages,
    budget: Budget,
}

impl Reader<'_, '_> {
    /// The tensors of a dictionary. Plain values beside them (an epoch, a configuration) are passed
    /// over; an instance of an unknown class might be meant as a tensor, so it is an error.
    fn tensors(&mut self, state: Ref) -> Result<StateDict, Problem> {
        let pickle = self.pickle;
        let mut tensors = StateDict::default();
        for (key, value) in pickle.items(state).unwrap_or_default() {
            let Some(name) = pickle.text(*key) else {
                continue;
            };
            match pickle.get(*value) {
                Value::Tensor(view) => tensors.insert(name, self.tensor(name, view)?),
                Value::Object { class, .. } if !CONFIGURATION.contains(&name) => {
                    return Err(Problem::NotATensor {
                        name: name.to_owned(),
                        class: class_name(pickle, *class),
                    });
                }
                _ => {}
            }
        }
        Ok(tensors)
    }

    fn tensor(&mut self, name: &str, view: &TensorView) -> Result<Tensor, Problem> {
        let window = Window {
            offset: view.offset,
            shape: &view.shape,
            strides: &view.strides,
        };
        match self.pickle.get(view.storage) {
            Value::Storage(Storage::Entry { class, key, .. }) => {
                let element = element(name, class)?;
                let size = self.storages.size(key)?;
                let Some(range) = self.range(name, window, element, size)? else {
                    return Ok(window.empty(element));
                };
                let bytes = self.storages.bytes(key, range)?;
                Ok(window.materialise(element, &bytes))
            }
            Value::Storage(Storage::Stream(stream)) => {
                let Value::Bytes(stream) = self.pickle.get(*stream) else {
                    return Err(Problem::damaged(format!("{name} has no storage")));
                };
                let (class, raw) = legacy::inner_storage(stream)?;
                let element = element(name, &class)?;
                let Some(range) = self.range(name, window, element, raw.len() as u64)? else {
                    return Ok(window.empty(element));
                };
                let bytes = &raw[range.start as usize..range.end as usize];
                Ok(window.materialise(element, bytes))
            }
            _ => Err(Problem::damaged(format!("{name} has no storage"))),
        }
    }

    /// The bytes of the storage that a window looks at, checked and paid for; `None` if it has no
    /// elements.
    fn range(
        &mut self,
        name: &str,
        window: Window<'_>,
        element: Element,
        storage: u64,
    ) -> Result<Option<Range<u64>>, Problem> {
        let count = window.count().ok_or(Problem::TooMuch)?;
        if count == 0 {
            return Ok(None);
        }
        let size = element.size() as u64;
        let beyond = || Problem::damaged(format!("{name} lies beyond its storage"));
        let end = window.end().and_then(|e| e.checked_mul(size));
        let end = end.filter(|e| *e <= storage).ok_or_else(beyond)?;
        // No overflow: the offset is below the end.
        let range = window.offset * size..end;
        self.budget.spend(count, range.end - range.start)?;
        Ok(Some(range))
    }
}

fn element(name: &str, class: &str) -> Result<Element, Problem> {
    Element::of_storage(class).ok_or_else(|| Problem::ElementType {
        tensor: name.to_owned(),
        element: class.trim_end_matches("Storage").to_owned(),
    })
}

/// Takes off what `DataParallel` or `torch.compile` put in front of every name.
fn without_prefix(mut tensors: StateDict) -> StateDict {
    loop {
        let common = PREFIXES.iter().find(|prefix| {
            !tensors.is_empty() && tensors.iter().all(|(name, _)| name.starts_with(**prefix))
        });
        let Some(prefix) = common else {
            return tensors;
        };
        tensors = tensors
            .into_iter()
            .map(|(name, tensor)| (name[prefix.len()..].to_owned(), tensor))
            .collect();
    }
}
