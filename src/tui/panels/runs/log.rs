//! What happened in a run: its states, evaluations and notes, and the end of its worker's own words.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::curves::Entry;
use crate::run::RunId;
use crate::run::clock::Utc;
use crate::text::Shown;
use crate::tui::command::Command;
use crate::tui::shared::Look;
use crate::tui::widgets::pane;
use crate::tui::widgets::write::{Slot, cut, put, put_all};

/// From this width on, events have a date before their time.
const WITH_DATE: u16 = 60;

/// The open log of one run. It follows the end until it is moved.
#[derive(Clone, Debug)]
pub struct LogView {
    pub run: RunId,
    /// What the worker wrote; the reason if that cannot be read; None until it was.
    pub worker: Option<Result<Vec<Shown>, Shown>>,
    /// Lines between the last one shown and the end.
    from_end: usize,
}

impl LogView {
    #[must_use]
    pub fn new(run: RunId) -> Self {
        Self {
            run,
            worker: None,
            from_end: 0,
        }
    }

    /// Scrolls; gives whether the command was one that does.
    pub fn command(&mut self, command: Command, lines: usize, page: usize) -> bool {
        let most = lines.saturating_sub(page);
        self.from_end = self.from_end.min(most);
        let from_end = match command {
            Command::Up => self.from_end + 1,
            Command::Down => self.from_end.saturating_sub(1),
            Command::PageUp => self.from_end + page,
            Command::PageDown => self.from_end.saturating_sub(page),
            Command::First => most,
            Command::Last => 0,
            _ => return false,
        };
        self.from_end = from_end.min(most);
        true
    }

    /// Keeps the first shown line in its place when `new` events come behind the `old` ones; at the end,
    /// the view follows. The worker's words stand after all events and stay anyway.
    pub fn stay(&mut self, old: usize, new: usize, page: usize) {
        let first = (old + self.words()).saturating_sub(self.from_end + page);
        if self.from_end > 0 && first < old {
            self.from_end += new;
        }
    }

    /// Lines that the view has in all, for a run with these entries.
    #[must_use]
    pub fn lines(&self, entries: &[Entry]) -> usize {
        entries.len() + self.words()
    }

    /// Lines after those of the events: the heading, and what the worker said.
    fn words(&self) -> usize {
        match &self.worker {
            Some(Ok(lines)) => 1 + lines.len(),
            _ => 2,
        }
    }

    /// Draws the log; `lost` lines of it could not be read.
    pub fn view(&self, entries: &[Entry], lost: u64, area: Rect, look: &Look, buf: &mut Buffer) {
        let mut title = format!("Log of {}", self.run.as_str());
        if lost > 0 {
            title = format!("{} {} {title}", damaged_lines(lost), look.glyphs.dot);
        }
        let inner = pane::titled(buf, area, &title, pane::Focus::Yes, look);
        let all = self.lines(entries);
        let page = usize::from(inner.height);
        let end = all - self.from_end.min(all.saturating_sub(page));
        for (y, index) in (inner.y..inner.bottom()).zip(end.saturating_sub(page)..end) {
            let slot = Slot::new(inner.x + 1, y, inner.width.saturating_sub(1));
            match entries.get(index) {
                Some(entry) => event_line(entry, slot, look, buf),
                None => self.worker_line(index - entries.len(), slot, look, buf),
            }
        }
    }

    /// A line after those of the events: first a heading, then the worker's words.
    fn worker_line(&self, index: usize, slot: Slot, look: &Look, buf: &mut Buffer) {
        let theme = &look.theme;
        if index == 0 {
            let rule = look.glyphs.rule.repeat(2);
            let head = format!("{rule} worker.log ");
            let used = put(buf, slot, &head, theme.dim);
            let rest = Slot::new(slot.x + used, slot.y, slot.width.saturating_sub(used));
            pane::rule(buf, rest, look);
            return;
        }
        let (text, style) = match &self.worker {
            None => ("reading", theme.faint),
            Some(Err(reason)) => (reason.as_str(), theme.bad),
            Some(Ok(lines)) => match lines.get(index - 1) {
                Some(line) => (line.as_str(), theme.text),
                None => return,
            },
        };
        put(
            buf,
            slot,
            &cut(text, slot.width, look.glyphs.ellipsis),
            style,
        );
    }
}

/// In words, how many lines of a log were skipped.
#[must_use]
pub fn damaged_lines(lost: u64) -> String {
    match lost {
        1 => "1 damaged line".to_owned(),
        n => format!("{n} damaged lines"),
    }
}

fn event_line(entry: &Entry, slot: Slot, look: &Look, buf: &mut Buffer) {
    let t = Utc::of(entry.t_ms);
    let mut time = format!("{:02}:{:02}:{:02}  ", t.hour, t.minute, t.second);
    if slot.width >= WITH_DATE {
        time = format!("{:02}-{:02} {time}", t.month, t.day);
    }
    let style = if entry.bad {
        look.theme.bad
    } else {
        look.theme.text
    };
    let room = slot.width.saturating_sub(time.len() as u16);
    let text = cut(entry.text.as_str(), room, look.glyphs.ellipsis);
    put_all(buf, slot, &[(&time, look.theme.faint), (&text, style)]);
}
