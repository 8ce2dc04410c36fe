//! Text from outside, made safe to show.

use std::fmt;

/// Longest text that is shown from one name or message, in characters.
const LONGEST: usize = 4096;

/// Text that came from a file, a name or another process, with everything replaced that a terminal
/// would act upon: control characters, zero-width and bidirectional marks.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shown(String);

impl Shown {
    /// Makes `raw` safe; each dangerous character becomes a visible stand-in.
    #[must_use]
    pub fn new(raw: &str) -> Self {
        Self(raw.chars().take(LONGEST).map(stand_in).collect())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn stand_in(c: char) -> char {
    match c {
        '\t' => ' ',
        '\n' => '␤',
        c if c.is_control() => '␛',
        c if is_invisible(c) => '·',
        c => c,
    }
}

/// Zero-width and bidirectional marks.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{2069}'
            | '\u{FEFF}'
    )
}

/// The same JSON document with every character escaped that a terminal would act upon. In JSON they
/// can only stand in strings, where an escape means the same; line ends between values stay.
#[must_use]
pub fn terminal_safe_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && (c.is_control() || is_invisible(c)) {
            // All of them lie in the first plane, so one escape is enough.
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            safe.push(c);
        }
    }
    safe
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Shown {
    fn from(raw: &str) -> Self {
        Self::new(raw)
    }
}

impl AsRef<str> for Shown {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_bidi_marks_do_not_pass() {
        let shown = Shown::new("a\x1b]52;c;AAAA\x07b\u{202E}c\u{9b}31m");
        assert!(!shown.as_str().chars().any(char::is_control));
        assert!(!shown.as_str().contains('\u{202E}'));
        assert!(shown.as_str().starts_with('a'));
    }

    #[test]
    fn json_keeps_its_meaning_and_loses_its_terminal_codes() {
        let text = "\u{9b}31m\u{7f}\u{202E}\x1b[0m\n end";
        let json = serde_json::to_string_pretty(&[text]).unwrap();
        let safe = terminal_safe_json(&json);
        assert!(
            safe.chars()
                .all(|c| c == '\n' || !c.is_control() && !is_invisible(c))
        );
        assert_eq!(serde_json::from_str::<[String; 1]>(&safe).unwrap(), [text]);
    }
}
