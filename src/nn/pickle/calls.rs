//! What a pickle may call: constructors of plain values and torch's tensor rebuilders, carried out
//! here by hand. Everything else is refused.

use std::rc::Rc;

use super::machine::{Machine, would_run};
use super::{PickleError, Ref, Storage, TensorView, Value};

/// Classes and functions that only make a value; what they make is kept as an unread object.
const HARMLESS: &[(&str, &str)] = &[
    ("argparse", "Namespace"),
    ("builtins", "complex"),
    ("builtins", "slice"),
    ("collections", "Counter"),
    ("datetime", "date"),
    ("datetime", "datetime"),
    ("datetime", "timedelta"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("pathlib", "Path"),
    ("pathlib", "PosixPath"),
    ("pathlib", "PurePosixPath"),
    ("pathlib", "PureWindowsPath"),
    ("pathlib", "WindowsPath"),
    ("torch", "device"),
];

/// Most arguments of a call that is allowed.
const MOST_ARGUMENTS: usize = 16;

/// Most dimensions of a tensor; torch itself stops at 64.
const MOST_DIMENSIONS: usize = 64;

/// Carries out `callable(*arguments)` if it is allowed.
pub(super) fn call(
    machine: &mut Machine<'_, '_>,
    callable: Ref,
    arguments: Ref,
) -> Result<Value, PickleError> {
    let Value::Global { module, name } = machine.value(callable) else {
        return Err(machine.malformed("a function was expected"));
    };
    let (module, name) = (Rc::clone(module), Rc::clone(name));
    let given = match machine.value(arguments) {
        Value::Tuple(given) if given.len() <= MOST_ARGUMENTS => given.clone(),
        _ => return Err(machine.malformed("arguments were expected")),
    };
    match (&*module, &*name) {
        ("collections", "OrderedDict" | "defaultdict") | ("builtins" | "__builtin__", "dict") => {
            Ok(Value::Dict(pairs(machine, &given)?))
        }
        ("builtins" | "__builtin__", "list" | "set" | "frozenset") | ("torch", "Size") => {
            Ok(Value::List(elements(machine, given.first())?))
        }
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3") => {
            tensor(machine, &given)
        }
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
            match given.first().map(|inner| machine.value(*inner)) {
                Some(tensor @ Value::Tensor(_)) => Ok(tensor.clone()),
                _ => Err(machine.malformed("a parameter holds no tensor")),
            }
        }
        ("torch.storage", "_load_from_bytes") => match given.first().map(|b| machine.value(*b)) {
            Some(Value::Stream(stream)) => Ok(Value::Storage(Storage::Stream(*stream))),
            _ => Err(machine.malformed("a storage inside it is no stream of torch.save")),
        },
        ("_codecs", "encode") => latin1(machine, &given),
        // `copyreg._reconstructor(class, ...)` stands for an instance of `class`.
        ("copyreg" | "copy_reg", "_reconstructor") => match given.first() {
            Some(class) => object(machine, *class),
            None => Err(machine.malformed("a class was expected")),
        },
        known if HARMLESS.contains(&known) => object(machine, callable),
        (module, name) => Err(would_run(module, name)),
    }
}

/// An instance of a class, made without its constructor.
pub(super) fn instance(
    machine: &mut Machine<'_, '_>,
    class: Ref,
    arguments: Ref,
) -> Result<Value, PickleError> {
    let first = match machine.value(arguments) {
        Value::Tuple(given) => given.first().copied(),
        _ => None,
    };
    match machine.value(class) {
        Value::Global { module, name } => match (&**module, &**name) {
            ("collections", "OrderedDict" | "defaultdict") => Ok(Value::Dict(Vec::new())),
            ("torch", "Size") => Ok(Value::List(elements(machine, first.as_ref())?)),
            _ => object(machine, class),
        },
        _ => Err(machine.malformed("a class was expected")),
    }
}

fn object(machine: &Machine<'_, '_>, class: Ref) -> Result<Value, PickleError> {
    match machine.value(class) {
        Value::Global { .. } => Ok(Value::Object { class, state: None }),
        _ => Err(machine.malformed("a class was expected")),
    }
}

/// What a persistent id stands for: `("storage", class, key, location, numel)`, or, in old files,
/// `("module", class, ...)` for a class with its source text.
pub(super) fn persistent(machine: &Machine<'_, '_>, id: Ref) -> Result<Value, PickleError> {
    let parts = match machine.value(id) {
        Value::Tuple(parts) if parts.len() <= MOST_ARGUMENTS => parts,
        _ => return Err(machine.malformed("a storage is not described by a short tuple")),
    };
    let parts: Vec<&Value> = parts.iter().map(|p| machine.value(*p)).collect();
    match parts[..] {
        [
            Value::Str(kind),
            Value::Global { name, .. },
            Value::Str(key),
            _,
            Value::Int(_),
            ..,
        ] if **kind == *"storage" => Ok(Value::Storage(Storage::Entry {
            class: Rc::clone(name),
            key: Rc::clone(key),
        })),
        [Value::Str(kind), class @ Value::Global { .. }, ..] if **kind == *"module" => {
            Ok(class.clone())
        }
        _ => Err(machine.malformed("a storage is not described as torch does")),
    }
}

/// `_rebuild_tensor_v2(storage, offset, size, stride, ...)`.
fn tensor(machine: &mut Machine<'_, '_>, given: &[Ref]) -> Result<Value, PickleError> {
    let [storage, offset, shape, strides, ..] = given else {
        return Err(machine.malformed("a tensor is described too briefly"));
    };
    let Value::Storage(storage) = machine.value(*storage) else {
        return Err(machine.malformed("a tensor has no storage"));
    };
    let view = TensorView {
        storage: storage.clone(),
        offset: size(machine, *offset)?,
        shape: sizes(machine, *shape)?,
        strides: sizes(machine, *strides)?,
    };
    if view.shape.len() != view.strides.len() {
        return Err(machine.malformed("a tensor has not as many strides as dimensions"));
    }
    // The same long shape can be called for many times over.
    machine.pay(2 * size_of_val(&view.shape[..]))?;
    Ok(Value::Tensor(Rc::new(view)))
}

fn sizes(machine: &Machine<'_, '_>, at: Ref) -> Result<Vec<u64>, PickleError> {
    match machine.value(at) {
        Value::Tuple(items) | Value::List(items) if items.len() <= MOST_DIMENSIONS => {
            items.iter().map(|i| size(machine, *i)).collect()
        }
        _ => Err(machine.malformed("a tensor's shape is no tuple of at most 64 numbers")),
    }
}

fn size(machine: &Machine<'_, '_>, at: Ref) -> Result<u64, PickleError> {
    match machine.value(at) {
        Value::Int(i) => u64::try_from(*i).ok(),
        _ => None,
    }
    .ok_or_else(|| machine.malformed("a tensor's size, stride or offset is no whole number"))
}

/// Items given to a dictionary's constructor: `OrderedDict([[key, value], ...])`.
fn pairs(machine: &mut Machine<'_, '_>, given: &[Ref]) -> Result<Vec<(Ref, Ref)>, PickleError> {
    let mut pairs = Vec::new();
    // The last argument, so that `defaultdict(factory, items)` is met, too.
    for item in elements(machine, given.last())? {
        if let Value::Tuple(pair) | Value::List(pair) = machine.value(item)
            && let [key, value] = pair[..]
        {
            pairs.push((key, value));
        }
    }
    Ok(pairs)
}

fn elements(machine: &mut Machine<'_, '_>, at: Option<&Ref>) -> Result<Vec<Ref>, PickleError> {
    let items = match at.map(|a| machine.value(*a)) {
        Some(Value::List(items) | Value::Tuple(items)) => items.clone(),
        _ => Vec::new(),
    };
    machine.pay(size_of_val(&items[..]))?;
    Ok(items)
}

/// Protocol 2 writes bytes as `_codecs.encode(text, "latin1")`.
fn latin1(machine: &Machine<'_, '_>, given: &[Ref]) -> Result<Value, PickleError> {
    let mut given = given.iter().map(|g| machine.value(*g));
    match (given.next(), given.next()) {
        (Some(text), Some(Value::Str(codec))) if ["latin1", "latin-1"].contains(&&**codec) => {
            match text {
                Value::Stream(stream) => Ok(Value::Stream(*stream)),
                Value::Str(_) | Value::Unread => Ok(Value::Unread),
                _ => Err(machine.malformed("bytes are not written as text")),
            }
        }
        _ => Err(machine.malformed("bytes are written otherwise than as latin1 text")),
    }
}
