//! From a checkpoint's values to named tensors.

use std::collections::HashMap;
use std::ops::Range;

use super::element::Element;
use super::search::{CONFIGURATION, Found};
use super::storages::{Asked, Storages};
use super::strided::{Budget, Window};
use super::{Loaded, Problem};
use crate::nn::pickle::{Pickle, Ref, Storage, TensorView, Value};
use crate::nn::{StateDict, Tensor};

/// What wrappers of modules put in front of every name.
const PREFIXES: &[&str] = &["module.", "_orig_mod."];

/// How many of them may lie around each other: a long name may begin with thousands.
const MOST_PREFIXES: usize = 4;

/// Reads the checkpoint that `pickle` describes.
pub(super) fn load(
    pickle: &Pickle,
    storages: &mut dyn Storages,
    budget: Budget,
) -> Result<Loaded, Problem> {
    let Some(found) = Found::of(pickle) else {
        return Err(Problem::NoTensors {
            found: describe(pickle, pickle.root),
        });
    };
    let mut reader = Reader {
        pickle,
        storages,
        budget,
        uses: HashMap::new(),
    };
    Ok(Loaded {
        tensors: without_prefix(reader.tensors(found.state())?),
        config: found.config(),
        epoch: found.epoch(),
        ..Loaded::default()
    })
}

/// What a pickle without named tensors holds instead.
fn describe(pickle: &Pickle, at: Ref) -> String {
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

fn class_name(pickle: &Pickle, class: Ref) -> String {
    match pickle.get(class) {
        Value::Global { module, name } => format!("{module}.{name}"),
        _ => "an unknown class".to_owned(),
    }
}

struct Reader<'r> {
    pickle: &'r Pickle,
    storages: &'r mut dyn Storages,
    budget: Budget,
    /// How many more tensors look at each storage.
    uses: HashMap<&'r Storage, usize>,
}

impl<'r> Reader<'r> {
    /// The tensors of a dictionary. Plain values beside them (an epoch, a configuration) are passed
    /// over; an instance of an unknown class might be meant as a tensor, so it is an error.
    fn tensors(&mut self, state: Ref) -> Result<StateDict, Problem> {
        let pickle = self.pickle;
        let mut views = Vec::new();
        for (key, value) in pickle.items(state).unwrap_or_default() {
            let Some(name) = pickle.text(*key) else {
                continue;
            };
            match pickle.get(*value) {
                Value::Tensor(view) => {
                    *self.uses.entry(&view.storage).or_default() += 1;
                    views.push((name, &**view));
                }
                Value::Object { class, .. } if !CONFIGURATION.contains(&name) => {
                    return Err(Problem::NotATensor {
                        name: name.to_owned(),
                        class: class_name(pickle, *class),
                    });
                }
                _ => {}
            }
        }
        let mut tensors = StateDict::default();
        for (name, view) in views {
            tensors.insert(name, self.tensor(name, view)?);
        }
        Ok(tensors)
    }

    fn tensor(&mut self, name: &str, view: &'r TensorView) -> Result<Tensor, Problem> {
        let window = Window {
            offset: view.offset,
            shape: &view.shape,
            strides: &view.strides,
        };
        let about = self.storages.about(&view.storage)?;
        let element = element(name, &about.class)?;
        let Some(range) = self.range(name, window, element, about.bytes)? else {
            return Ok(window.materialise(element.no_values()));
        };
        let asked = self.asked(&view.storage);
        let values = self.storages.elements(&view.storage, range, asked)?;
        Ok(window.materialise(values))
    }

    /// Counts a tensor off that looks at the storage.
    fn asked(&mut self, storage: &'r Storage) -> Asked {
        match self.uses.get_mut(storage) {
            Some(uses) if *uses > 1 => {
                *uses -= 1;
                Asked::Again
            }
            _ => Asked::ForTheLastTime,
        }
    }

    /// The elements of the storage that a window looks at, checked and paid for; `None` if it has no
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
        let end = window.end().filter(|e| *e <= storage / size);
        let range = window.offset..end.ok_or_else(beyond)?;
        // No overflow: the end lies within the storage.
        self.budget.spend(count, (range.end - range.start) * size)?;
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
    for _ in 0..MOST_PREFIXES {
        let common = PREFIXES.iter().find(|prefix| {
            !tensors.is_empty() && tensors.iter().all(|(name, _)| name.starts_with(**prefix))
        });
        let Some(prefix) = common else {
            break;
        };
        tensors = tensors
            .into_iter()
            .map(|(name, tensor)| (name[prefix.len()..].to_owned(), tensor))
            .collect();
    }
    tensors
}
