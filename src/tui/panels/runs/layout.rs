//! Where list, details and charts stand.

use ratatui::layout::Rect;

use super::metric::Metric;
use super::sight::Sight;

/// Width of the list by the least width of the panel, widest first.
const LIST_WIDTHS: [(u16, u16); 4] = [(160, 46), (100, 38), (72, 31), (0, 27)];
/// Height of the details by the least height of the panel, highest first.
const DETAIL_HEIGHTS: [(u16, u16); 4] = [(44, 14), (30, 10), (18, 4), (0, 0)];
/// Between list and charts.
const GAP: u16 = 1;
/// From this size on, charts stand side by side or above each other.
const WIDE_CHARTS: u16 = 76;
const HIGH_CHARTS: u16 = 18;
const VERY_HIGH_CHARTS: u16 = 40;
/// Part of the height that the upper of two rows of charts has, in fifths.
const UPPER_FIFTHS: u16 = 3;

/// Lines that one run takes in the list.
pub const LINES_PER_RUN: u16 = 2;

/// The panel's parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pub list: Rect,
    /// Of the selected run; may have no height.
    pub details: Rect,
    pub charts: Rect,
}

impl Layout {
    #[must_use]
    pub fn of(area: Rect) -> Self {
        let width = by_size(&LIST_WIDTHS, area.width).min(area.width);
        let height = by_size(&DETAIL_HEIGHTS, area.height);
        let list = Rect {
            width,
            height: area.height - height,
            ..area
        };
        let charts_at = width + GAP.min(area.width - width);
        Self {
            list,
            details: Rect {
                y: list.bottom(),
                height,
                ..list
            },
            charts: Rect {
                x: area.x + charts_at,
                width: area.width - charts_at,
                ..area
            },
        }
    }

    /// Runs that the list can show, its title and the filter's line aside.
    #[must_use]
    pub fn page(&self, filter: bool) -> usize {
        let lines = self.list.height.saturating_sub(1 + u16::from(filter));
        usize::from(lines / LINES_PER_RUN)
    }

    /// The charts that there is room for.
    #[must_use]
    pub fn plots(&self, sight: &Sight) -> Vec<(Metric, Rect)> {
        let area = self.charts;
        if sight.enlarged {
            return vec![(sight.focus, area)];
        }
        let wide = area.width >= WIDE_CHARTS;
        if wide && area.height >= HIGH_CHARTS {
            let (upper, lower) = cut(area, area.height * UPPER_FIFTHS / 5);
            return Metric::ALL
                .into_iter()
                .zip(beside(upper).into_iter().chain(beside(lower)))
                .collect();
        }
        if wide {
            return pair(sight.focus).into_iter().zip(beside(area)).collect();
        }
        if area.height >= VERY_HIGH_CHARTS {
            let (upper, lower) = cut(area, area.height / 2);
            let halves = [upper, lower].map(|half| cut(half, half.height / 2));
            let quarters = halves.into_iter().flat_map(|(a, b)| [a, b]);
            return Metric::ALL.into_iter().zip(quarters).collect();
        }
        if area.height >= HIGH_CHARTS {
            let (upper, lower) = cut(area, area.height / 2);
            return pair(sight.focus).into_iter().zip([upper, lower]).collect();
        }
        vec![(sight.focus, area)]
    }
}

fn by_size(table: &[(u16, u16)], size: u16) -> u16 {
    let found = table.iter().find(|(least, _)| size >= *least);
    found.map_or(0, |(_, value)| *value)
}

/// Accuracy and loss, or the other two if one of them has the focus.
fn pair(focus: Metric) -> [Metric; 2] {
    match focus {
        Metric::Accuracy | Metric::Loss => [Metric::Accuracy, Metric::Loss],
        Metric::LearningRate | Metric::Speed => [Metric::LearningRate, Metric::Speed],
    }
}

fn cut(area: Rect, upper: u16) -> (Rect, Rect) {
    let lower = Rect {
        y: area.y + upper,
        height: area.height - upper,
        ..area
    };
    (
        Rect {
            height: upper,
            ..area
        },
        lower,
    )
}

fn beside(area: Rect) -> [Rect; 2] {
    let left = (area.width - GAP) / 2;
    let right_at = left + GAP;
    [
        Rect {
            width: left,
            ..area
        },
        Rect {
            x: area.x + right_at,
            width: area.width - right_at,
            ..area
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plots(width: u16, height: u16) -> Vec<Metric> {
        let layout = Layout::of(Rect::new(0, 1, width, height));
        layout
            .plots(&Sight::default())
            .into_iter()
            .map(|(metric, _)| metric)
            .collect()
    }

    #[test]
    fn more_room_shows_more_charts() {
        assert_eq!(plots(60, 14), [Metric::Accuracy]);
        assert_eq!(plots(80, 22), [Metric::Accuracy, Metric::Loss]);
        assert_eq!(plots(120, 34), Metric::ALL);
        assert_eq!(plots(200, 58), Metric::ALL);
    }

    proptest! {
        #[test]
        fn parts_lie_in_the_panel_and_do_not_overlap(width in 1_u16..300, height in 1_u16..100) {
            let area = Rect::new(0, 1, width, height);
            let layout = Layout::of(area);
            let mut parts = vec![layout.list, layout.details];
            parts.extend(layout.plots(&Sight::default()).into_iter().map(|(_, rect)| rect));
            for (i, a) in parts.iter().enumerate() {
                prop_assert_eq!(a.intersection(area).area(), a.area());
                for b in &parts[i + 1..] {
                    prop_assert!(a.intersection(*b).is_empty(), "{:?} {:?}", a, b);
                }
            }
        }
    }
}
