//! Where the parts of this panel lie.

use ratatui::layout::Rect;

use super::Pane;

/// From this width on, the list stands beside the chosen GHN.
const BESIDE: u16 = 76;
/// Cells of the list, at least and at most; else a quarter.
const LIST: (u16, u16) = (24, 40);
/// Lines about the GHN, its title included: where there is room, and where there is not.
const ABOUT: (u16, u16) = (4, 2);
/// From this height on there is room.
const TALL: u16 = 20;
/// From this height on there is a line between two bars.
const AIRY: u16 = 40;
/// Lines of the accuracies besides the bars: title, names of the columns, legend.
const AROUND_BARS: u16 = 3;
/// Lines of the accuracies where there are none, for a few words.
const NO_BARS: u16 = 7;
/// Lines of an entry of the list.
pub const ENTRY: u16 = 2;

/// The parts' places; an empty one is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub list: Rect,
    pub about: Rect,
    pub splits: Rect,
    /// Card or networks.
    pub below: Rect,
    /// Lines from one bar to the next.
    pub pitch: u16,
}

impl Layout {
    /// `bars` is how many splits are shown.
    #[must_use]
    pub fn of(area: Rect, pane: Pane, bars: usize) -> Self {
        let (list, right) = sides(area, pane);
        let is_tall = area.height >= TALL;
        let pitch = 1 + u16::from(area.height >= AIRY);
        let about = if is_tall { ABOUT.0 } else { ABOUT.1 };
        let splits = match (bars as u16, pane) {
            // On a small screen what is looked at takes the room.
            (_, Pane::Below) if !is_tall => 0,
            (0, _) => NO_BARS,
            (bars, _) => AROUND_BARS + bars * pitch,
        };
        let mut y = right.y;
        let mut take = |height: u16| {
            let part = Rect {
                y,
                height: height.min(right.bottom() - y),
                ..right
            };
            y = part.bottom();
            part
        };
        Self {
            list,
            about: take(about),
            splits: take(splits),
            below: take(u16::MAX),
            pitch,
        }
    }

    /// Entries of the list that fit.
    #[must_use]
    pub const fn list_page(&self) -> usize {
        (self.list.height.saturating_sub(1) / ENTRY) as usize
    }

    /// Lines of card or networks that fit.
    #[must_use]
    pub const fn below_page(&self) -> usize {
        self.below.height.saturating_sub(1) as usize
    }
}

/// The list and the chosen GHN: beside each other, or one of them.
fn sides(area: Rect, pane: Pane) -> (Rect, Rect) {
    let none = Rect { height: 0, ..area };
    if area.width < BESIDE {
        return match pane {
            Pane::List => (area, none),
            Pane::Splits | Pane::Below => (none, area),
        };
    }
    let list = Rect {
        width: (area.width / 4).clamp(LIST.0, LIST.1),
        ..area
    };
    let right = Rect {
        x: list.right() + 1,
        width: area.width - list.width - 1,
        ..area
    };
    (list, right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_never_leave_the_area() {
        for width in [58, 60, 80, 200] {
            for height in 0..70 {
                let area = Rect::new(0, 1, width, height);
                for pane in [Pane::List, Pane::Splits, Pane::Below] {
                    for bars in [0, 6, 7, 40] {
                        let layout = Layout::of(area, pane, bars);
                        for part in [layout.list, layout.about, layout.splits, layout.below] {
                            assert!(part.is_empty() || part.intersection(area) == part);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn six_bars_and_a_card_fit_into_the_smallest_usual_terminal() {
        let layout = Layout::of(Rect::new(0, 1, 80, 22), Pane::List, 6);
        assert_eq!(layout.splits.height, 9);
        assert!(layout.below_page() >= 6, "{layout:?}");
        assert!(layout.list_page() >= 8, "{layout:?}");
    }
}
