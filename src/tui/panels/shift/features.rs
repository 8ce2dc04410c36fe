//! What the network is made of beside what the training networks are made of: bars of shares.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::words;
use crate::engine::protocol::{Bar, Feature, FeatureShift, ShiftReport};
use crate::text::Shown;
use crate::tui::shared::Look;
use crate::tui::widgets::bar::bar;
use crate::tui::widgets::number;
use crate::tui::widgets::write::{Slot, cut, put, put_all, put_right, width};

/// The features in the order of their worth: the first three where there is room for one row of blocks.
const ORDER: [Feature; 6] = [
    Feature::Operators,
    Feature::Layers,
    Feature::Channels,
    Feature::Kernels,
    Feature::Strides,
    Feature::Groups,
];
/// Blocks beside each other.
const COLUMNS: u16 = 3;
/// Cells between two blocks, and of a share in percent.
const GAP: u16 = 3;
const SHARE: u16 = 6;
/// A label of a smaller share on all sides is left out.
const WORTH: f64 = 0.005;

/// What is drawn.
pub struct FeaturesView<'a> {
    pub report: &'a ShiftReport,
    /// Of the network compared with.
    pub second: Option<&'a ShiftReport>,
    pub look: &'a Look,
}

impl FeaturesView<'_> {
    /// The legend, and `rows` rows of blocks below it.
    pub fn draw(&self, rows: u16, area: Rect, buf: &mut Buffer) {
        if area.height < 4 || rows == 0 {
            return;
        }
        self.legend(Slot::new(area.x, area.y, area.width), buf);
        let cells = (area.width + GAP) / COLUMNS;
        let each = (area.height - 1) / rows;
        for (index, feature) in (0..COLUMNS * rows).zip(ORDER) {
            let place = Rect {
                x: area.x + index % COLUMNS * cells,
                y: area.y + 1 + index / COLUMNS * each,
                width: cells.saturating_sub(GAP),
                height: each,
            };
            let shift = self
                .report
                .features
                .iter()
                .find(|shift| shift.of == feature);
            if let Some(shift) = shift {
                self.block(shift, place, buf);
            }
        }
    }

    /// One line: how many of the training networks each feature lies farther out than.
    pub fn summary(&self, area: Rect, buf: &mut Buffer) {
        let theme = &self.look.theme;
        if area.is_empty() {
            return;
        }
        let mut slot = Slot::new(area.x, area.y, area.width);
        for of in ORDER {
            let Some(shift) = self.report.features.iter().find(|shift| shift.of == of) else {
                continue;
            };
            let word = format!("{} ", of.word());
            let far = format!("> {}", words::those(shift.percentile));
            if width(&word) + width(&far) > slot.width {
                return;
            }
            let used = put_all(buf, slot, &[(&word, theme.dim), (&far, theme.series(0))]);
            let next = (used + GAP).min(slot.width);
            slot = Slot::new(slot.x + next, slot.y, slot.width - next);
        }
    }

    fn legend(&self, slot: Slot, buf: &mut Buffer) {
        let (theme, glyphs) = (&self.look.theme, &self.look.glyphs);
        let first = format!(" share of {}   ", Shown::new(&self.report.arch));
        let mut pieces = vec![
            (glyphs.block, theme.series(0)),
            (first.as_str(), theme.dim),
            (glyphs.bar, theme.text),
            (" of the training networks   ", theme.dim),
        ];
        let second;
        if let Some(report) = self.second {
            second = format!(" of {}", Shown::new(&report.arch));
            pieces.push((glyphs.second_mark, theme.series(1)));
            pieces.push((&second, theme.dim));
        }
        put_all(buf, slot, &pieces);
    }

    fn block(&self, shift: &FeatureShift, area: Rect, buf: &mut Buffer) {
        let theme = &self.look.theme;
        let slot = |y: u16| Slot::new(area.x, y, area.width);
        let word = format!("{} ", shift.of.word());
        let those = words::those(shift.percentile);
        let mut far = format!("farther than {those}");
        if width(&word) + width(&far) > area.width {
            far = format!("> {those}");
        }
        let pieces = [(word.as_str(), theme.text), (far.as_str(), theme.dim)];
        put_all(buf, slot(area.y), &pieces);
        let second = self.second.and_then(|report| {
            let mut features = report.features.iter();
            features.find(|other| other.of == shift.of)
        });
        let lines = lines(shift, second, usize::from(area.height.saturating_sub(2)));
        let shares = lines.iter().flat_map(|line| line.shares());
        let largest = shares.fold(0.0, f64::max).max(f64::MIN_POSITIVE);
        for (y, line) in (area.y + 1..).zip(&lines) {
            self.line(line, largest, slot(y), buf);
        }
    }

    fn line(&self, line: &Line<'_>, largest: f64, slot: Slot, buf: &mut Buffer) {
        let (theme, glyphs) = (&self.look.theme, &self.look.glyphs);
        let labels = (slot.width / 2).clamp(6, 22);
        let label = fitting(line.label, labels);
        let label = cut(label.as_str(), labels, glyphs.ellipsis);
        let style = if line.share > 0.0 {
            theme.text
        } else {
            theme.faint
        };
        put(buf, Slot::new(slot.x, slot.y, labels), &label, style);
        let percent = Slot::new(slot.x + labels, slot.y, SHARE);
        put_right(buf, percent, &number::percent(line.share), theme.dim);
        let x = percent.x + SHARE + 1;
        let cells = (slot.x + slot.width).saturating_sub(x);
        if cells < 2 {
            return;
        }
        let text = bar(line.share / largest, cells, glyphs);
        put(buf, Slot::new(x, slot.y, cells), &text, theme.series(0));
        let full = line.share / largest * f64::from(cells);
        let mut mark = |share: f64, glyph: &str, style: Style| {
            if share <= 0.0 {
                return;
            }
            let place = ((share / largest * f64::from(cells)) as u16).min(cells - 1);
            // A mark within the bar stands on its colour, so that the bar stays whole.
            let style = match theme.series(0).fg {
                Some(colour) if f64::from(place) + 1.0 <= full => style.bg(colour),
                _ => style,
            };
            put(buf, Slot::new(x + place, slot.y, 1), glyph, style);
        };
        mark(line.reference, glyphs.bar, theme.text);
        mark(line.second, glyphs.second_mark, theme.series(1));
    }
}

/// A label in short words if it would not fit otherwise.
fn fitting(label: &str, room: u16) -> Shown {
    if width(label) <= room {
        return Shown::new(label);
    }
    let short = label
        .replace("depthwise", "dw")
        .replace(", dilated", " dil");
    Shown::new(&short)
}

/// A label with its share of all three.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Line<'a> {
    label: &'a str,
    share: f64,
    reference: f64,
    second: f64,
}

impl Line<'_> {
    const fn shares(&self) -> [f64; 3] {
        [self.share, self.reference, self.second]
    }

    fn largest(&self) -> f64 {
        self.shares().into_iter().fold(0.0, f64::max)
    }
}

/// The `most` largest labels of all sides, in the feature's own order.
fn lines<'a>(
    shift: &'a FeatureShift,
    second: Option<&'a FeatureShift>,
    most: usize,
) -> Vec<Line<'a>> {
    let others: &[Bar] = second.map_or(&[], |second| &second.bars);
    let share = |bars: &[Bar], label: &str| {
        let found = bars.iter().find(|bar| bar.label == label);
        found.map_or(0.0, |bar| bar.share)
    };
    let own = shift.bars.iter().map(|bar| Line {
        label: &bar.label,
        share: bar.share,
        reference: bar.reference,
        second: share(others, &bar.label),
    });
    let known = |label: &str| shift.bars.iter().any(|bar| bar.label == label);
    let strangers = others.iter().filter(|bar| !known(&bar.label));
    let strangers = strangers.map(|bar| Line {
        label: &bar.label,
        share: 0.0,
        reference: bar.reference,
        second: bar.share,
    });
    let worth = |line: &Line<'_>| line.largest() >= WORTH;
    let mut lines: Vec<(usize, Line<'a>)> =
        own.chain(strangers).filter(worth).enumerate().collect();
    lines.sort_by(|a, b| b.1.largest().total_cmp(&a.1.largest()));
    lines.truncate(most);
    lines.sort_by_key(|(place, _)| *place);
    lines.into_iter().map(|(_, line)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shift(bars: &[(&str, f64, f64)]) -> FeatureShift {
        FeatureShift {
            of: Feature::Channels,
            distance: 0.1,
            usual: 0.1,
            percentile: 50.0,
            bars: bars
                .iter()
                .map(|(label, share, reference)| Bar {
                    label: (*label).to_owned(),
                    share: *share,
                    reference: *reference,
                })
                .collect(),
        }
    }

    #[test]
    fn the_largest_labels_of_all_sides_keep_their_order() {
        let own = shift(&[
            ("3", 0.001, 0.2),
            ("16", 0.0, 0.01),
            ("32", 0.6, 0.1),
            ("64", 0.399, 0.0),
        ]);
        let other = shift(&[("32", 0.1, 0.1), ("1024", 0.9, 0.0)]);
        let labels = |most| {
            let lines = lines(&own, Some(&other), most);
            lines.iter().map(|line| line.label).collect::<Vec<_>>()
        };
        assert_eq!(labels(9), ["3", "16", "32", "64", "1024"]);
        assert_eq!(labels(3), ["32", "64", "1024"]);
        assert_eq!(lines(&own, Some(&other), 3)[0].second, 0.1);
    }
}
