//! The machine's stack, marks and values.

use super::super::{PickleError, Ref, Value};
use super::{MOST_VALUES, Machine, Step};

impl Machine<'_, '_> {
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
    pub(super) fn lay(&mut self, value: Ref) -> Step<()> {
        if self.stack.len() >= MOST_VALUES {
            return Err(PickleError::TooMany);
        }
        self.stack.push(value);
        Ok(())
    }

    /// Notes a copy of `bytes` bytes; all together must be in proportion to what was read.
    pub(in super::super) fn pay(&mut self, bytes: usize) -> Step<()> {
        const ALWAYS_ALLOWED: u64 = 1 << 16;
        self.copied += bytes as u64;
        if self.copied / 2 > self.input.at() + ALWAYS_ALLOWED {
            return Err(PickleError::TooMany);
        }
        Ok(())
    }

    pub(in super::super) fn value(&self, at: Ref) -> &Value {
        &self.values[at.0 as usize]
    }

    pub(super) fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    pub(super) fn top(&self) -> Step<Ref> {
        match self.stack.last() {
            Some(top) if self.stack.len() > self.floor() => Ok(*top),
            _ => Err(self.malformed("the stack is empty")),
        }
    }

    pub(super) fn pop(&mut self) -> Step<Ref> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    pub(super) fn pop_two(&mut self) -> Step<(Ref, Ref)> {
        let second = self.pop()?;
        Ok((self.pop()?, second))
    }

    pub(super) fn pop_many(&mut self, count: usize) -> Step<Vec<Ref>> {
        if self.stack.len() < self.floor() + count {
            return Err(self.malformed("the stack is empty"));
        }
        Ok(self.stack.split_off(self.stack.len() - count))
    }

    pub(super) fn pop_mark(&mut self) -> Step<Vec<Ref>> {
        match self.marks.pop() {
            Some(height) => Ok(self.stack.split_off(height)),
            None => Err(self.malformed("there is no mark")),
        }
    }

    /// POP takes away a value, or a mark that lies on top.
    pub(super) fn discard(&mut self) -> Step<()> {
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
            return Ok(());
        }
        self.pop().map(drop)
    }
}
