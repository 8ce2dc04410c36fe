//! The characters that carry meaning, in three sets: for fonts with braille, with blocks only, and
//! for terminals that know nothing but ASCII.

use super::theme::Environment;

/// Which characters may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlyphSet {
    /// Braille curves, blocks, arrows.
    Unicode,
    /// As [`GlyphSet::Unicode`], curves in half blocks instead of braille.
    Blocks,
    Ascii,
}

/// Characters by meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glyphs {
    pub set: GlyphSet,
    /// Horizontal and vertical line between panes.
    pub rule: &'static str,
    pub bar: &'static str,
    pub ellipsis: &'static str,
    pub arrow: &'static str,
    /// Between facts in one line.
    pub dot: &'static str,
    pub open: &'static str,
    pub closed: &'static str,
    /// Marks the chosen entry of a list.
    pub cursor: &'static str,
    pub full: &'static str,
    pub empty: &'static str,
    /// A whole cell of ink.
    pub block: &'static str,
    pub running: &'static str,
    pub paused: &'static str,
    pub done: &'static str,
    pub failed: &'static str,
    pub waiting: &'static str,
    /// Point at the place of a value on an axis: of the chosen one, of the one compared with.
    pub mark: &'static str,
    pub second_mark: &'static str,
    /// The value lies beyond the axis.
    pub off_left: &'static str,
    pub off_right: &'static str,
    pub up_down: &'static str,
    pub left_right: &'static str,
    pub enter: &'static str,
}

const UNICODE: Glyphs = Glyphs {
    set: GlyphSet::Unicode,
    rule: "─",
    bar: "│",
    ellipsis: "…",
    arrow: "→",
    dot: "·",
    open: "▾",
    closed: "▸",
    cursor: "›",
    full: "▰",
    empty: "▱",
    block: "█",
    running: "●",
    paused: "▮",
    done: "✓",
    failed: "✗",
    waiting: "○",
    mark: "▲",
    second_mark: "△",
    off_left: "◂",
    off_right: "▸",
    up_down: "↑↓",
    left_right: "←→",
    enter: "⏎",
};

const ASCII: Glyphs = Glyphs {
    set: GlyphSet::Ascii,
    rule: "-",
    bar: "|",
    ellipsis: "~",
    arrow: "->",
    dot: "-",
    open: "v",
    closed: ">",
    cursor: ">",
    full: "#",
    empty: ".",
    block: "#",
    running: "*",
    paused: "=",
    done: "+",
    failed: "x",
    waiting: "o",
    mark: "^",
    second_mark: "+",
    off_left: "<",
    off_right: ">",
    up_down: "Up/Down",
    left_right: "Left/Right",
    enter: "Enter",
};

impl Glyphs {
    /// The characters of a set.
    #[must_use]
    pub const fn of(set: GlyphSet) -> Self {
        match set {
            GlyphSet::Unicode => UNICODE,
            GlyphSet::Blocks => Self {
                set: GlyphSet::Blocks,
                ..UNICODE
            },
            GlyphSet::Ascii => ASCII,
        }
    }

    /// The next set, going round.
    #[must_use]
    pub const fn next(self) -> Self {
        Self::of(match self.set {
            GlyphSet::Unicode => GlyphSet::Blocks,
            GlyphSet::Blocks => GlyphSet::Ascii,
            GlyphSet::Ascii => GlyphSet::Unicode,
        })
    }

    /// The arrow in a single cell.
    #[must_use]
    pub fn arrow_cell(self) -> &'static str {
        if self.is_ascii() { ">" } else { self.arrow }
    }

    /// Whether anything beyond ASCII may be drawn.
    #[must_use]
    pub fn is_ascii(self) -> bool {
        self.set == GlyphSet::Ascii
    }
}

impl GlyphSet {
    /// The set that suits the locale and the terminal. A locale that is not set at all says nothing
    /// (containers); only one that names another encoding rules Unicode out.
    #[must_use]
    pub fn of(environment: &Environment) -> Self {
        let locale = environment.locale.to_ascii_lowercase();
        let other_encoding = !locale.is_empty()
            && !locale.contains("utf-8")
            && !locale.contains("utf8")
            && (locale.contains('.') || locale == "c" || locale == "posix");
        if other_encoding || matches!(environment.term.as_str(), "linux" | "dumb" | "vt100") {
            Self::Ascii
        } else {
            Self::Unicode
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locale_and_terminal_decide_the_set() {
        let set = |locale: &str, term: &str| {
            GlyphSet::of(&Environment {
                locale: locale.into(),
                term: term.into(),
                ..Environment::default()
            })
        };
        assert_eq!(set("en_GB.UTF-8", "xterm"), GlyphSet::Unicode);
        assert_eq!(set("C.utf8", "xterm"), GlyphSet::Unicode);
        assert_eq!(set("", "xterm-256color"), GlyphSet::Unicode);
        assert_eq!(set("C", "xterm"), GlyphSet::Ascii);
        assert_eq!(set("de_DE.ISO-8859-1", "xterm"), GlyphSet::Ascii);
        assert_eq!(set("en_GB.UTF-8", "linux"), GlyphSet::Ascii);
    }
}
