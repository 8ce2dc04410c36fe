//! Forms over the panel: where to write weights, how to fine-tune.

use std::collections::BTreeMap;

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::text::Shown;
use crate::tui::overlay;
use crate::tui::selection::{RANDOM, Selection};
use crate::tui::shared::Look;
use crate::tui::widgets::form::{Line, Typed};
use crate::tui::widgets::pane::{self, Focus};
use crate::tui::widgets::write::{Slot, cut, put, put_all, put_right, width};

/// What a form is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Write,
    FineTune,
}

/// One line of a form.
#[derive(Debug)]
struct Entry {
    /// Name under which it is remembered, and the option it becomes: `data` for `--data`.
    name: &'static str,
    label: &'static str,
    line: Line,
    /// What an empty line means.
    empty: &'static str,
}

/// An open form.
#[derive(Debug)]
pub struct Form {
    pub purpose: Purpose,
    title: String,
    /// One line above the entries.
    intro: Shown,
    entries: Vec<Entry>,
    at: usize,
    error: Option<Shown>,
    /// Accepted, and waiting for the answer.
    pub sent: bool,
}

/// What a key did to a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    NotYet,
    Accepted,
    Dropped,
}

/// Name, label, first value, meaning of an empty line. Each becomes an option of `finetune`.
#[rustfmt::skip]
const FINE_TUNE: &[(&str, &str, &str, &str)] = &[
    ("data", "data", "synthetic", "synthetic, a folder, a file, or a name from the config"),
    ("shots", "images per class", "100", "all"),
    ("epochs", "epochs", "10", "the recipe's"),
    ("batch", "batch", "", "the recipe's"),
    ("image", "image size", "32", "the data's own"),
    ("optimizer", "optimiser", "", "the recipe's (sgd, adamw)"),
    ("lr", "learning rate", "", "the recipe's"),
    ("wd", "weight decay", "", "the recipe's"),
];

const COLUMNS: u16 = 66;
/// Where values begin.
const LABEL: u16 = 18;

impl Form {
    /// Asks for a path.
    #[must_use]
    pub fn write(selection: &Selection, side: &str) -> Self {
        let ghn = crate::tui::selection::short_ghn(&selection.ghn);
        let post = if side == "after" {
            format!("-{}", selection.post_words().replace('+', "-"))
        } else {
            String::new()
        };
        let path = format!("{}-{ghn}{post}.safetensors", selection.arch.name);
        Self {
            purpose: Purpose::Write,
            title: "Write weights".to_owned(),
            intro: Shown::new(&format!(
                "{} as they are {side} post-processing, in torchvision's names.",
                selection.arch.name
            )),
            entries: vec![Entry {
                name: "path",
                label: "file",
                line: Line::new(&path),
                empty: "",
            }],
            at: 0,
            error: None,
            sent: false,
        }
    }

    /// Asks how to fine-tune; values of the last time stand in it.
    #[must_use]
    pub fn fine_tune(selection: &Selection, last: &BTreeMap<String, String>) -> Self {
        let entries = FINE_TUNE
            .iter()
            .map(|(name, label, first, empty)| Entry {
                name,
                label,
                line: Line::new(last.get(*name).map_or(*first, String::as_str)),
                empty,
            })
            .collect();
        let intro = format!(
            "{} from {}, with the data's classes; it runs on by itself.",
            selection.arch.name,
            selection.init()
        );
        Self {
            purpose: Purpose::FineTune,
            title: "Fine-tune from here".to_owned(),
            intro: Shown::new(&intro),
            entries,
            at: 0,
            error: None,
            sent: false,
        }
    }

    /// Takes one key. While an answer is awaited only `Esc` means something.
    pub fn key(&mut self, key: KeyEvent) -> Done {
        if self.sent {
            return match key.code {
                KeyCode::Esc => Done::Dropped,
                _ => Done::NotYet,
            };
        }
        self.error = None;
        let last = self.entries.len() - 1;
        match key.code {
            KeyCode::Down | KeyCode::Tab => self.at = (self.at + 1) % (last + 1),
            KeyCode::Up | KeyCode::BackTab => self.at = self.at.checked_sub(1).unwrap_or(last),
            _ => match self.entries[self.at].line.key(key) {
                Typed::Going => {}
                Typed::Accepted => return Done::Accepted,
                Typed::Dropped => return Done::Dropped,
            },
        }
        Done::NotYet
    }

    /// Takes pasted text into the line under the cursor.
    pub fn paste(&mut self, text: &str) {
        if !self.sent {
            self.entries[self.at].line.paste(text.trim());
        }
    }

    /// What was typed, by name.
    #[must_use]
    pub fn values(&self) -> BTreeMap<String, String> {
        self.entries
            .iter()
            .map(|e| (e.name.to_owned(), e.line.text().trim().to_owned()))
            .collect()
    }

    /// Shows why what was accepted did not work; it can be changed and accepted again.
    pub fn fail(&mut self, message: &str) {
        self.error = Some(Shown::new(message));
        self.sent = false;
    }

    /// Draws it over `screen`.
    pub fn view(&self, screen: Rect, look: &Look, buf: &mut Buffer) {
        let columns = COLUMNS.min(screen.width.saturating_sub(4));
        let intro = pane::wrap(self.intro.as_str(), columns.saturating_sub(4));
        let error = self.error.as_ref().map(Shown::as_str).unwrap_or_default();
        let errors = pane::wrap(error, columns.saturating_sub(4));
        let rows = intro.len() + self.entries.len() + errors.len() + 5;
        let area = overlay::open(screen, columns, rows as u16, look, buf);
        let inner = pane::titled(buf, area, &self.title, Focus::Yes, look);
        let x = inner.x + 1;
        let room = inner.width.saturating_sub(2);
        let mut y = inner.y;
        for line in &intro {
            put(buf, Slot::new(x, y, room), line, look.theme.dim);
            y += 1;
        }
        y += 1;
        for (index, entry) in self.entries.iter().enumerate() {
            if y < area.bottom().saturating_sub(1) {
                self.entry(entry, index == self.at, Slot::new(x, y, room), look, buf);
            }
            y += 1;
        }
        self.foot(
            &errors,
            Rect {
                x,
                y: y + 1,
                width: room,
                height: area.bottom().saturating_sub(y + 2),
            },
            look,
            buf,
        );
    }

    fn entry(&self, entry: &Entry, here: bool, slot: Slot, look: &Look, buf: &mut Buffer) {
        let label = if self.entries.len() == 1 {
            width(entry.label) + 2
        } else {
            LABEL
        };
        if here {
            let row = Rect::new(slot.x - 1, slot.y, slot.width + 2, 1);
            buf.set_style(row, look.theme.selection_idle);
        }
        put(
            buf,
            Slot::new(slot.x, slot.y, label),
            entry.label,
            look.theme.dim,
        );
        let value = Slot::new(slot.x + label, slot.y, slot.width.saturating_sub(label));
        if here && !self.sent {
            entry.line.view(buf, value, look);
            if entry.line.text().is_empty() {
                let after = Slot::new(value.x + 2, value.y, value.width.saturating_sub(2));
                put(buf, after, entry.empty, look.theme.faint);
            }
        } else if entry.line.text().is_empty() {
            put(buf, value, entry.empty, look.theme.faint);
        } else {
            let text = Shown::new(entry.line.text());
            let text = cut(text.as_str(), value.width, look.glyphs.ellipsis);
            put(buf, value, &text, look.theme.text);
        }
    }

    fn foot(&self, errors: &[String], area: Rect, look: &Look, buf: &mut Buffer) {
        if self.error.is_some() {
            for (index, line) in errors.iter().enumerate() {
                let y = area.y + index as u16;
                if y < area.bottom() {
                    put(buf, Slot::new(area.x, y, area.width), line, look.theme.bad);
                }
            }
            return;
        }
        let slot = Slot::new(area.x, area.y, area.width);
        if area.height == 0 {
            return;
        }
        if self.sent {
            put(buf, slot, "Starting the run", look.theme.accent);
            return;
        }
        let enter = match self.purpose {
            Purpose::Write => " write   ",
            Purpose::FineTune => " start   ",
        };
        let theme = &look.theme;
        let keys = [
            ("Enter", theme.accent),
            (enter, theme.dim),
            ("Esc", theme.accent),
            (" back", theme.dim),
        ];
        put_all(buf, slot, &keys);
        if self.entries.len() > 1 {
            put_right(buf, slot, look.glyphs.up_down, theme.faint);
        }
    }
}

/// The arguments of `finetune` for a selection and the values of the form.
#[must_use]
pub fn arguments(selection: &Selection, values: &BTreeMap<String, String>) -> Vec<String> {
    let mut arguments = vec![
        "finetune".to_owned(),
        selection.arch.name.clone(),
        "--init".to_owned(),
        selection.init(),
        "--detach".to_owned(),
        "--json".to_owned(),
        "--seed".to_owned(),
        selection.seed.to_string(),
    ];
    let mut option = |name: &str, value: String| arguments.push(format!("--{name}={value}"));
    if selection.ghn != RANDOM {
        option("ghn", selection.ghn.clone());
    }
    if selection.post.noise {
        option("beta", selection.post.beta.to_string());
    }
    if selection.post.noise || selection.post.orth {
        option("layer", selection.post.layer.clone());
    }
    for (name, ..) in FINE_TUNE {
        if let Some(value) = values.get(*name).filter(|v| !v.is_empty()) {
            option(name, value.clone());
        }
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_becomes_options_and_empty_lines_do_not() {
        let mut selection = Selection::default();
        selection.post.orth = false;
        let values = BTreeMap::from([
            ("data".to_owned(), "/data/c ifar".to_owned()),
            ("lr".to_owned(), String::new()),
        ]);
        let arguments = arguments(&selection, &values);
        assert_eq!(
            &arguments[..4],
            ["finetune", "resnet50", "--init", "ghn+noise"]
        );
        assert!(arguments.contains(&"--data=/data/c ifar".to_owned()));
        assert!(
            arguments.contains(&"--beta=0.00003".to_owned()),
            "{arguments:?}"
        );
        assert!(!arguments.iter().any(|a| a.starts_with("--lr")));
    }
}
