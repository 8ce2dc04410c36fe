//! Axes, ticks and the cursor's line.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::LineChart;
use super::plan::Plan;

impl LineChart<'_> {
    pub(super) fn render_axes(&self, plan: &Plan, area: Rect, buf: &mut Buffer) {
        self.render_y_axis(plan, area, buf);
        if plan.axis_line {
            self.render_axis_line(plan, buf);
        }
        self.render_x_labels(plan, area, buf);
        if let Some(x) = self.cursor.and_then(|place| plan.column(place)) {
            for y in plan.plot.top()..plan.plot.bottom() {
                put(buf, (x, y), self.glyphs.cursor(), self.palette.faint);
            }
        }
    }

    fn render_y_axis(&self, plan: &Plan, area: Rect, buf: &mut Buffer) {
        let [bar, tick_bar, ..] = self.glyphs.axis();
        let x = plan.plot.x - 1;
        for y in plan.plot.top()..plan.plot.bottom() {
            put(buf, (x, y), bar, self.palette.line);
        }
        for tick in &plan.y_ticks {
            let Some(y) = plan.row(tick.value) else {
                continue;
            };
            put(buf, (x, y), tick_bar, self.palette.line);
            let start = x.saturating_sub(tick.label.width() as u16 + 1).max(area.x);
            buf.set_stringn(
                start,
                y,
                &tick.label,
                usize::from(x - start),
                self.palette.dim,
            );
        }
    }

    fn render_axis_line(&self, plan: &Plan, buf: &mut Buffer) {
        let [.., corner, rule, tick_rule] = self.glyphs.axis();
        let y = plan.plot.bottom();
        put(buf, (plan.plot.x - 1, y), corner, self.palette.line);
        for x in plan.plot.left()..plan.plot.right() {
            put(buf, (x, y), rule, self.palette.line);
        }
        for tick in &plan.x_ticks {
            if let Some(x) = plan.column(tick.value) {
                put(buf, (x, y), tick_rule, self.palette.line);
            }
        }
    }

    /// Tick labels and the unit; the cursor's place is written over them.
    fn render_x_labels(&self, plan: &Plan, area: Rect, buf: &mut Buffer) {
        let y = area.bottom() - 1;
        let unit = self.x.unit.name();
        let unit_at = area.right().saturating_sub(unit.width() as u16);
        // A label may stand under the margins, but not over the unit or the one before it.
        let mut free_from = area.x;
        for tick in &plan.x_ticks {
            let Some(x) = plan.column(tick.value) else {
                continue;
            };
            let width = tick.label.width() as u16;
            let start = x.saturating_sub(width / 2).max(free_from);
            if start + width < unit_at && start <= x {
                buf.set_stringn(start, y, &tick.label, usize::from(width), self.palette.dim);
                free_from = start + width + 1;
            }
        }
        if unit_at > free_from || plan.x_ticks.is_empty() {
            buf.set_stringn(unit_at, y, unit, usize::from(area.width), self.palette.dim);
        }
        self.render_cursor_place(plan, area, buf);
    }

    fn render_cursor_place(&self, plan: &Plan, area: Rect, buf: &mut Buffer) {
        let Some((place, x)) = self
            .cursor
            .and_then(|place| Some((place, plan.column(place)?)))
        else {
            return;
        };
        let text = format!(" {} ", self.x.unit.say(place));
        let width = (text.width() as u16).min(area.width);
        let start = x
            .saturating_sub(width / 2)
            .clamp(area.x, area.right() - width);
        buf.set_stringn(
            start,
            area.bottom() - 1,
            &text,
            usize::from(width),
            self.palette.accent,
        );
    }
}

fn put(buf: &mut Buffer, at: (u16, u16), symbol: char, style: ratatui::style::Style) {
    if let Some(cell) = buf.cell_mut(at) {
        cell.set_char(symbol).set_style(style);
    }
}
