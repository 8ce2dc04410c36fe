//! The stack machine: walks the bytes, builds the values.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{PickleError, Ref, Value, calls, opcode as op};

/// Most values that a pickle may describe: a state dict takes about twenty per tensor.
const MOST_VALUES: usize = 4_000_000;

/// Highest protocol that Python writes.
const NEWEST_PROTOCOL: u8 = 5;

/// A pickle that was read: its values, and which of them is the result.
#[derive(Debug)]
pub(crate) struct Pickle<'a> {
    values: Vec<Value<'a>>,
    pub root: Ref,
    /// Bytes up to and including the final STOP.
    pub used: usize,
}

impl<'a> Pickle<'a> {
    /// The value behind a reference.
    pub fn get(&self, at: Ref) -> &Value<'a> {
        &self.values[at.0 as usize]
    }

    /// All values, in the order in which they were made.
    pub fn values(&self) -> impl Iterator<Item = &Value<'a>> {
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

/// Reads the pickle that `bytes` begin with; what follows it is left alone.
///
/// # Errors
/// [`PickleError`]: cut short, damaged, or asking for code to be run.
pub(crate) fn read(bytes: &[u8]) -> Result<Pickle<'_>, PickleError> {
    let mut machine = Machine::new(bytes);
    loop {
        if let Some(root) = machine.step()? {
            return Ok(Pickle {
                values: machine.values,
                root,
                used: machine.at,
            });
        }
    }
}

/// The machine between two instructions.
pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the current instruction began, for messages.
    began: usize,
    values: Vec<Value<'a>>,
    stack: Vec<Ref>,
    /// Stack heights at the open marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Ref>,
    /// Bytes that calls may still copy. A few bytes of a pickle can ask for a long list to be copied
    /// a thousand times over.
    copies_left: usize,
}

type Step<T> = Result<T, PickleError>;

impl<'a> Machine<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            began: 0,
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            copies_left: 2 * bytes.len() + (1 << 16),
        }
    }

    /// Carries out one instruction; gives the result at STOP.
    fn step(&mut self) -> Step<Option<Ref>> {
        self.began = self.at;
        let opcode = self.byte()?;
        match opcode {
            op::STOP => return self.pop().map(Some),
            op::PROTO => self.protocol()?,
            op::FRAME => drop(self.take(8)?),
            op::MARK => self.marks.push(self.stack.len()),
            op::POP => self.discard()?,
            op::POP_MARK => drop(self.pop_mark()?),
            op::DUP => {
                let top = self.top()?;
                self.stack.push(top);
            }
            op::BINPUT | op::LONG_BINPUT | op::MEMOIZE => self.remember(opcode)?,
            op::BINGET | op::LONG_BINGET => self.recall(opcode)?,
            op::APPEND | op::APPENDS | op::ADDITEMS => self.append(opcode)?,
            op::SETITEM | op::SETITEMS => self.set_items(opcode)?,
            op::BUILD => self.build()?,
            _ => {
                let value = match self.constant(opcode)? {
                    Some(value) => value,
                    None => self.composed(opcode)?,
                };
                self.push(value)?;
            }
        }
        Ok(None)
    }

    /// Values that stand in the instruction itself.
    fn constant(&mut self, opcode: u8) -> Step<Option<Value<'a>>> {
        let value = match opcode {
            op::NONE => Value::None,
            op::NEWTRUE => Value::Bool(true),
            op::NEWFALSE => Value::Bool(false),
            op::BININT => Value::Int(i64::from(i32::from_le_bytes(self.array()?))),
            op::BININT1 => Value::Int(i64::from(self.byte()?)),
            op::BININT2 => Value::Int(i64::from(u16::from_le_bytes(self.array()?))),
            op::LONG1 => {
                let length = usize::from(self.byte()?);
                whole_number(self.take(length)?)
            }
            op::LONG4 => whole_number(self.sized(4)?),
            op::BINFLOAT => Value::Float(f64::from_be_bytes(self.array()?)),
            op::SHORT_BINUNICODE => self.string(1)?,
            op::BINUNICODE => self.string(4)?,
            op::BINUNICODE8 => self.string(8)?,
            op::SHORT_BINSTRING => self.string(1)?,
            op::BINSTRING => self.string(4)?,
            op::SHORT_BINBYTES => Value::Bytes(Cow::Borrowed(self.sized(1)?)),
            op::BINBYTES => Value::Bytes(Cow::Borrowed(self.sized(4)?)),
            op::BINBYTES8 | op::BYTEARRAY8 => Value::Bytes(Cow::Borrowed(self.sized(8)?)),
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
    fn composed(&mut self, opcode: u8) -> Step<Value<'a>> {
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
                Err(would_run(module, name))
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

    fn stack_global(&mut self) -> Step<Value<'a>> {
        let (module, name) = self.pop_two()?;
        match (self.value(module), self.value(name)) {
            (Value::Str(module), Value::Str(name)) => Ok(Value::Global { module, name }),
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
        self.stack.push(*value);
        Ok(())
    }

    // Stack

    /// Adds a value and puts it on the stack.
    fn push(&mut self, value: Value<'a>) -> Step<()> {
        if self.values.len() >= MOST_VALUES {
            return Err(PickleError::TooMany);
        }
        self.stack.push(Ref(self.values.len() as u32));
        self.values.push(value);
        Ok(())
    }

    /// Pays for a copy of `bytes` bytes.
    pub(super) fn pay(&mut self, bytes: usize) -> Step<()> {
        let left = self.copies_left.checked_sub(bytes);
        self.copies_left = left.ok_or(PickleError::TooMany)?;
        Ok(())
    }

    pub(super) fn value(&self, at: Ref) -> &Value<'a> {
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

    fn take(&mut self, length: usize) -> Step<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let Some(taken) = rest.get(..length) else {
            return Err(PickleError::Truncated {
                at: self.bytes.len(),
            });
        };
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn byte(&mut self) -> Step<u8> {
        self.array::<1>().map(|[b]| b)
    }

    /// Bytes after their length, which is a little-endian number of `width` bytes.
    fn sized(&mut self, width: usize) -> Step<&'a [u8]> {
        let mut length = [0; 8];
        length[..width].copy_from_slice(self.take(width)?);
        let length = usize::try_from(u64::from_le_bytes(length)).unwrap_or(usize::MAX);
        self.take(length)
    }

    fn string(&mut self, width: usize) -> Step<Value<'a>> {
        let bytes = self.sized(width)?;
        // Python 2's text, and text with half a surrogate pair, is kept as the bytes that it is.
        Ok(std::str::from_utf8(bytes).map_or(Value::Bytes(Cow::Borrowed(bytes)), Value::Str))
    }

    fn line(&mut self) -> Step<&'a str> {
        let rest = &self.bytes[self.at..];
        let Some(length) = rest.iter().position(|b| *b == b'\n') else {
            return Err(PickleError::Truncated {
                at: self.bytes.len(),
            });
        };
        self.at += length + 1;
        std::str::from_utf8(&rest[..length])
            .map_err(|_| self.malformed("a class's name is no text"))
    }

    pub(super) fn malformed(&self, what: &'static str) -> PickleError {
        PickleError::Malformed {
            at: self.began,
            what,
        }
    }
}

/// A little-endian two's complement number.
fn whole_number(bytes: &[u8]) -> Value<'_> {
    if bytes.len() > 8 {
        return Value::Big(bytes);
    }
    let negative = bytes.last().is_some_and(|b| *b >= 0x80);
    let mut wide = if negative { [0xff; 8] } else { [0; 8] };
    wide[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(wide))
}

pub(super) fn would_run(module: &str, name: &str) -> PickleError {
    PickleError::WouldRun {
        callable: format!("{module}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> PickleError {
        read(bytes).map(|p| p.get(p.root).clone()).unwrap_err()
    }

    #[test]
    fn a_call_of_a_function_is_refused_by_name() {
        let system = b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00echo\x85R.";
        let callable = "os.system".to_owned();
        assert_eq!(refused(system), PickleError::WouldRun { callable });
        let stacked = b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.";
        let callable = "builtins.eval".to_owned();
        assert_eq!(refused(stacked), PickleError::WouldRun { callable });
        let old_style = b"(ios\nsystem\n.";
        assert!(matches!(refused(old_style), PickleError::WouldRun { .. }));
        let object = b"(cos\nsystem\nX\x04\x00\x00\x00echoo.";
        assert!(matches!(refused(object), PickleError::WouldRun { .. }));
    }

    #[test]
    fn unknown_classes_become_objects_that_are_not_made() {
        let bytes = b"\x80\x02cargparse\nNamespace\n)\x81}X\x02\x00\x00\x00lrK\x05sb.";
        let pickle = read(bytes).unwrap();
        let Value::Object { class, state } = pickle.get(pickle.root) else {
            panic!("no object");
        };
        let Value::Global { name, .. } = pickle.get(*class) else {
            panic!("no class");
        };
        assert_eq!(*name, "Namespace");
        let lr = pickle.entry(state.unwrap(), "lr").unwrap();
        assert_eq!(*pickle.get(lr), Value::Int(5));
    }

    #[test]
    fn damaged_pickles_are_errors_wherever_they_are_cut() {
        let whole = b"\x80\x02}(X\x01\x00\x00\x00aK\x01X\x01\x00\x00\x00b]K\x02au.";
        assert!(read(whole).is_ok());
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "cut at {length}");
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
        let pickle = read(b"\x80\x02]q\x00h\x00a.").unwrap();
        let Value::List(items) = pickle.get(pickle.root) else {
            panic!("no list");
        };
        assert_eq!(items[..], [pickle.root]);
    }

    #[test]
    fn whole_numbers_keep_their_sign() {
        assert_eq!(whole_number(&[0xff]), Value::Int(-1));
        assert_eq!(whole_number(&[0xff, 0x00]), Value::Int(255));
        assert_eq!(whole_number(&[]), Value::Int(0));
    }
}
