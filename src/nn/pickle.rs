//! Reads Python pickles without Python, and without running anything.
//!
//! A pickle is a program for a small stack machine. This one builds plain values only: numbers,
//! text, lists, dictionaries, and descriptions of torch tensors. A class that it does not know
//! becomes an [`Value::Object`] that is never made; a call of anything but a short list of
//! harmless constructors is refused ([`PickleError::WouldRun`]). It reads from the first byte to the
//! last, and keeps neither bytes nor long text: a tensor's elements, in a stream inside the pickle or
//! elsewhere, are the business of [`files`](super::files).

use std::io;
use std::rc::Rc;

use thiserror::Error;

mod calls;
mod described;
mod input;
mod json;
mod latin1;
mod machine;
mod opcode;

pub(crate) use described::Pickle;
pub(crate) use input::{Embedded, Input};
pub(crate) use machine::{Event, Machine, STREAM_MAGIC, read};

/// Index of a value in [`Pickle`]: values may be shared and may contain themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ref(pub(super) u32);

/// What a pickle can describe here.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Rc<str>),
    /// What nobody asks for: bytes, long text, whole numbers beyond 64 bits.
    Unread,
    /// A `torch.save` stream inside the pickle, by the number that its reader gave it.
    Stream(u32),
    /// Lists and sets.
    List(Vec<Ref>),
    Tuple(Vec<Ref>),
    /// Items in the order in which they were set; a later item of an equal key wins.
    Dict(Vec<(Ref, Ref)>),
    /// A class or function, named but not loaded.
    Global {
        module: Rc<str>,
        name: Rc<str>,
    },
    Storage(Storage),
    Tensor(Rc<TensorView>),
    /// An instance of a class that is not known here.
    Object {
        /// A [`Value::Global`].
        class: Ref,
        /// The instance's attributes, if it had any.
        state: Option<Ref>,
    },
}

/// A flat run of elements in the file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Storage {
    /// A separate entry of the file.
    Entry {
        /// `FloatStorage`, `HalfStorage`, ...
        class: Rc<str>,
        key: Rc<str>,
    },
    /// The one storage of a [`Value::Stream`], as joblib's dumps have it.
    Stream(u32),
}

/// A strided window on a storage, counted in elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TensorView {
    pub storage: Storage,
    pub offset: u64,
    pub shape: Vec<u64>,
    pub strides: Vec<u64>,
}

/// Why a pickle was not read.
#[derive(Debug, Error)]
pub enum PickleError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the pickle is cut short after {at} bytes; fetch or save it again")]
    Truncated { at: u64 },
    #[error(
        "it would run code: {callable}; nothing was run, and the file is refused; take it from a source that you \
         trust, as safetensors or saved with torch.save(model.state_dict(), ...)"
    )]
    WouldRun { callable: String },
    #[error("the pickle is damaged at byte {at}: {what}; fetch or save it again")]
    Malformed { at: u64, what: &'static str },
    #[error(
        "byte {at} of the pickle is an instruction that no file of tensors needs ({opcode:#04x}); save a plain state dict"
    )]
    Unsupported { at: u64, opcode: u8 },
    #[error(
        "the pickle describes more values than a file of its kind can hold; save a plain state dict"
    )]
    TooMany,
}
