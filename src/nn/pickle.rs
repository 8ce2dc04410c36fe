//! Reads Python pickles without Python, and without running anything.
//!
//! A pickle is a program for a small stack machine. This one builds plain values only: numbers,
//! text, lists, dictionaries, and descriptions of torch tensors. A class that it does not know
//! becomes an [`Value::Object`] that is never made; a call of anything but a short list of
//! harmless constructors is refused ([`PickleError::WouldRun`]). Where a tensor's bytes lie is the
//! business of [`files`](super::files).

use std::borrow::Cow;

use thiserror::Error;

mod calls;
mod json;
mod machine;
mod opcode;

pub(crate) use machine::{Pickle, read};

/// Index of a value in [`Pickle`]: values may be shared and may contain themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ref(pub(super) u32);

/// What a pickle can describe here.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// A whole number beyond 64 bits: two's complement, little-endian.
    Big(&'a [u8]),
    Float(f64),
    Str(&'a str),
    Bytes(Cow<'a, [u8]>),
    /// Lists and sets.
    List(Vec<Ref>),
    Tuple(Vec<Ref>),
    /// Items in the order in which they were set; a later item of an equal key wins.
    Dict(Vec<(Ref, Ref)>),
    /// A class or function, named but not loaded.
    Global {
        module: &'a str,
        name: &'a str,
    },
    Storage(Storage<'a>),
    Tensor(TensorView),
    /// An instance of a class that is not known here.
    Object {
        /// A [`Value::Global`].
        class: Ref,
        /// The instance's attributes, if it had any.
        state: Option<Ref>,
    },
}

/// A flat run of elements in the file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Storage<'a> {
    /// A separate entry of the file.
    Entry {
        /// `FloatStorage`, `HalfStorage`, ...
        class: &'a str,
        key: &'a str,
        numel: u64,
    },
    /// A whole legacy `torch.save` stream inside the pickle, as joblib's dumps have it.
    Stream(Ref),
}

/// A strided window on a storage, counted in elements.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TensorView {
    pub storage: Ref,
    pub offset: u64,
    pub shape: Vec<u64>,
    pub strides: Vec<u64>,
}

/// Why a pickle was not read.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum PickleError {
    #[error("the pickle ends too early, at byte {at}")]
    Truncated { at: usize },
    #[error("it would run code: {callable}; nothing was run, and the file is refused")]
    WouldRun { callable: String },
    #[error("the pickle is damaged at byte {at}: {what}")]
    Malformed { at: usize, what: &'static str },
    #[error("byte {at} of the pickle is an instruction that no tensor file needs ({opcode:#04x})")]
    Unsupported { at: usize, opcode: u8 },
    #[error("the pickle describes more values than a file of its kind can hold")]
    TooMany,
}
