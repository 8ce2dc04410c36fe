//! The stack machine: walks the bytes, builds the values.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::rc::Rc;

use super::input::Encoding;
use super::{Embedded, Input, PickleError, Ref, Value, calls, opcode as op};

/// Most values that a pickle may describe: a state dict takes about twenty per tensor.
const MOST_VALUES: usize = 4_000_000;

/// Most instructions: a state dict takes about sixty per tensor.
const MOST_INSTRUCTIONS: u64 = 32_000_000;

/// Most marks that are open at once; true pickles nest a few dozen values.
const MOST_MARKS: usize = 1 << 16;

/// Longest text that is kept: names, configurations and descriptions are shorter.
const LONGEST_TEXT: u64 = 1 << 20;

/// Longest name of a class.
const LONGEST_NAME: u64 = 4096;

/// Highest protocol that Python writes.
const NEWEST_PROTOCOL: u8 = 5;

/// The number that a `torch.save` stream begins with, as protocol 2 writes it.
pub(crate) const STREAM_MAGIC: &[u8; 15] =
    b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// The same bytes, each as a letter.
const STREAM_MAGIC_AS_TEXT: &[u8] =
    "\u{80}\x02\u{8a}\x0a\x6c\u{fc}\u{9c}\x46\u{f9}\x20\x6a\u{a8}\x50\x19.".as_bytes();

/// A pickle that was read: its values, and which of them is the result.
#[derive(Debug)]
pub(crate) struct Pickle {
    values: Vec<Value>,
    pub root: Ref,
}

impl Pickle {
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

/// Reads the pickle that `input` goes on with; what follows it is left alone. Streams inside it are passed
/// over.
///
/// # Errors
/// [`PickleError`]: cut short, damaged, or asking for code to be run.
pub(crate) fn read(input: &mut Input<'_>) -> Result<Pickle, PickleError> {
    let mut machine = Machine::new(input);
    loop {
        match machine.step()? {
            Event::Went => {}
            Event::Stream(embedded) => {
                machine
                    .input()
                    .within(embedded, |_| Ok::<_, io::Error>(()))?;
                machine.push(Value::Unread)?;
            }
            Event::End(root) => return Ok(machine.finish(root)),
        }
    }
}

/// What an instruction led to.
#[derive(Debug)]
pub(crate) enum Event {
    /// The next one.
    Went,
    /// A stream begins, which has to be read ([`Input::within`]) and its value pushed before the next
    /// step.
    Stream(Embedded),
    /// The result.
    End(Ref),
}

/// The machine between two instructions.
pub(crate) struct Machine<'i, 'a> {
    input: &'i mut Input<'a>,
    instructions: u64,
    /// Where the current instruction began, for messages.
    began: u64,
    values: Vec<Value>,
    stack: Vec<Ref>,
    /// Stack heights at the open marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Ref>,
    /// Bytes that calls have copied. A few bytes of a pickle can ask for a long list to be copied a
    /// thousand times over.
    copied: u64,
}

type Step<T> = Result<T, PickleError>;

impl<'i, 'a> Machine<'i, 'a> {
    /// Before the first instruction.
    pub fn new(input: &'i mut Input<'a>) -> Self {
        Self {
            input,
            instructions: 0,
            began: 0,
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            copied: 0,
        }
    }

    /// Where the pickle is read from.
    pub const fn input(&mut self) -> &mut Input<'a> {
        self.input
    }

    /// The pickle whose result was found.
    pub fn finish(self, root: Ref) -> Pickle {
        Pickle {
            values: self.values,
            root,
        }
    }

    /// Carries out one instruction.
    ///
    /// # Errors
    /// [`PickleError`], after which the machine is of no more use.
    pub fn step(&mut self) -> Step<Event> {
        self.instructions += 1;
        if self.instructions > MOST_INSTRUCTIONS {
            return Err(PickleError::TooMany);
        }
        self.began = self.input.at();
        let opcode = self.byte()?;
        match opcode {
            op::STOP => return self.pop().map(Event::End),
            op::PROTO => self.protocol()?,
            op::FRAME => self.skip(8)?,
            op::MARK if self.marks.len() < MOST_MARKS => self.marks.push(self.stack.len()),
            op::MARK => return Err(PickleError::TooMany),
            op::POP => self.discard()?,
            op::POP_MARK => drop(self.pop_mark()?),
            op::DUP => {
                let top = self.top()?;
                self.lay(top)?;
            }
            op::BINPUT | op::LONG_BINPUT | op::MEMOIZE => self.remember(opcode)?,
            op::BINGET | op::LONG_BINGET => self.recall(opcode)?,
            op::APPEND | op::APPENDS | op::ADDITEMS => self.append(opcode)?,
            op::SETITEM | op::SETITEMS => self.set_items(opcode)?,
            op::BUILD => self.build()?,
            op::SHORT_BINUNICODE | op::SHORT_BINSTRING => return self.string(1),
            op::BINUNICODE | op::BINSTRING => return self.string(4),
            op::BINUNICODE8 => return self.string(8),
            op::SHORT_BINBYTES => return self.bytes(1),
            op::BINBYTES => return self.bytes(4),
            op::BINBYTES8 | op::BYTEARRAY8 => return self.bytes(8),
            _ => {
                let value = match self.constant(opcode)? {
                    Some(value) => value,
                    None => self.composed(opcode)?,
                };
                self.push(value)?;
            }
        }
        Ok(Event::Went)
    }

    /// Values that stand in the instruction itself.
    fn constant(&mut self, opcode: u8) -> Step<Option<Value>> {
        let value = match opcode {
            op::NONE => Value::None,
            op::NEWTRUE => Value::Bool(true),
            op::NEWFALSE => Value::Bool(false),
            op::BININT => Value::Int(i64::from(i32::from_le_bytes(self.array()?))),
            op::BININT1 => Value::Int(i64::from(self.byte()?)),
            op::BININT2 => Value::Int(i64::from(u16::from_le_bytes(self.array()?))),
            op::LONG1 => self.whole_number(1)?,
            op::LONG4 => self.whole_number(4)?,
            op::BINFLOAT => Value::Float(f64::from_be_bytes(self.array()?)),
            op::EMPTY_DICT => Value::Dict(Vec::new()),
            op::EMPTY_LIST | op::EMPTY_SET => Value::List(Vec::new()),
            op::EMPTY_TUPLE => Value::Tuple(Vec::new()),
            op::GLOBAL => Value::Global {
                module: self.line()?,
                name: self.line()?,
            },
            _ => return Ok(None),
        };
        Ok(Some(value))
    }

    /// Values made of what lies on the stack.
    fn composed(&mut self, opcode: u8) -> Step<Value> {
        match opcode {
            op::TUPLE => Ok(Value::Tuple(self.pop_mark()?)),
            op::TUPLE1 => Ok(Value::Tuple(self.pop_many(1)?)),
            op::TUPLE2 => Ok(Value::Tuple(self.pop_many(2)?)),
            op::TUPLE3 => Ok(Value::Tuple(self.pop_many(3)?)),
            op::LIST | op::FROZENSET => Ok(Value::List(self.pop_mark()?)),
            op::DICT => {
                let items = self.pop_mark()?;
                Ok(Value::Dict(self.pairs(&items)?))
            }
            op::STACK_GLOBAL => self.stack_global(),
            op::REDUCE => {
                let (callable, arguments) = self.pop_two()?;
                calls::call(self, callable, arguments)
            }
            op::BINPERSID => {
                let id = self.pop()?;
                calls::persistent(self, id)
            }
            op::NEWOBJ => {
                let (class, arguments) = self.pop_two()?;
                calls::instance(self, class, arguments)
            }
            op::NEWOBJ_EX => {
                self.pop()?;
                let (class, arguments) = self.pop_two()?;
                calls::instance(self, class, arguments)
            }
            op::INST => {
                let (module, name) = (self.line()?, self.line()?);
                Err(would_run(&module, &name))
            }
            op::OBJ => {
                let class = self.pop_mark()?.first().copied();
                match class.map(|c| &self.values[c.0 as usize]) {
                    Some(Value::Global { module, name }) => Err(would_run(module, name)),
                    _ => Err(self.malformed("a class was expected")),
                }
            }
            opcode => Err(PickleError::Unsupported {
                at: self.began,
                opcode,
            }),
        }
    }

    fn protocol(&mut self) -> Step<()> {
        match self.byte()? {
            0..=NEWEST_PROTOCOL => Ok(()),
            _ => Err(self.malformed("it is of a newer protocol than 5")),
        }
    }

    fn stack_global(&mut self) -> Step<Value> {
        let (module, name) = self.pop_two()?;
        match (self.value(module), self.value(name)) {
            (Value::Str(module), Value::Str(name)) => Ok(Value::Global {
                module: Rc::clone(module),
                name: Rc::clone(name),
            }),
            _ => Err(self.malformed("a class's name is not text")),
        }
    }

    /// Sets attributes of an instance; those of known values (`_metadata`) carry no numbers.
    fn build(&mut self) -> Step<()> {
        let attributes = self.pop()?;
        let target = self.top()?;
        if let Value::Object { state, .. } = &mut self.values[target.0 as usize] {
            *state = Some(attributes);
        }
        Ok(())
    }

    fn append(&mut self, opcode: u8) -> Step<()> {
        let new = match opcode {
            op::APPEND => self.pop_many(1)?,
            _ => self.pop_mark()?,
        };
        let target = self.top()?;
        match &mut self.values[target.0 as usize] {
            Value::List(items) => items.extend(new),
            Value::Object { .. } => {}
            _ => return Err(self.malformed("something is added to what is no list")),
        }
        Ok(())
    }

    fn set_items(&mut self, opcode: u8) -> Step<()> {
        let new = match opcode {
            op::SETITEM => self.pop_many(2)?,
            _ => self.pop_mark()?,
        };
        let new = self.pairs(&new)?;
        let target = self.top()?;
        match &mut self.values[target.0 as usize] {
            Value::Dict(items) => items.extend(new),
            Value::Object { .. } => {}
            _ => return Err(self.malformed("an item is set in what is no dictionary")),
        }
        Ok(())
    }

    fn pairs(&self, flat: &[Ref]) -> Step<Vec<(Ref, Ref)>> {
        let (pairs, rest) = flat.as_chunks::<2>();
        if rest.is_empty() {
            Ok(pairs.iter().map(|[k, v]| (*k, *v)).collect())
        } else {
            Err(self.malformed("a key has no value"))
        }
    }

    fn remember(&mut self, opcode: u8) -> Step<()> {
        let slot = match opcode {
            op::BINPUT => u32::from(self.byte()?),
            op::LONG_BINPUT => u32::from_le_bytes(self.array()?),
            // Slots number the values remembered so far.
            _ => self.memo.len() as u32,
        };
        let top = self.top()?;
        if self.memo.len() >= MOST_VALUES {
            return Err(PickleError::TooMany);
        }
        self.memo.insert(slot, top);
        Ok(())
    }

    fn recall(&mut self, opcode: u8) -> Step<()> {
        let slot = match opcode {
            op::BINGET => u32::from(self.byte()?),
            _ => u32::from_le_bytes(self.array()?),
        };
        let Some(value) = self.memo.get(&slot) else {
            return Err(self.malformed("it refers to a value that was not remembered"));
        };
        let value = *value;
        self.lay(value)
    }

    // Stack

    /// Adds a value and puts it on the stack.
    ///
    /// # Errors
    /// [`PickleError::TooMany`].
    pub fn push(&mut self, value: Value) -> Step<()> {
        if self.values.len() >= MOST_VALUES {
            return Err(PickleError::TooMany);
        }
        let at = Ref(self.values.len() as u32);
        self.values.push(value);
        self.lay(at)
    }

    /// Lays a value on the stack.
    fn lay(&mut self, value: Ref) -> Step<()> {
        if self.stack.len() >= MOST_VALUES {
            return Err(PickleError::TooMany);
        }
        self.stack.push(value);
        Ok(())
    }

    /// Notes a copy of `bytes` bytes; all together must be in proportion to what was read.
    pub(super) fn pay(&mut self, bytes: usize) -> Step<()> {
        const ALWAYS_ALLOWED: u64 = 1 << 16;
        self.copied += bytes as u64;
        if self.copied / 2 > self.input.at() + ALWAYS_ALLOWED {
            return Err(PickleError::TooMany);
        }
        Ok(())
    }

    pub(super) fn value(&self, at: Ref) -> &Value {
        &self.values[at.0 as usize]
    }

    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Step<Ref> {
        match self.stack.last() {
            Some(top) if self.stack.len() > self.floor() => Ok(*top),
            _ => Err(self.malformed("the stack is empty")),
        }
    }

    fn pop(&mut self) -> Step<Ref> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_two(&mut self) -> Step<(Ref, Ref)> {
        let second = self.pop()?;
        Ok((self.pop()?, second))
    }

    fn pop_many(&mut self, count: usize) -> Step<Vec<Ref>> {
        if self.stack.len() < self.floor() + count {
            return Err(self.malformed("the stack is empty"));
        }
        Ok(self.stack.split_off(self.stack.len() - count))
    }

    fn pop_mark(&mut self) -> Step<Vec<Ref>> {
        match self.marks.pop() {
            Some(height) => Ok(self.stack.split_off(height)),
            None => Err(self.malformed("there is no mark")),
        }
    }

    /// POP takes away a value, or a mark that lies on top.
    fn discard(&mut self) -> Step<()> {
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
            return Ok(());
        }
        self.pop().map(drop)
    }

    // Bytes

    fn byte(&mut self) -> Step<u8> {
        self.input.byte().map_err(|e| self.cut_short(e))
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        self.input.array().map_err(|e| self.cut_short(e))
    }

    fn take(&mut self, length: u64) -> Step<Vec<u8>> {
        self.input.bytes(length).map_err(|e| self.cut_short(e))
    }

    fn skip(&mut self, length: u64) -> Step<()> {
        self.input.skip(length).map_err(|e| self.cut_short(e))
    }

    /// A little-endian number of `width` bytes.
    fn length(&mut self, width: usize) -> Step<u64> {
        let mut length = [0; 8];
        let read = io::Read::read_exact(self.input, &mut length[..width]);
        read.map_err(|e| self.cut_short(e))?;
        Ok(u64::from_le_bytes(length))
    }

    /// A whole number in two's complement, after its length.
    fn whole_number(&mut self, width: usize) -> Step<Value> {
        match self.length(width)? {
            length @ 0..=8 => Ok(Value::Int(signed(&self.take(length)?))),
            length => self.skip(length).map(|()| Value::Unread),
        }
    }

    /// Bytes after their length.
    fn bytes(&mut self, width: usize) -> Step<Event> {
        let length = self.length(width)?;
        let head = self.take(length.min(STREAM_MAGIC.len() as u64))?;
        let rest = length - head.len() as u64;
        if let Some(stream) = embedded(&head, rest) {
            return Ok(Event::Stream(stream));
        }
        self.skip(rest)?;
        self.push(Value::Unread).map(|()| Event::Went)
    }

    /// Text after its length. Python 2's text may be bytes in truth, and bytes may be written as text.
    fn string(&mut self, width: usize) -> Step<Event> {
        let length = self.length(width)?;
        let mut text = Vec::new();
        let mut rest = length;
        for magic in [STREAM_MAGIC, STREAM_MAGIC_AS_TEXT] {
            let more = rest.min((magic.len() - text.len()) as u64);
            text.extend(self.take(more)?);
            rest -= more;
            if let Some(stream) = embedded(&text, rest) {
                return Ok(Event::Stream(stream));
            }
        }
        let value = if rest > LONGEST_TEXT {
            self.skip(rest)?;
            Value::Unread
        } else {
            text.extend(self.take(rest)?);
            // Text with half a surrogate pair is no UTF-8; nothing of ours is called so.
            std::str::from_utf8(&text).map_or(Value::Unread, |text| Value::Str(text.into()))
        };
        self.push(value).map(|()| Event::Went)
    }

    fn line(&mut self) -> Step<Rc<str>> {
        let line = self.input.line(LONGEST_NAME);
        let line = line.map_err(|e| self.cut_short(e))?;
        let text = std::str::from_utf8(&line);
        text.map(Rc::from)
            .map_err(|_| self.malformed("a class's name is no text"))
    }

    fn cut_short(&self, error: io::Error) -> PickleError {
        match error.kind() {
            ErrorKind::UnexpectedEof => PickleError::Truncated {
                at: self.input.at(),
            },
            _ => PickleError::Io(error),
        }
    }

    pub(super) fn malformed(&self, what: &'static str) -> PickleError {
        PickleError::Malformed {
            at: self.began,
            what,
        }
    }
}

/// The stream that begins with `head`, with `rest` bytes to follow in the pickle.
fn embedded(head: &[u8], rest: u64) -> Option<Embedded> {
    let encoding = if head == STREAM_MAGIC {
        Encoding::Plain
    } else if head == STREAM_MAGIC_AS_TEXT {
        Encoding::Latin1
    } else {
        return None;
    };
    Some(Embedded {
        length: rest,
        encoding,
    })
}

/// A little-endian two's complement number of at most eight bytes.
fn signed(bytes: &[u8]) -> i64 {
    let negative = bytes.last().is_some_and(|b| *b >= 0x80);
    let mut wide = if negative { [0xff; 8] } else { [0; 8] };
    wide[..bytes.len()].copy_from_slice(bytes);
    i64::from_le_bytes(wide)
}

pub(super) fn would_run(module: &str, name: &str) -> PickleError {
    PickleError::WouldRun {
        callable: format!("{module}.{name}"),
    }
}

/// Reads a pickle from memory.
#[cfg(test)]
pub(super) fn read_bytes(mut bytes: &[u8]) -> Result<Pickle, PickleError> {
    let left = bytes.len() as u64;
    read(&mut Input::new(&mut bytes, left))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> PickleError {
        let read = read_bytes(bytes);
        read.map(|p| p.get(p.root).clone()).unwrap_err()
    }

    fn would_run(bytes: &[u8]) -> String {
        match refused(bytes) {
            PickleError::WouldRun { callable } => callable,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_call_of_a_function_is_refused_by_name() {
        let system = b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00echo\x85R.";
        assert_eq!(would_run(system), "os.system");
        let stacked = b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.";
        assert_eq!(would_run(stacked), "builtins.eval");
        assert_eq!(would_run(b"(ios\nsystem\n."), "os.system");
        let object = b"(cos\nsystem\nX\x04\x00\x00\x00echoo.";
        assert_eq!(would_run(object), "os.system");
    }

    #[test]
    fn unknown_classes_become_objects_that_are_not_made() {
        let bytes = b"\x80\x02cargparse\nNamespace\n)\x81}X\x02\x00\x00\x00lrK\x05sb.";
        let pickle = read_bytes(bytes).unwrap();
        let Value::Object { class, state } = pickle.get(pickle.root) else {
            panic!("no object");
        };
        let Value::Global { name, .. } = pickle.get(*class) else {
            panic!("no class");
        };
        assert_eq!(&**name, "Namespace");
        let lr = pickle.entry(state.unwrap(), "lr").unwrap();
        assert_eq!(*pickle.get(lr), Value::Int(5));
    }

    #[test]
    fn damaged_pickles_are_errors_wherever_they_are_cut() {
        let whole = b"\x80\x02}(X\x01\x00\x00\x00aK\x01X\x01\x00\x00\x00b]K\x02au.";
        assert!(read_bytes(whole).is_ok());
        for length in 0..whole.len() {
            assert!(read_bytes(&whole[..length]).is_err(), "cut at {length}");
        }
        assert!(matches!(
            refused(b"\x80\x02h\x07."),
            PickleError::Malformed { .. }
        ));
        assert!(matches!(refused(b"t."), PickleError::Malformed { .. }));
        assert!(matches!(refused(b"(s."), PickleError::Malformed { .. }));
    }

    #[test]
    fn a_length_beyond_the_file_allocates_nothing() {
        let bytes = b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.";
        assert!(matches!(refused(bytes), PickleError::Truncated { .. }));
    }

    #[test]
    fn lists_may_hold_themselves() {
        let pickle = read_bytes(b"\x80\x02]q\x00h\x00a.").unwrap();
        let Value::List(items) = pickle.get(pickle.root) else {
            panic!("no list");
        };
        assert_eq!(items[..], [pickle.root]);
    }

    #[test]
    fn whole_numbers_keep_their_sign() {
        assert_eq!(signed(&[0xff]), -1);
        assert_eq!(signed(&[0xff, 0x00]), 255);
        assert_eq!(signed(&[]), 0);
    }
}
