//! Where the panes of this panel lie.

use ratatui::layout::Rect;

/// Below this width only the pane with the keys is shown.
const TWO_PANES: u16 = 76;
/// From this width the details stand beside the tree instead of below it.
const THREE_PANES: u16 = 150;
/// Rows for the details below the tree, their title included: least and most.
const DETAIL_ROWS: (u16, u16) = (6, 11);

/// The panes' places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub list: Rect,
    pub tree: Rect,
    /// Empty where there is no room.
    pub details: Rect,
    /// Only one pane at a time.
    pub single: bool,
}

/// Lines of the list pane above its rows: title and filter.
pub const LIST_HEAD: u16 = 2;
/// Lines of the tree pane above its rows: title, totals, column titles.
pub const TREE_HEAD: u16 = 3;

/// How much is said of two architectures above their difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Totals {
    /// Only the difference, in one line.
    Line,
    /// A table of both and the difference.
    Table,
    /// And a line that counts the nodes that differ.
    TableAndCounts,
}

/// Below these heights of the tree pane, the totals of a comparison take fewer lines.
const TABLE: u16 = 12;
const TABLE_AND_COUNTS: u16 = 20;

impl Totals {
    /// Lines.
    #[must_use]
    pub const fn rows(self) -> u16 {
        match self {
            Self::Line => 1,
            Self::Table => 4,
            Self::TableAndCounts => 6,
        }
    }
}

impl Layout {
    #[must_use]
    pub fn of(area: Rect) -> Self {
        let single = area.width < TWO_PANES;
        let list_width = if single {
            area.width
        } else {
            (area.width / 5).clamp(26, 36)
        };
        let list = Rect {
            width: list_width,
            ..area
        };
        let right = if single {
            area
        } else {
            Rect {
                x: area.x + list_width + 1,
                width: area.width - list_width - 1,
                ..area
            }
        };
        let (tree, details) = split(right, area.width >= THREE_PANES);
        Self {
            list,
            tree,
            details,
            single,
        }
    }

    #[must_use]
    pub const fn list_rows(&self) -> usize {
        self.list.height.saturating_sub(LIST_HEAD) as usize
    }

    /// How the totals of a comparison are drawn.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        match self.tree.height {
            ..TABLE => Totals::Line,
            TABLE..TABLE_AND_COUNTS => Totals::Table,
            TABLE_AND_COUNTS.. => Totals::TableAndCounts,
        }
    }

    /// Rows of the tree while two architectures are compared: without titles and totals.
    #[must_use]
    pub const fn compare_rows(&self) -> usize {
        self.tree.height.saturating_sub(2 + self.totals().rows()) as usize
    }

    #[must_use]
    pub const fn tree_rows(&self) -> usize {
        self.tree.height.saturating_sub(TREE_HEAD) as usize
    }
}

fn split(area: Rect, beside: bool) -> (Rect, Rect) {
    if beside {
        let width = area.width / 3;
        let tree = Rect {
            width: area.width - width - 1,
            ..area
        };
        let details = Rect {
            x: tree.right() + 1,
            width,
            ..area
        };
        return (tree, details);
    }
    let (least, most) = DETAIL_ROWS;
    let rows = if area.height < 14 {
        0
    } else {
        (area.height / 3).clamp(least, most)
    };
    let tree = Rect {
        height: area.height - rows,
        ..area
    };
    let details = Rect {
        y: tree.bottom(),
        height: rows,
        ..area
    };
    (tree, details)
}
