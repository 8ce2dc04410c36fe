//! The line above the plot.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::LineChart;
use super::plan::Plan;

impl LineChart<'_> {
    /// Title, then what is not on the plot and how the values are shown, as far as there is room: a value
    /// that is missing matters more than a smoothing.
    pub(super) fn render_title(&self, plan: Option<&Plan>, area: Rect, buf: &mut Buffer) {
        let rule = self.glyphs.rule().to_string();
        for x in area.left()..area.right() {
            buf.set_string(x, area.y, &rule, self.palette.line);
        }
        let style = if self.focused {
            self.palette.accent
        } else {
            self.palette.text
        };
        let mut x = write(buf, area, area.x + 1, &format!(" {} ", self.title), style);
        let absent = plan.map(|plan| self.absent(plan)).unwrap_or_default();
        let said = self
            .ways(plan)
            .into_iter()
            .chain(self.notes.iter().cloned());
        let absent = absent.into_iter().map(|note| (note, self.palette.bad));
        let notes = absent.chain(said.map(|note| (note, self.palette.dim)));
        for (note, style) in notes {
            if x + 2 + note.width() as u16 + 2 > area.right() {
                continue;
            }
            x = write(buf, area, x + 1, &format!(" {note} "), style);
        }
    }

    /// How values are placed on the axes, where that is not the usual way.
    fn ways(&self, plan: Option<&Plan>) -> Vec<String> {
        let mut ways = Vec::new();
        if let Some(plan) = plan.filter(|plan| plan.clipped) {
            let (low, high) = (plan.y.low(), plan.y.high());
            let lines = self.lines.iter().zip(&plan.shown);
            let off: usize = lines
                .map(|(line, range)| line.y.outside(range.clone(), low, high))
                .sum();
            if off > 0 {
                ways.push(format!("{off} off scale"));
            }
        }
        if self.y.log {
            ways.push("log y".to_owned());
        }
        if self.x.log {
            ways.push("log x".to_owned());
        }
        ways
    }

    /// Points that have no place on the axes.
    fn absent(&self, plan: &Plan) -> Vec<String> {
        let (mut non_finite, mut non_positive, mut left) = (0, 0, 0);
        for (line, range) in self.lines.iter().zip(&plan.shown) {
            let (a, b) = line.y.without_place(range.clone());
            non_finite += a;
            non_positive += b;
            left += line.x.partition_point(|&x| x <= 0.0);
        }
        let mut absent = Vec::new();
        if non_finite > 0 {
            absent.push(format!("{non_finite} not finite"));
        }
        if self.y.log && non_positive > 0 {
            absent.push(format!("{non_positive} at or below 0"));
        }
        if self.x.log && left > 0 {
            absent.push(format!("{left} at {} 0", self.x.unit.name()));
        }
        absent
    }
}

/// Writes within the area; returns where it ended.
fn write(buf: &mut Buffer, area: Rect, x: u16, text: &str, style: Style) -> u16 {
    let room = usize::from(area.right().saturating_sub(x));
    buf.set_stringn(x, area.y, text, room, style).0
}
