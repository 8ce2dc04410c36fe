//! Bytes that were written as text, one letter each.

use std::io::{self, BufRead, Error, ErrorKind, Read};

/// Reads UTF-8 text of the letters up to U+00FF, and gives their numbers.
pub(super) struct Latin1<R> {
    text: R,
    /// The first byte of a letter whose second one has not come yet.
    begun: Option<u8>,
}

impl<R: BufRead> Latin1<R> {
    pub const fn new(text: R) -> Self {
        Self { text, begun: None }
    }
}

impl<R: BufRead> Read for Latin1<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            let from = self.text.fill_buf()?;
            let at_end = from.is_empty();
            let (used, made) = turn(&mut self.begun, from, to)?;
            self.text.consume(used);
            if at_end && self.begun.is_some() {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if made > 0 || at_end || to.is_empty() {
                return Ok(made);
            }
        }
    }
}

/// Turns the beginning of `from` into bytes at the beginning of `to`: how many were used, and made. `begun`
/// is the first byte of a letter that goes on in `from`.
fn turn(begun: &mut Option<u8>, from: &[u8], to: &mut [u8]) -> io::Result<(usize, usize)> {
    let (mut used, mut made) = (0, 0);
    for byte in from {
        if made == to.len() {
            break;
        }
        used += 1;
        match (begun.take(), byte) {
            (None, 0..0x80) => to[made] = *byte,
            (None, 0xc2 | 0xc3) => {
                *begun = Some(*byte);
                continue;
            }
            (Some(first), 0x80..0xc0) => to[made] = first << 6 | byte & 0x3f,
            _ => {
                let what = "bytes are written with letters outside latin1";
                return Err(Error::new(ErrorKind::InvalidData, what));
            }
        }
        made += 1;
    }
    Ok((used, made))
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn every_byte_comes_back_however_the_text_is_cut() {
        let bytes: Vec<u8> = (0..=255).collect();
        let text: String = bytes.iter().map(|b| char::from(*b)).collect();
        for capacity in [1, 2, 3, 100] {
            let cut = BufReader::with_capacity(capacity, text.as_bytes());
            let mut back = Vec::new();
            Latin1::new(cut).read_to_end(&mut back).unwrap();
            assert_eq!(back, bytes);
        }
    }

    #[test]
    fn other_letters_and_halves_of_letters_are_errors() {
        for text in ["\u{100}".as_bytes(), &[0xc3], &[0x80], &[0xc3, 0x41]] {
            let read = Latin1::new(text).read_to_end(&mut Vec::new());
            assert!(read.is_err(), "{text:?}");
        }
    }
}
