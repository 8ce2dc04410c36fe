//! Where the parts of this panel lie.

use ratatui::layout::Rect;

/// From this size on there are charts, and what was never seen stands beside them.
const CHARTS: (u16, u16) = (108, 26);
/// Rows of the sentence: with charts, and without.
const SENTENCE: (u16, u16) = (4, 4);
/// From this height on, measures stand in a line each where there are no charts.
const LINES: u16 = 19;
/// Rows of one measure's chart, its title and axis included: least and most.
const CHART: (u16, u16) = (6, 11);
/// From so many rows on, features stand in two rows of blocks.
const TWO_ROWS: u16 = 20;
/// Rows of facts below what was never seen.
const FACTS: u16 = 16;

/// The parts' places; an empty one is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Title, legend, sentence, measures and features.
    pub left: Rect,
    pub sentence: Rect,
    pub measures: Rect,
    pub features: Rect,
    /// Title and list.
    pub unseen: Rect,
    pub facts: Rect,
    /// Whether measures and features are charts; else they are lines.
    pub has_charts: bool,
    /// Rows of blocks of features.
    pub feature_rows: u16,
}

impl Layout {
    #[must_use]
    pub fn of(area: Rect) -> Self {
        if area.width >= CHARTS.0 && area.height >= CHARTS.1 {
            Self::wide(area)
        } else {
            Self::small(area)
        }
    }

    fn wide(area: Rect) -> Self {
        let right = (area.width / 3).clamp(36, 60);
        let left = Rect {
            width: area.width - right - 1,
            ..area
        };
        let right = Rect {
            x: left.right() + 1,
            width: right,
            ..area
        };
        let inside = |y: u16, height: u16| Rect {
            x: left.x + 1,
            y,
            width: left.width.saturating_sub(2),
            height,
        };
        // Title and legend come first.
        let sentence = inside(area.y + 2, SENTENCE.0);
        let top = sentence.bottom() + 1;
        let rest = area.bottom() - top;
        let chart = (rest * 5 / 18).clamp(CHART.0, CHART.1);
        let measures = inside(top, 2 * chart);
        let features = inside(measures.bottom(), rest - 2 * chart);
        let facts = FACTS.min(area.height / 2);
        let unseen = Rect {
            height: area.height - facts,
            ..right
        };
        Self {
            left,
            sentence,
            measures,
            features,
            unseen,
            facts: Rect {
                y: unseen.bottom(),
                height: facts,
                ..right
            },
            has_charts: true,
            feature_rows: 1 + u16::from(features.height >= TWO_ROWS),
        }
    }

    fn small(area: Rect) -> Self {
        let inside = |y: u16, height: u16| Rect {
            x: area.x + 1,
            y,
            width: area.width.saturating_sub(2),
            height,
        };
        let sentence = inside(area.y + 2, SENTENCE.1.min(area.height.saturating_sub(2)));
        let lines = if area.height >= LINES { 6 } else { 0 };
        let measures = inside(sentence.bottom(), lines);
        let features = inside(measures.bottom(), lines.min(1));
        let top = features.bottom().min(area.bottom());
        let none = Rect {
            y: area.bottom(),
            height: 0,
            ..area
        };
        Self {
            left: Rect {
                height: top - area.y,
                ..area
            },
            sentence,
            measures,
            features,
            unseen: Rect {
                y: top,
                height: area.bottom() - top,
                ..area
            },
            facts: none,
            has_charts: false,
            feature_rows: 0,
        }
    }

    /// Lines that one entry of the list takes.
    #[must_use]
    pub const fn entry_rows(&self) -> u16 {
        if self.has_charts { 2 } else { 1 }
    }

    /// Entries of the list that fit.
    #[must_use]
    pub const fn page(&self) -> usize {
        (self.unseen.height.saturating_sub(1) / self.entry_rows()) as usize
    }
}
