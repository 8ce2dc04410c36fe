//! The stack machine: walks the bytes, builds the values.

use std::collections::HashMap;
use std::io;
use std::rc::Rc;

use super::{Embedded, Input, Pickle, PickleError, Ref, Value, calls, opcode as op};

mod bytes;
mod stack;

pub(crate) use bytes::STREAM_MAGIC;

/// Most values that a pickle may describe: a state dict takes about twenty per tensor.
const MOST_VALUES: usize = 4_000_000;

/// Most instructions: a state dict takes about sixty per tensor.
const MOST_INSTRUCTIONS: u64 = 32_000_000;

/// Most marks that are open at once; true pickles nest a few dozen values.
const MOST_MARKS: usize = 1 << 16;

/// Highest protocol that Python writes.
const NEWEST_PROTOCOL: u8 = 5;

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
        Pickle::new(self.values, root)
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

    pub(super) fn malformed(&self, what: &'static str) -> PickleError {
        PickleError::Malformed {
            at: self.began,
            what,
        }
    }
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
mod tests;
