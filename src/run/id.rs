//! A run's name.

use std::fmt;
use std::str::FromStr;

use super::RunError;
use super::clock::Utc;

/// Longest text made of a run's words, in characters.
const LONGEST_WORDS: usize = 48;
/// Longest name, in bytes; file systems take 255.
const LONGEST: usize = 120;

/// The name of a run and of its directory, such as `20261123-0914-resnet50-ghn-orth-7f3a`: minute of
/// its making (UTC), words, four hexadecimal digits. Names sort by time. They hold only ASCII letters,
/// digits, `-`, `_` and `.`, and so can be shown anywhere as they are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(String);

impl RunId {
    /// A name for a run made at `created_ms`; `tag` tells it from others of the same minute and words.
    #[must_use]
    pub fn new(created_ms: u64, words: &[&str], tag: u16) -> Self {
        let t = Utc::of(created_ms);
        let words = plain(words);
        Self(format!(
            "{:04}{:02}{:02}-{:02}{:02}-{words}-{tag:04x}",
            t.year, t.month, t.day, t.hour, t.minute
        ))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Words with only lower-case letters and digits, joined by hyphens.
fn plain(words: &[&str]) -> String {
    let mut out = String::new();
    for c in words.join("-").chars() {
        match c {
            'a'..='z' | '0'..='9' | '_' => out.push(c),
            'A'..='Z' => out.push(c.to_ascii_lowercase()),
            _ if !out.is_empty() && !out.ends_with('-') => out.push('-'),
            _ => {}
        }
    }
    out.truncate(LONGEST_WORDS);
    let trimmed = out.trim_end_matches('-');
    if trimmed.is_empty() {
        "run".to_owned()
    } else {
        trimmed.to_owned()
    }
}

impl FromStr for RunId {
    type Err = RunError;

    /// Takes the name of any directory that could be a run: it begins with eight digits and a hyphen.
    fn from_str(name: &str) -> Result<Self, RunError> {
        let dated = name.len() <= LONGEST
            && name.as_bytes().iter().take(8).all(u8::is_ascii_digit)
            && name.as_bytes().get(8) == Some(&b'-');
        let clean = name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if dated && clean {
            Ok(Self(name.to_owned()))
        } else {
            Err(RunError::BadId(name.to_owned()))
        }
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl AsRef<str> for RunId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl serde::Serialize for RunId {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_when_and_what() {
        let id = RunId::new(1_795_425_245_000, &["resnet50", "ghn+orth"], 0x7f3a);
        assert_eq!(id.as_str(), "20261123-0914-resnet50-ghn-orth-7f3a");
        assert_eq!(id.as_str().parse::<RunId>().unwrap(), id);
    }

    #[test]
    fn hostile_words_leave_only_letters_digits_and_hyphens() {
        let id = RunId::new(0, &["../../etc", "\x1b]52;c;X\x07", "ärger\u{202E}"], 1);
        assert_eq!(id.as_str(), "19700101-0000-etc-52-c-x-rger-0001");
        assert_eq!(
            RunId::new(0, &["\x1b\n"], 1).as_str(),
            "19700101-0000-run-0001"
        );
        let long = "x".repeat(500);
        assert!(RunId::new(0, &[&long], 1).as_str().len() < LONGEST);
    }

    #[test]
    fn names_that_are_no_runs_are_refused() {
        for name in [
            "",
            ".",
            "..",
            "last",
            "2026",
            "20261123-0914/..",
            "20261123-\x1b[0m",
        ] {
            assert!(name.parse::<RunId>().is_err(), "{name:?}");
        }
    }
}
