//! The numbers of the network's graph among those of the training networks: small histograms, or a line each.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget as _;

use super::words;
use crate::engine::protocol::{Bins, Measure, MeasureShift, ShiftReport};
use crate::tui::charts::Histogram;
use crate::tui::shared::Look;
use crate::tui::widgets::bar::outline;
use crate::tui::widgets::write::{Slot, put, put_all, put_right, width};

/// Charts beside each other.
const COLUMNS: u16 = 3;
/// Cells between two charts.
const GAP: u16 = 3;
/// Cells of a measure's word and value where it takes a line.
const WORD: u16 = 11;
const VALUE: u16 = 9;

/// What is drawn.
pub struct MeasuresView<'a> {
    pub report: &'a ShiftReport,
    /// Of the network compared with.
    pub second: Option<&'a ShiftReport>,
    pub look: &'a Look,
}

impl MeasuresView<'_> {
    /// Each measure as a histogram of the training networks, the network marked below.
    pub fn charts(&self, area: Rect, buf: &mut Buffer) {
        let cells = (area.width + GAP) / COLUMNS;
        for (index, measure) in (0..).zip(&self.report.measures) {
            let place = Rect {
                x: area.x + index % COLUMNS * cells,
                y: area.y + index / COLUMNS * (area.height / 2),
                width: cells.saturating_sub(GAP),
                height: (area.height / 2).saturating_sub(1),
            };
            if place.bottom() <= area.bottom() {
                self.chart(measure, place, buf);
            }
        }
    }

    fn chart(&self, measure: &MeasureShift, area: Rect, buf: &mut Buffer) {
        let theme = &self.look.theme;
        let slot = |y: u16| Slot::new(area.x, y, area.width);
        self.title(measure, slot(area.y), buf);
        // The last line of the histogram is its own axis, which does not know logarithms.
        let bars = Rect {
            y: area.y + 1,
            height: area.height.saturating_sub(2),
            ..area
        };
        let (palette, glyphs) = self.look.charts();
        let bins = &measure.histogram;
        Histogram::new(palette, glyphs)
            .row(&bins.counts, (0.0, 1.0), "", theme.line)
            .render(bars, buf);
        let marks = bars.bottom().saturating_sub(1);
        put(
            buf,
            slot(marks),
            &" ".repeat(usize::from(area.width)),
            theme.text,
        );
        self.marks(measure, slot(marks), buf);
        let axis = slot(bars.bottom());
        put(buf, axis, &words::value(measure.of, bins.low), theme.faint);
        put_right(buf, axis, &words::value(measure.of, bins.high), theme.faint);
    }

    /// Word, value, and how many of the training networks have less.
    fn title(&self, measure: &MeasureShift, slot: Slot, buf: &mut Buffer) {
        let theme = &self.look.theme;
        let said = |measure: &MeasureShift| {
            let value = words::value(measure.of, measure.value);
            format!("{value} > {}", words::those(measure.standing.percentile))
        };
        let first = said(measure);
        let word = match measure.of {
            // Its numbers take the most room.
            Measure::Parameters => "params ".to_owned(),
            of => format!("{} ", of.word()),
        };
        let pieces = [(word.as_str(), theme.text), (&first, self.style(0))];
        let used = put_all(buf, slot, &pieces);
        if let Some(second) = self.other(measure.of) {
            let second = said(second);
            let rest = slot.width.saturating_sub(used + 1);
            if width(&second) <= rest {
                let rest = Slot::new(slot.x + used + 1, slot.y, rest);
                put_right(buf, rest, &second, self.style(1));
            }
        }
    }

    /// A line for each measure: word, value, outline of the training networks with marks, percentile.
    pub fn lines(&self, area: Rect, buf: &mut Buffer) {
        let theme = &self.look.theme;
        for (y, measure) in area.rows().map(|row| row.y).zip(&self.report.measures) {
            put(
                buf,
                Slot::new(area.x, y, WORD),
                measure.of.word(),
                theme.dim,
            );
            let value = words::value(measure.of, measure.value);
            put_right(
                buf,
                Slot::new(area.x + WORD, y, VALUE),
                &value,
                self.style(0),
            );
            let bins = &measure.histogram;
            let room = area.width.saturating_sub(WORD + VALUE + 14);
            let cells = (bins.counts.len() as u16).min(room);
            let place = Slot::new(area.x + WORD + VALUE + 2, y, cells);
            let tallest = bins.counts.iter().copied().max().unwrap_or(0).max(1);
            let shares: Vec<f32> = bins
                .counts
                .iter()
                .map(|count| *count as f32 / tallest as f32)
                .collect();
            outline(buf, place, &shares, theme.line, &self.look.glyphs);
            self.marks(measure, place, buf);
            let percentile = words::those(measure.standing.percentile);
            let rest = Slot::new(place.x + cells + 2, y, 10);
            put(buf, rest, &format!("> {percentile}"), theme.dim);
        }
    }

    fn style(&self, series: usize) -> Style {
        self.look.theme.series(series)
    }

    fn other(&self, of: Measure) -> Option<&MeasureShift> {
        let measures = &self.second?.measures;
        measures.iter().find(|measure| measure.of == of)
    }

    fn marks(&self, measure: &MeasureShift, slot: Slot, buf: &mut Buffer) {
        let glyphs = &self.look.glyphs;
        let bins = &measure.histogram;
        let first = place(bins, measure.value, slot.width);
        if let Some(second) = self.other(measure.of) {
            let mut place = place(bins, second.value, slot.width);
            if place.at() == first.at() {
                // Beside the first one, on the side where there is room.
                place = place.moved(if first.at() + 1 < slot.width { 1 } else { -1 });
            }
            self.mark(place, glyphs.second_mark, slot, self.style(1), buf);
        }
        self.mark(first, glyphs.mark, slot, self.style(0), buf);
    }

    fn mark(&self, place: Place, inside: &str, slot: Slot, style: Style, buf: &mut Buffer) {
        let glyphs = &self.look.glyphs;
        let glyph = match place {
            Place::Below => glyphs.off_left,
            Place::Inside(_) => inside,
            Place::Above(_) => glyphs.off_right,
        };
        let at = Slot::new(slot.x + place.at(), slot.y, 1);
        if slot.width > 0 {
            put(buf, at, glyph, style);
        }
    }
}

/// Where a value lies on an axis of cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Below the least of the training networks.
    Below,
    Inside(u16),
    /// Above the largest; the last cell.
    Above(u16),
}

impl Place {
    const fn at(self) -> u16 {
        match self {
            Self::Below => 0,
            Self::Inside(at) | Self::Above(at) => at,
        }
    }

    const fn moved(self, by: i16) -> Self {
        Self::Inside(self.at().saturating_add_signed(by))
    }
}

fn place(bins: &Bins, value: f64, cells: u16) -> Place {
    let last = cells.saturating_sub(1);
    let scale = |v: f64| if bins.logarithmic { v.max(1.0).ln() } else { v };
    let (low, high) = (scale(bins.low), scale(bins.high));
    if value < bins.low {
        return Place::Below;
    }
    if value > bins.high {
        return Place::Above(last);
    }
    let share = (scale(value) - low) / (high - low);
    if !share.is_finite() {
        return Place::Inside(last / 2);
    }
    Place::Inside(((share * f64::from(cells)) as u16).min(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lies_in_its_bin_or_at_the_edge() {
        let bins = |logarithmic| Bins {
            low: 10.0,
            high: 1000.0,
            logarithmic,
            counts: vec![1; 24],
        };
        assert_eq!(place(&bins(false), 9.0, 20), Place::Below);
        assert_eq!(place(&bins(false), 10.0, 20), Place::Inside(0));
        assert_eq!(place(&bins(false), 505.0, 20), Place::Inside(10));
        assert_eq!(place(&bins(true), 100.0, 20), Place::Inside(10));
        assert_eq!(place(&bins(true), 1000.0, 20), Place::Inside(19));
        assert_eq!(place(&bins(true), 1001.0, 20), Place::Above(19));
    }

    #[test]
    fn a_population_of_equals_has_its_middle() {
        let bins = Bins {
            low: 3.0,
            high: 3.0,
            logarithmic: false,
            counts: vec![4],
        };
        assert_eq!(place(&bins, 3.0, 9), Place::Inside(4));
        assert_eq!(place(&bins, 4.0, 9), Place::Above(8));
    }
}
