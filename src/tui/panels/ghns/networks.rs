//! The networks of one split, the best first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::engine::protocol::{EvaluatedPart, Part, PredictedNetwork};
use crate::text::Shown;
use crate::tui::command::Command;
use crate::tui::shared::Look;
use crate::tui::widgets::bar::bar;
use crate::tui::widgets::cursor::Cursor;
use crate::tui::widgets::number;
use crate::tui::widgets::write::{Slot, cut_middle, put, put_right};

/// Cells of the name at most, of the number of parameters, of the accuracy.
const NAME: u16 = 26;
const PARAMS: u16 = 8;
const ACCURACY: u16 = 8;
/// Cells between columns.
const GAP: u16 = 2;

/// The list of a split's networks.
#[derive(Debug)]
pub struct Networks {
    pub part: Part,
    /// By falling accuracy.
    sorted: Vec<PredictedNetwork>,
    cursor: Cursor,
}

impl Networks {
    #[must_use]
    pub fn of(part: &EvaluatedPart) -> Self {
        let mut networks = Self {
            part: part.split,
            sorted: Vec::new(),
            cursor: Cursor::default(),
        };
        networks.refresh(part);
        networks
    }

    /// Takes in what the split has become.
    pub fn refresh(&mut self, part: &EvaluatedPart) {
        self.sorted.clone_from(&part.cases);
        let falling =
            |a: &PredictedNetwork, b: &PredictedNetwork| b.metrics.top1.total_cmp(&a.metrics.top1);
        self.sorted.sort_by(falling);
    }

    /// Moves the cursor.
    pub fn motion(&mut self, command: Command, page: usize) {
        self.cursor.command(command, self.sorted.len(), page);
    }

    /// Keeps the cursor in the list.
    pub fn settle(&mut self, page: usize) {
        self.cursor.settle(self.sorted.len(), page);
    }

    /// The name under the cursor.
    #[must_use]
    pub fn chosen(&self) -> Option<&str> {
        let network = self.sorted.get(self.cursor.at);
        network.map(|network| network.name.as_str())
    }

    /// Draws as many as fit; a full bar is `axis_end` percent.
    pub fn view(&self, area: Rect, axis_end: f64, has_focus: bool, look: &Look, buf: &mut Buffer) {
        let theme = &look.theme;
        let window = self
            .cursor
            .window(self.sorted.len(), usize::from(area.height));
        for (y, at) in (area.y..).zip(window) {
            let line = Rect::new(area.x, y, area.width, 1);
            if at == self.cursor.at {
                buf.set_style(line.intersection(buf.area), theme.cursor(has_focus));
            }
            self.line(&self.sorted[at], line, axis_end, look, buf);
        }
    }

    fn line(
        &self,
        network: &PredictedNetwork,
        line: Rect,
        axis_end: f64,
        look: &Look,
        buf: &mut Buffer,
    ) {
        let theme = &look.theme;
        let (mut x, end) = (line.x + 1, line.right().saturating_sub(1));
        let room = NAME.min(end.saturating_sub(x));
        let name = Shown::new(&network.name);
        let name = cut_middle(name.as_str(), room, look.glyphs.ellipsis);
        put(buf, Slot::new(x, line.y, room), &name, theme.text);
        x += room;
        let params = number::count(network.params as u64);
        let slot = Slot::new(x, line.y, PARAMS.min(end.saturating_sub(x)));
        put_right(buf, slot, &params, theme.dim);
        x += slot.width;
        let accuracy = format!("{:.1} %", network.metrics.top1);
        let slot = Slot::new(x, line.y, ACCURACY.min(end.saturating_sub(x)));
        put_right(buf, slot, &accuracy, theme.text);
        x += slot.width + GAP;
        let rest = Slot::new(x, line.y, end.saturating_sub(x));
        let text = bar(network.metrics.top1 / axis_end, rest.width, &look.glyphs);
        put(buf, rest, &text, theme.series(0));
    }
}
