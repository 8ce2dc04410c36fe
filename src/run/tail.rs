//! Follows an event log that another process writes.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::error::{RunError, at};
use super::line::{Line, Parsed, parse, split_line};
use super::standing::read_fully;
use crate::private;

/// Most bytes that one call of [`Tail::read`] takes; a line that is longer is damaged.
const CHUNK: usize = 4 << 20;
/// Bytes that one thread reads at a time.
const PIECE: usize = 128 << 10;
/// Bytes of memory kept between calls: the first reading is long, those after it are short.
const KEPT: usize = 64 << 10;

/// A reader's place in an event log.
///
/// It never goes past the last whole line, so a line that is being written is read when it is done, and a
/// torn one that a resumed worker cuts off was never shown.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    open: Option<Open>,
    /// Everything before this was read, in bytes.
    offset: u64,
    /// In the middle of a line that is too long to be one.
    skipping: bool,
    lost: u64,
    unknown: u64,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Device and number, which tell a file from another of the same name.
    identity: (u64, u64),
}

/// What [`Tail::read`] found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct News {
    /// In the order of the log.
    pub lines: Vec<Line>,
    /// The log was cut or replaced: forget what was read before; `lines` start at its beginning.
    pub restarted: bool,
    /// There is more to read now.
    pub more: bool,
}

impl Tail {
    /// A reader at the beginning of the log at `path`, which need not exist yet.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            open: None,
            offset: 0,
            skipping: false,
            lost: 0,
            unknown: 0,
            buffer: Vec::new(),
        }
    }

    /// Damaged lines that were skipped so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Lines so far of a kind that this version does not know.
    #[must_use]
    pub fn unknown(&self) -> u64 {
        self.unknown
    }

    /// The part of the log that was read, in bytes.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads what is new, at most a few megabytes of it. Costs two system calls if nothing is.
    ///
    /// # Errors
    /// If the log exists and cannot be read.
    pub fn read(&mut self) -> Result<News, RunError> {
        let path = self.path.clone();
        self.read_news().map_err(at("reading the event log", &path))
    }

    fn read_news(&mut self) -> io::Result<News> {
        let mut news = News::default();
        let meta = match std::fs::symlink_metadata(&self.path) {
            Ok(meta) => meta,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(news),
            Err(e) => return Err(e),
        };
        let identity = (meta.dev(), meta.ino());
        let replaced = self.open.as_ref().is_some_and(|o| o.identity != identity);
        if replaced || meta.len() < self.offset {
            news.restarted = true;
            self.restart();
        }
        if meta.len() == self.offset {
            return Ok(news);
        }
        if self.open.is_none() {
            let file = private::open_read(&self.path)?;
            self.open = Some(Open { file, identity });
        }
        if self.was_cut()? {
            news.restarted = true;
            let open = self.open.take();
            self.restart();
            self.open = open;
        }
        self.read_chunk(&mut news)?;
        Ok(news)
    }

    /// Whether the newline before our place is gone: the log was cut and has grown again since.
    fn was_cut(&self) -> io::Result<bool> {
        let Some(open) = self
            .open
            .as_ref()
            .filter(|_| self.offset > 0 && !self.skipping)
        else {
            return Ok(false);
        };
        let mut before = [b'\n'];
        read_fully(&open.file, &mut before, self.offset - 1)?;
        Ok(before != *b"\n")
    }

    fn restart(&mut self) {
        *self = Self {
            buffer: std::mem::take(&mut self.buffer),
            ..Self::new(&self.path)
        };
    }

    fn read_chunk(&mut self, news: &mut News) -> io::Result<()> {
        let Some(open) = &self.open else {
            return Ok(());
        };
        let left = open.file.metadata()?.len().saturating_sub(self.offset);
        let want = usize::try_from(left).map_or(CHUNK, |n| n.min(CHUNK));
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(want, 0);
        let got = read_fully(&open.file, &mut buffer, self.offset)?;
        self.take(&buffer[..got], news);
        news.more = got == CHUNK;
        buffer.truncate(0);
        buffer.shrink_to(KEPT);
        self.buffer = buffer;
        Ok(())
    }

    /// Takes the lines in `bytes`, which begin at `self.offset`.
    fn take(&mut self, bytes: &[u8], news: &mut News) {
        let mut rest = bytes;
        if self.skipping && split_line(&mut rest).is_some() {
            self.skipping = false;
        }
        if !self.skipping {
            let whole = rest
                .iter()
                .rposition(|&b| b == b'\n')
                .map_or(0, |at| at + 1);
            let (lines, torn) = rest.split_at(whole);
            self.take_lines(lines, news);
            rest = torn;
        }
        let endless = rest.len() == bytes.len() && bytes.len() == CHUNK;
        if endless {
            self.lost += u64::from(!self.skipping);
            self.skipping = true;
        }
        if self.skipping {
            rest = &[];
        }
        self.offset += (bytes.len() - rest.len()) as u64;
    }

    fn take_lines(&mut self, bytes: &[u8], news: &mut News) {
        let pieces: Vec<Piece> = pieces(bytes).into_par_iter().map(Piece::read).collect();
        for piece in pieces {
            news.lines.extend(piece.lines);
            self.lost += piece.lost;
            self.unknown += piece.unknown;
        }
    }
}

/// Cuts whole lines into pieces of whole lines, for several threads to read.
fn pieces(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut out = Vec::with_capacity(bytes.len() / PIECE + 1);
    while !bytes.is_empty() {
        let from = PIECE.min(bytes.len());
        let newline = bytes[from..].iter().position(|&b| b == b'\n');
        let (piece, rest) = bytes.split_at(newline.map_or(bytes.len(), |at| from + at + 1));
        out.push(piece);
        bytes = rest;
    }
    out
}

/// What a piece holds.
#[derive(Default)]
struct Piece {
    lines: Vec<Line>,
    lost: u64,
    unknown: u64,
}

impl Piece {
    fn read(mut bytes: &[u8]) -> Self {
        let mut piece = Self::default();
        while let Some(line) = split_line(&mut bytes) {
            match parse(line) {
                Parsed::Event(line) => piece.lines.push(line),
                Parsed::Standing { .. } => {}
                Parsed::Unknown => piece.unknown += 1,
                Parsed::Damaged => piece.lost += u64::from(line != b"\n"),
            }
        }
        piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn note(seq: u64) -> String {
        format!("{{\"t\":{seq},\"seq\":{seq},\"kind\":\"note\",\"text\":\"n{seq}\"}}\n")
    }

    fn seqs(news: &News) -> Vec<u64> {
        news.lines.iter().map(|l| l.seq).collect()
    }

    fn log() -> (tempfile::TempDir, PathBuf, File) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let file = private::open_append(&path).unwrap();
        (dir, path, file)
    }

    #[test]
    fn a_torn_line_is_read_when_it_is_whole() {
        let (_dir, path, mut file) = log();
        let mut tail = Tail::new(&path);
        assert_eq!(tail.read().unwrap(), News::default());
        let second = note(2);
        file.write_all(note(1).as_bytes()).unwrap();
        file.write_all(&second.as_bytes()[..9]).unwrap();
        assert_eq!(seqs(&tail.read().unwrap()), [1]);
        assert_eq!(seqs(&tail.read().unwrap()), [0; 0]);
        file.write_all(&second.as_bytes()[9..]).unwrap();
        assert_eq!(seqs(&tail.read().unwrap()), [2]);
        assert_eq!(tail.lost(), 0);
    }

    #[test]
    fn damage_costs_its_own_lines_only() {
        let (_dir, path, mut file) = log();
        let text = format!(
            "{}garbage\n\0\0\0\0\n{{\"kind\":\"later\"}}\n{}",
            note(1),
            note(2)
        );
        file.write_all(text.as_bytes()).unwrap();
        let mut tail = Tail::new(&path);
        assert_eq!(seqs(&tail.read().unwrap()), [1, 2]);
        assert_eq!((tail.lost(), tail.unknown()), (2, 1));
    }

    #[test]
    fn a_torn_end_that_is_cut_off_does_not_restart_the_reader() {
        let (_dir, path, mut file) = log();
        let mut tail = Tail::new(&path);
        file.write_all(note(1).as_bytes()).unwrap();
        file.write_all(b"{\"t\":1,").unwrap();
        tail.read().unwrap();
        file.set_len(note(1).len() as u64).unwrap();
        file.write_all(note(2).as_bytes()).unwrap();
        let news = tail.read().unwrap();
        assert!(!news.restarted);
        assert_eq!(seqs(&news), [2]);
    }

    #[test]
    fn a_log_that_was_cut_or_replaced_is_read_again() {
        let (_dir, path, mut file) = log();
        let mut tail = Tail::new(&path);
        for i in 1..100 {
            file.write_all(note(i).as_bytes()).unwrap();
        }
        tail.read().unwrap();
        file.set_len(0).unwrap();
        file.write_all(note(1).as_bytes()).unwrap();
        let news = tail.read().unwrap();
        assert!(news.restarted && seqs(&news) == [1]);

        // Cut, then longer than before, with a line across our place.
        file.set_len(0).unwrap();
        file.write_all(format!("{{{}}}\n", " ".repeat(300)).as_bytes())
            .unwrap();
        let news = tail.read().unwrap();
        assert!(news.restarted);

        std::fs::write(path.with_extension("new"), note(5) + &note(6)).unwrap();
        std::fs::rename(path.with_extension("new"), &path).unwrap();
        let news = tail.read().unwrap();
        assert!(news.restarted && seqs(&news) == [5, 6]);
    }

    #[test]
    fn long_logs_come_in_pieces_and_whole() {
        let (_dir, path, mut file) = log();
        let text: String = (1..=200_000).map(note).collect();
        assert!(text.len() > 2 * CHUNK);
        file.write_all(text.as_bytes()).unwrap();
        let (mut tail, mut all) = (Tail::new(&path), Vec::new());
        loop {
            let news = tail.read().unwrap();
            all.extend(seqs(&news));
            if !news.more {
                break;
            }
        }
        assert!(all.iter().copied().eq(1..=200_000));
    }

    #[test]
    fn a_line_without_end_is_skipped_in_bounded_memory() {
        let (_dir, path, mut file) = log();
        file.write_all(note(1).as_bytes()).unwrap();
        file.write_all(&vec![b'x'; 3 * CHUNK]).unwrap();
        file.write_all(format!("\n{}", note(2)).as_bytes()).unwrap();
        let (mut tail, mut all) = (Tail::new(&path), Vec::new());
        loop {
            let news = tail.read().unwrap();
            all.extend(seqs(&news));
            if !news.more {
                break;
            }
        }
        assert_eq!(all, [1, 2]);
        assert_eq!(tail.lost(), 1);
    }
}
