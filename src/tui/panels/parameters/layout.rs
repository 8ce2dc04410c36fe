//! Where the panes of this panel lie.

use ratatui::layout::Rect;

use super::Pane;

/// Below this width only the pane with the keys is shown.
const SEVERAL_PANES: u16 = 76;
/// From this width the recipe stands beside the detail, too, not only beside the table.
const TALL_RECIPE: u16 = 110;
/// Rows that the recipe needs: title, fields, a gap, actions.
const RECIPE_ROWS: u16 = 12;
/// Rows of the detail: least and most.
const DETAIL_ROWS: (u16, u16) = (9, 24);

/// The panes' places; an empty one is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub recipe: Rect,
    pub table: Rect,
    pub detail: Rect,
    pub single: bool,
}

/// Lines of the table pane above its rows: title, what is shown, column titles.
pub const TABLE_HEAD: u16 = 3;

impl Layout {
    #[must_use]
    pub fn of(area: Rect, focus: Pane) -> Self {
        if area.width < SEVERAL_PANES {
            return Self::single(area, focus);
        }
        let recipe_width = (area.width / 5).clamp(24, 32);
        let (least, most) = DETAIL_ROWS;
        let wished = (area.height * 2 / 5).clamp(least, most);
        let tall = area.width >= TALL_RECIPE;
        let above = if tall { 8 } else { RECIPE_ROWS };
        let detail_height = wished.min(area.height.saturating_sub(above));
        let table_height = area.height - detail_height;
        let left = Rect {
            width: recipe_width,
            ..area
        };
        let right = Rect {
            x: area.x + recipe_width + 1,
            width: area.width - recipe_width - 1,
            ..area
        };
        let below = if tall { right } else { area };
        Self {
            recipe: Rect {
                height: if tall { area.height } else { table_height },
                ..left
            },
            table: Rect {
                height: table_height,
                ..right
            },
            detail: Rect {
                y: area.y + table_height,
                height: detail_height,
                ..below
            },
            single: false,
        }
    }

    fn single(area: Rect, focus: Pane) -> Self {
        let none = Rect { height: 0, ..area };
        let when = |pane| if focus == pane { area } else { none };
        Self {
            recipe: when(Pane::Recipe),
            table: when(Pane::Table),
            detail: when(Pane::Detail),
            single: true,
        }
    }

    #[must_use]
    pub const fn table_rows(&self) -> usize {
        self.table.height.saturating_sub(TABLE_HEAD) as usize
    }
}
