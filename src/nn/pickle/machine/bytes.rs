//! What an instruction says after its own byte: numbers, names, text, bytes.

use std::io::{self, ErrorKind, Read};
use std::rc::Rc;

use super::super::input::Encoding;
use super::super::{Embedded, PickleError, Value};
use super::{Event, Machine, Step};

/// Longest text that is kept: names, configurations and descriptions are shorter.
const LONGEST_TEXT: u64 = 1 << 20;

/// Longest name of a class.
const LONGEST_NAME: u64 = 4096;

/// The number that a `torch.save` stream begins with, as protocol 2 writes it.
pub(crate) const STREAM_MAGIC: &[u8; 15] =
    b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// The same bytes, each as a letter.
const STREAM_MAGIC_AS_TEXT: &[u8] =
    "\u{80}\x02\u{8a}\x0a\x6c\u{fc}\u{9c}\x46\u{f9}\x20\x6a\u{a8}\x50\x19.".as_bytes();

impl Machine<'_, '_> {
    pub(super) fn byte(&mut self) -> Step<u8> {
        self.input.byte().map_err(|e| self.cut_short(e))
    }

    pub(super) fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        self.input.array().map_err(|e| self.cut_short(e))
    }

    pub(super) fn take(&mut self, length: u64) -> Step<Vec<u8>> {
        self.input.bytes(length).map_err(|e| self.cut_short(e))
    }

    pub(super) fn skip(&mut self, length: u64) -> Step<()> {
        self.input.skip(length).map_err(|e| self.cut_short(e))
    }

    /// A little-endian number of `width` bytes.
    pub(super) fn length(&mut self, width: usize) -> Step<u64> {
        let mut length = [0; 8];
        let read = Read::read_exact(self.input, &mut length[..width]);
        read.map_err(|e| self.cut_short(e))?;
        Ok(u64::from_le_bytes(length))
    }

    /// A whole number in two's complement, after its length.
    pub(super) fn whole_number(&mut self, width: usize) -> Step<Value> {
        match self.length(width)? {
            length @ 0..=8 => Ok(Value::Int(signed(&self.take(length)?))),
            length => self.skip(length).map(|()| Value::Unread),
        }
    }

    /// Bytes after their length.
    pub(super) fn bytes(&mut self, width: usize) -> Step<Event> {
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
    pub(super) fn string(&mut self, width: usize) -> Step<Event> {
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

    pub(super) fn line(&mut self) -> Step<Rc<str>> {
        let line = self.input.line(LONGEST_NAME);
        let line = line.map_err(|e| self.cut_short(e))?;
        let text = std::str::from_utf8(&line);
        text.map(Rc::from)
            .map_err(|_| self.malformed("a class's name is no text"))
    }

    pub(super) fn cut_short(&self, error: io::Error) -> PickleError {
        match error.kind() {
            ErrorKind::UnexpectedEof => PickleError::Truncated {
                at: self.input.at(),
            },
            _ => PickleError::Io(error),
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
pub(super) fn signed(bytes: &[u8]) -> i64 {
    let negative = bytes.last().is_some_and(|b| *b >= 0x80);
    let mut wide = if negative { [0xff; 8] } else { [0; 8] };
    wide[..bytes.len()].copy_from_slice(bytes);
    i64::from_le_bytes(wide)
}
