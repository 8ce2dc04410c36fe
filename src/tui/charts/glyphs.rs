//! The characters that charts are made of, per glyph set.

/// Which characters a terminal's font can be trusted with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Glyphs {
    /// Two by four dots in a cell.
    #[default]
    Braille,
    /// Half blocks: one by two dots in a cell.
    Blocks,
    /// One by three heights in a cell, told apart by `'`, `-` and `.`.
    Ascii,
}

/// Something that cannot be drawn as part of a line but must not be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// NaN or infinite, at the top edge.
    NonFinite,
    /// A value above the upper bound.
    Above,
    /// A value below the lower bound.
    Below,
    /// A value at or below zero on a log axis, at the bottom edge.
    NonPositive,
}

/// Shapes that stand for a line at its end and in lists. Circles and the like say what state a run is in.
const MARKERS: [char; 8] = ['◆', '■', '▲', '▼', '◇', '□', '△', '▽'];
const ASCII_MARKERS: [char; 8] = ['#', '@', '%', '&', '$', 'A', 'B', 'C'];
/// Eighths of a cell, from the bottom; the first is empty.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII_EIGHTHS: [char; 9] = [' ', '_', '_', '.', '.', 'o', 'o', '#', '#'];
/// What three heights in one cell look like; bit 0 is the highest.
const ASCII_HEIGHTS: [char; 8] = [' ', '\'', '-', '!', '.', ':', 'i', '|'];
/// Bits of the braille block, by row from the top, left then right.
const BRAILLE_BITS: [u8; 8] = [0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80];

impl Glyphs {
    /// The next set, for a key that goes round.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Braille => Self::Blocks,
            Self::Blocks => Self::Ascii,
            Self::Ascii => Self::Braille,
        }
    }

    /// Dots across and down in one cell.
    #[must_use]
    pub fn dots(self) -> (usize, usize) {
        match self {
            Self::Braille => (2, 4),
            Self::Blocks => (1, 2),
            Self::Ascii => (1, 3),
        }
    }

    /// The character for a cell's dots; bit `row * across + column`, rows from the top.
    pub(super) fn symbol(self, mask: u8) -> char {
        match self {
            Self::Braille => {
                let bits = (0..8)
                    .filter(|bit| mask & (1 << bit) != 0)
                    .fold(0, |bits, bit| bits | BRAILLE_BITS[bit]);
                char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' ')
            }
            Self::Blocks => [' ', '▀', '▄', '█'][usize::from(mask & 3)],
            Self::Ascii => ASCII_HEIGHTS[usize::from(mask & 7)],
        }
    }

    /// The shape number `index` (any number: they repeat) that stands for a line.
    #[must_use]
    pub fn marker(self, index: usize) -> char {
        match self {
            Self::Ascii => ASCII_MARKERS[index % ASCII_MARKERS.len()],
            _ => MARKERS[index % MARKERS.len()],
        }
    }

    /// A bar of `eighths` of a cell.
    pub(super) fn bar(self, eighths: usize) -> char {
        match self {
            Self::Ascii => ASCII_EIGHTHS[eighths.min(8)],
            _ => EIGHTHS[eighths.min(8)],
        }
    }

    pub(super) fn mark(self, mark: Mark) -> char {
        let ascii = self == Self::Ascii;
        match mark {
            Mark::NonFinite if ascii => 'x',
            Mark::NonFinite => '×',
            Mark::Above if ascii => '^',
            Mark::Above => '▴',
            Mark::Below if ascii => 'v',
            Mark::Below => '▾',
            Mark::NonPositive if ascii => '0',
            Mark::NonPositive => '∅',
        }
    }

    /// Vertical axis, vertical axis with a tick, corner, horizontal axis, horizontal axis with a tick.
    pub(super) fn axis(self) -> [char; 5] {
        match self {
            Self::Ascii => ['|', '+', '+', '-', '+'],
            _ => ['│', '┤', '└', '─', '┬'],
        }
    }

    /// What separates a title from the rest of its line.
    #[must_use]
    pub fn rule(self) -> char {
        match self {
            Self::Ascii => '-',
            _ => '─',
        }
    }

    /// What separates two short facts in one line.
    #[must_use]
    pub fn dot(self) -> char {
        match self {
            Self::Ascii => '-',
            _ => '·',
        }
    }

    pub(super) fn cursor(self) -> char {
        match self {
            Self::Ascii => ':',
            _ => '┊',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braille_dots_have_their_unicode_places() {
        assert_eq!(Glyphs::Braille.symbol(0), '\u{2800}');
        assert_eq!(Glyphs::Braille.symbol(0b0000_0001), '⠁');
        assert_eq!(Glyphs::Braille.symbol(0b0000_0010), '⠈');
        assert_eq!(Glyphs::Braille.symbol(0b0100_0000), '⡀');
        assert_eq!(Glyphs::Braille.symbol(0b1000_0000), '⢀');
        assert_eq!(Glyphs::Braille.symbol(0xff), '⣿');
    }
}
