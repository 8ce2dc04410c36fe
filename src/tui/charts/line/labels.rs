//! The values beside the plot.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use super::LineChart;
use super::plan::{EndLabel, Plan};

impl LineChart<'_> {
    /// Each line's marker and value in its colour: right behind the line's end if nothing else is drawn
    /// there, else in the margin, as near to the end's height as the others allow. With a cursor, the
    /// values there, and the markers on the lines as well.
    pub(super) fn render_labels(&self, plan: &Plan, area: Rect, buf: &mut Buffer) {
        // The last lines lie on top and choose first.
        let waiting: Vec<&EndLabel> = plan
            .labels
            .iter()
            .rev()
            .filter(|label| self.cursor.is_some() || !self.put_behind_end(label, plan, buf))
            .collect();
        self.put_in_margin(&waiting, plan, area, buf);
        if self.cursor.is_some() {
            self.put_on_lines(plan, buf);
        }
    }

    fn text(&self, label: &EndLabel) -> String {
        format!("{} {}", self.lines[label.line].marker, label.text)
    }

    /// Writes a label behind its line's end; false if that place is taken.
    fn put_behind_end(&self, label: &EndLabel, plan: &Plan, buf: &mut Buffer) -> bool {
        let place = plan.column(label.at.0).zip(plan.row(label.at.1));
        let Some((x, y)) = place else { return false };
        let text = self.text(label);
        let (from, to) = (x + 1, x + 2 + text.width() as u16);
        let free = to <= plan.plot.right()
            && (from..to).all(|x| buf.cell((x, y)).is_some_and(|cell| cell.symbol() == " "));
        if free {
            buf.set_string(from + 1, y, text, self.lines[label.line].style);
        }
        free
    }

    fn put_in_margin(&self, labels: &[&EndLabel], plan: &Plan, area: Rect, buf: &mut Buffer) {
        let plot = plan.plot;
        let (low, high) = (plan.y.low(), plan.y.high());
        let near = |label: &&EndLabel| plan.row(label.at.1.clamp(low, high)).unwrap_or(plot.y);
        let wanted: Vec<u16> = labels.iter().map(near).collect();
        let rows = spread(&wanted, plot.top(), plot.bottom());
        for (label, y) in labels.iter().zip(rows) {
            let Some(y) = y else { continue };
            let x = plot.right() + 1;
            let room = usize::from(area.right().saturating_sub(x));
            buf.set_stringn(x, y, self.text(label), room, self.lines[label.line].style);
        }
    }

    fn put_on_lines(&self, plan: &Plan, buf: &mut Buffer) {
        for label in &plan.labels {
            let line = &self.lines[label.line];
            if let Some(at) = plan.column(label.at.0).zip(plan.row(label.at.1))
                && let Some(cell) = buf.cell_mut(at)
            {
                cell.set_char(line.marker).set_style(line.style);
            }
        }
    }
}

/// Moves rows apart so that no two are equal, keeping their order and staying within `top..bottom`.
/// Those that find no room have none.
fn spread(wanted: &[u16], top: u16, bottom: u16) -> Vec<Option<u16>> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|&index| wanted[index]);
    // The first ones matter most: they stay if there are too many.
    order.retain(|&index| index < usize::from(bottom - top));
    let mut rows = vec![None; wanted.len()];
    let mut free = top;
    for &index in &order {
        let row = wanted[index].max(free);
        rows[index] = Some(row);
        free = row + 1;
    }
    let mut limit = bottom;
    for &index in order.iter().rev() {
        let row = rows[index].unwrap_or(top).min(limit - 1);
        rows[index] = Some(row);
        limit = row;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_their_order_and_do_not_overlap() {
        assert_eq!(spread(&[5, 5, 4], 0, 10), [Some(5), Some(6), Some(4)]);
        assert_eq!(spread(&[9, 9, 9], 0, 10), [Some(7), Some(8), Some(9)]);
        assert_eq!(spread(&[0, 0], 0, 10), [Some(0), Some(1)]);
    }

    #[test]
    fn the_first_labels_stay_where_room_is_short() {
        assert_eq!(spread(&[1, 1, 1], 0, 2), [Some(0), Some(1), None]);
    }
}
