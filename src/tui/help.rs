//! The help: the keys that mean something in this panel, made from its hints and the keymap.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::command::{Command, SPECS, Scope};
use super::keymap::Keymap;
use super::panels::Hint;
use super::shared::{Look, Shared};
use super::widgets::pane;
use super::widgets::write::{Slot, put, put_right, width};

struct Entry {
    keys: String,
    text: String,
}

/// The open help.
pub struct Help {
    title: String,
    here: Vec<Entry>,
    everywhere: Vec<Entry>,
    top: usize,
}

impl std::fmt::Debug for Help {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Help({}, {})", self.title, self.top)
    }
}

const COLUMNS: u16 = 76;

impl Help {
    /// The panel's hints and its other commands first, then what works everywhere.
    #[must_use]
    pub fn of(hints: Vec<Hint>, shared: &Shared) -> Self {
        let front = Scope::Panel(shared.front);
        let map = &shared.keymap;
        let mut here: Vec<Entry> = Vec::new();
        let mut named: Vec<Command> = Vec::new();
        for hint in &hints {
            named.push(hint.command);
            here.push(Entry::new(hint.command, sentence(hint.label), map));
        }
        for spec in SPECS.iter().filter(|s| s.scope == front) {
            if !named.contains(&spec.command) {
                here.push(Entry::new(spec.command, spec.title.to_owned(), map));
            }
        }
        let everywhere = SPECS
            .iter()
            .filter(|s| s.scope == Scope::Everywhere && !named.contains(&s.command))
            .map(|s| Entry::new(s.command, s.title.to_owned(), map))
            .collect();
        Self {
            title: shared.front.title().to_owned(),
            here,
            everywhere,
            top: 0,
        }
    }

    /// Scrolls; gives whether the command was one that scrolls.
    pub fn command(&mut self, command: Command) -> bool {
        let most = self.lines().saturating_sub(1);
        self.top = match command {
            Command::Up => self.top.saturating_sub(1),
            Command::Down => (self.top + 1).min(most),
            Command::PageUp => self.top.saturating_sub(10),
            Command::PageDown => (self.top + 10).min(most),
            Command::First => 0,
            Command::Last => most,
            _ => return false,
        };
        true
    }

    const fn lines(&self) -> usize {
        self.here.len() + self.everywhere.len() + 2
    }

    /// Draws it over `screen`, in two columns where there is room.
    pub fn view(&self, screen: Rect, look: &Look, buf: &mut Buffer) {
        let tall = self.here.len().max(self.everywhere.len()) as u16;
        let side_by_side = screen.width >= COLUMNS + 4;
        let rows = if side_by_side {
            tall + 4
        } else {
            self.lines() as u16 + 4
        };
        let area = super::overlay::open(screen, COLUMNS, rows, look, buf);
        let title = format!("Keys in {}", self.title);
        let mut inner = pane::titled(buf, area, &title, pane::Focus::Yes, look);
        inner.height = inner.height.saturating_sub(1);
        if side_by_side {
            let half = inner.width / 2;
            let left = Rect {
                width: half - 1,
                ..inner
            };
            let right = Rect {
                x: inner.x + half + 1,
                width: inner.width - half - 1,
                ..inner
            };
            column(left, "Here", &self.here, self.top, look, buf);
            column(right, "Everywhere", &self.everywhere, self.top, look, buf);
        } else {
            let here = (self.here.len() + 2).saturating_sub(self.top) as u16;
            column(inner, "Here", &self.here, self.top, look, buf);
            let below = Rect {
                y: inner.y + here.min(inner.height),
                height: inner.height.saturating_sub(here),
                ..inner
            };
            let top = self.top.saturating_sub(self.here.len() + 2);
            column(below, "Everywhere", &self.everywhere, top, look, buf);
        }
    }
}

impl Entry {
    fn new(command: Command, text: String, map: &Keymap) -> Self {
        let keys: Vec<String> = map.keys(command).iter().map(ToString::to_string).collect();
        Self {
            keys: keys.join(" "),
            text,
        }
    }
}

fn column(area: Rect, title: &str, entries: &[Entry], top: usize, look: &Look, buf: &mut Buffer) {
    let keys = entries.iter().map(|e| width(&e.keys)).max().unwrap_or(0);
    let keys = keys.min(area.width / 2);
    let mut y = area.y;
    if top == 0 && area.height > 0 {
        let slot = Slot::new(area.x + 1, y, area.width.saturating_sub(1));
        put(buf, slot, title, look.theme.title_idle);
        y += 1;
    }
    for entry in entries.iter().skip(top.saturating_sub(1)) {
        if y >= area.bottom() {
            return;
        }
        put_right(
            buf,
            Slot::new(area.x + 1, y, keys),
            &entry.keys,
            look.theme.accent,
        );
        let rest = area.width.saturating_sub(keys + 3);
        put(
            buf,
            Slot::new(area.x + keys + 3, y, rest),
            &entry.text,
            look.theme.text,
        );
        y += 1;
    }
}

/// A hint's label with a capital.
fn sentence(label: &str) -> String {
    let mut letters = label.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}
