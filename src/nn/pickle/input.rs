//! The bytes that a pickle is read from: one after another, counted, and never more than there are.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use super::latin1::Latin1;

/// Where reading stands.
pub(crate) struct Input<'a> {
    from: &'a mut dyn BufRead,
    at: u64,
    left: u64,
}

/// A `torch.save` stream in the midst of a pickle, as [`Input::within`] reads it; its magic number was
/// read already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Embedded {
    /// Bytes in the pickle.
    pub(super) length: u64,
    pub(super) encoding: Encoding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    /// Each byte is a letter of UTF-8 text: protocol 2 has no other way.
    Latin1,
}

impl<'a> Input<'a> {
    /// Reads `from`, which has at most `left` bytes more. What is set aside for contents is measured by
    /// this number, so it should not be far above the truth.
    pub fn new(from: &'a mut dyn BufRead, left: u64) -> Self {
        Self { from, at: 0, left }
    }

    /// Bytes read so far.
    pub const fn at(&self) -> u64 {
        self.at
    }

    /// Most bytes that may still come.
    pub const fn left(&self) -> u64 {
        self.left
    }

    pub(super) fn byte(&mut self) -> io::Result<u8> {
        self.array::<1>().map(|[b]| b)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut array = [0; N];
        self.read_exact(&mut array)?;
        Ok(array)
    }

    /// The next `length` bytes; memory is taken for what is truly there.
    pub(super) fn bytes(&mut self, length: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.by_ref().take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 == length {
            Ok(bytes)
        } else {
            Err(ErrorKind::UnexpectedEof.into())
        }
    }

    /// Passes over `length` bytes.
    pub(super) fn skip(&mut self, length: u64) -> io::Result<()> {
        let passed = io::copy(&mut self.by_ref().take(length), &mut io::sink())?;
        if passed == length {
            Ok(())
        } else {
            Err(ErrorKind::UnexpectedEof.into())
        }
    }

    /// Up to the end of the line, without it; a line beyond `longest` bytes ends too early.
    pub(super) fn line(&mut self, longest: u64) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.by_ref().take(longest).read_until(b'\n', &mut line)?;
        match line.pop() {
            Some(b'\n') => Ok(line),
            _ => Err(ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Lets `read` read an embedded stream, and passes over what it leaves of it.
    pub fn within<T, E: From<io::Error>>(
        &mut self,
        embedded: Embedded,
        read: impl FnOnce(&mut Input<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let length = embedded.length.min(self.left);
        let mut part = self.by_ref().take(embedded.length);
        let found = match embedded.encoding {
            Encoding::Plain => read(&mut Input::new(&mut part, length)),
            Encoding::Latin1 => {
                let mut text = BufReader::new(Latin1::new(&mut part));
                read(&mut Input::new(&mut text, length))
            }
        }?;
        io::copy(&mut part, &mut io::sink())?;
        if part.limit() > 0 {
            return Err(io::Error::from(ErrorKind::UnexpectedEof).into());
        }
        Ok(found)
    }
}

impl Read for Input<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(to.len());
        let read = self.from.read(&mut to[..most])?;
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

impl BufRead for Input<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX);
        let buffer = self.from.fill_buf()?;
        Ok(&buffer[..buffer.len().min(most)])
    }

    fn consume(&mut self, amount: usize) {
        self.from.consume(amount);
        self.at += amount as u64;
        self.left -= amount as u64;
    }
}
