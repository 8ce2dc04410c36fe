//! The palette: every command by name, found by a few letters.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::command::{Command, SPECS, Scope, Spec};
use super::keymap::Keymap;
use super::panels::PanelId;
use super::shared::Look;
use super::widgets::cursor::Cursor;
use super::widgets::form::{Line, Typed};
use super::widgets::pane;
use super::widgets::write::{self, Slot, put, put_right};

/// What a key did to the palette.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    Open,
    Closed,
    Chosen(Command),
}

struct Entry {
    spec: &'static Spec,
    keys: String,
}

/// The open palette.
pub struct Palette {
    line: Line,
    entries: Vec<Entry>,
    /// Indices into `entries`, best first.
    found: Vec<usize>,
    cursor: Cursor,
    matcher: Matcher,
}

impl std::fmt::Debug for Palette {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Palette({:?}, {:?})", self.line.text(), self.cursor)
    }
}

/// Most rows of commands on the screen.
const ROWS: u16 = 14;
const WIDTH: u16 = 72;

impl Palette {
    /// All commands that make sense to look for, those of the panel in front first.
    #[must_use]
    pub fn new(front: PanelId, keymap: &Keymap) -> Self {
        let mut entries: Vec<Entry> = SPECS
            .iter()
            .filter(|spec| !is_motion(spec.command))
            .map(|spec| Entry {
                spec,
                keys: keymap
                    .keys(spec.command)
                    .first()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
            })
            .collect();
        entries.sort_by_key(|e| match e.spec.scope {
            Scope::Panel(panel) if panel == front => 0,
            Scope::Everywhere => 1,
            Scope::Panel(_) => 2,
        });
        let mut palette = Self {
            line: Line::default(),
            found: Vec::new(),
            entries,
            cursor: Cursor::default(),
            matcher: Matcher::new(Config::DEFAULT),
        };
        palette.search();
        palette
    }

    /// Takes one key.
    pub fn key(&mut self, key: KeyEvent) -> Choice {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let motion = match key.code {
            KeyCode::Up => Some(Command::Up),
            KeyCode::Down => Some(Command::Down),
            KeyCode::Char('p') if ctrl => Some(Command::Up),
            KeyCode::Char('n') if ctrl => Some(Command::Down),
            KeyCode::PageUp => Some(Command::PageUp),
            KeyCode::PageDown => Some(Command::PageDown),
            _ => None,
        };
        if let Some(motion) = motion {
            self.cursor
                .command(motion, self.found.len(), usize::from(ROWS));
            return Choice::Open;
        }
        match self.line.key(key) {
            Typed::Dropped => Choice::Closed,
            Typed::Accepted => match self.found.get(self.cursor.at) {
                Some(index) => Choice::Chosen(self.entries[*index].spec.command),
                None => Choice::Open,
            },
            Typed::Going => {
                self.search();
                Choice::Open
            }
        }
    }

    /// Takes pasted text.
    pub fn paste(&mut self, text: &str) {
        self.line.paste(text);
        self.search();
    }

    /// Commands that hold every word typed; only if there are none, those that hold its letters in order.
    fn search(&mut self) {
        self.found = self.find(AtomKind::Substring);
        if self.found.is_empty() {
            self.found = self.find(AtomKind::Fuzzy);
        }
        self.cursor = Cursor::default();
    }

    /// Indices of the commands that match, best first.
    fn find(&mut self, kind: AtomKind) -> Vec<usize> {
        let typed = self.line.text();
        let pattern = Pattern::new(typed, CaseMatching::Ignore, Normalization::Smart, kind);
        let mut scored: Vec<(u32, usize)> = Vec::new();
        let mut letters = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let text = format!(
                "{} {} {}",
                scope(entry.spec),
                entry.spec.title,
                entry.spec.name
            );
            let haystack = Utf32Str::new(&text, &mut letters);
            if let Some(score) = pattern.score(haystack, &mut self.matcher) {
                scored.push((score, index));
            }
        }
        scored.sort_by_key(|(score, index)| (std::cmp::Reverse(*score), *index));
        scored.into_iter().map(|(_, index)| index).collect()
    }

    /// Draws it over the upper middle of `screen`.
    pub fn view(&self, screen: Rect, look: &Look, buf: &mut Buffer) {
        let rows = ROWS.min(screen.height.saturating_sub(5));
        let area = super::overlay::open(screen, WIDTH, rows + 3, look, buf);
        let inner = pane::titled(buf, area, "Commands", pane::Focus::Yes, look);
        let x = inner.x + 1;
        let width = inner.width.saturating_sub(2);
        put(buf, Slot::new(x, inner.y, 2), ":", look.theme.accent);
        let typed = Slot::new(x + 2, inner.y, width.saturating_sub(2));
        self.line.view(buf, typed, look);
        if self.found.is_empty() {
            let slot = Slot::new(x, inner.y + 1, width);
            put(buf, slot, "No command has these letters.", look.theme.dim);
        }
        let window = self.cursor.window(self.found.len(), usize::from(rows));
        for (row, at) in window.enumerate() {
            let entry = &self.entries[self.found[at]];
            let slot = Slot::new(x, inner.y + 1 + row as u16, width);
            if at == self.cursor.at {
                let line = Rect::new(area.x, slot.y, area.width, 1);
                buf.set_style(line, look.theme.selection);
            }
            entry.view(slot, look, buf);
        }
    }
}

impl Entry {
    fn view(&self, slot: Slot, look: &Look, buf: &mut Buffer) {
        let keys = put_right(buf, slot, &self.keys, look.theme.accent);
        let area = scope(self.spec);
        let title = Slot::new(slot.x, slot.y, slot.width.saturating_sub(keys + 2));
        let used = put(buf, title, self.spec.title, look.theme.text);
        if !area.is_empty() && used + 2 + write::width(area) <= title.width {
            let rest = Slot::new(title.x + used + 2, title.y, title.width - used - 2);
            put(buf, rest, area, look.theme.faint);
        }
    }
}

const fn scope(spec: &Spec) -> &'static str {
    match spec.scope {
        Scope::Everywhere => "",
        Scope::Panel(panel) => panel.title(),
    }
}

/// Commands that are only keys: looking them up by name helps nobody.
const fn is_motion(command: Command) -> bool {
    matches!(
        command,
        Command::Up
            | Command::Down
            | Command::Left
            | Command::Right
            | Command::PageUp
            | Command::PageDown
            | Command::First
            | Command::Last
            | Command::Open
            | Command::Toggle
            | Command::Back
            | Command::Palette
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(letters: &str) -> Option<Command> {
        let mut palette = Palette::new(PanelId::Runs, &Keymap::default());
        palette.paste(letters);
        match palette.key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE)) {
            Choice::Chosen(command) => Some(command),
            _ => None,
        }
    }

    #[test]
    fn a_few_letters_find_a_command() {
        assert_eq!(found("predi"), Some(Command::Predict));
        assert_eq!(found("theme"), Some(Command::NextTheme));
        assert_eq!(found("fine tu"), Some(Command::FineTune));
        assert_eq!(found("zzzqqq"), None);
    }

    #[test]
    fn scattered_letters_count_only_where_no_word_fits() {
        let listed = |letters: &str| {
            let mut palette = Palette::new(PanelId::Runs, &Keymap::default());
            palette.paste(letters);
            let titles = palette.found.iter().map(|i| palette.entries[*i].spec.title);
            titles.collect::<Vec<_>>()
        };
        assert_eq!(listed("them"), ["Next theme"]);
        assert!(listed("nxtthm").contains(&"Next theme"));
    }
}
