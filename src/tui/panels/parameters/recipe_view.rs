//! Draws the recipe, what can be done with it, and what there is to know about it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::recipe::{Around, Field};
use super::results::Results;
use crate::text::Shown;
use crate::tui::command::Command;
use crate::tui::selection::{RANDOM, short_ghn};
use crate::tui::shared::Shared;
use crate::tui::widgets::form::Line;
use crate::tui::widgets::pane::{self, Focus};
use crate::tui::widgets::write::{Slot, cut, put, put_all, put_right};

/// Cells of a label, and where values begin.
const LABEL: u16 = 8;

/// What is drawn.
pub struct RecipeView<'a> {
    pub field: Field,
    pub focused: bool,
    pub typing: Option<&'a Line>,
    pub around: Around<'a>,
    pub results: Option<&'a Results>,
    pub shared: &'a Shared,
}

impl RecipeView<'_> {
    pub fn draw(&self, area: Rect, buf: &mut Buffer) {
        let look = &self.shared.look;
        let inner = pane::titled(buf, area, "Recipe", Focus::when(self.focused), look);
        let mut y = inner.y;
        for field in Field::ALL {
            if y >= inner.bottom() {
                return;
            }
            self.field(field, Slot::new(inner.x, y, inner.width), buf);
            y += 1;
        }
        y += u16::from(inner.bottom().saturating_sub(y) > ACTIONS.len() as u16);
        y = self.actions(inner, y, buf);
        self.notes(inner, y + 1, buf);
    }

    fn field(&self, field: Field, slot: Slot, buf: &mut Buffer) {
        let look = &self.shared.look;
        let here = field == self.field && self.focused;
        if here {
            let row = Rect::new(slot.x, slot.y, slot.width, 1);
            buf.set_style(row, look.theme.selection);
        }
        let label = Slot::new(slot.x + 1, slot.y, LABEL);
        put(buf, label, field.label(), look.theme.dim);
        let value = Slot::new(
            slot.x + 1 + LABEL,
            slot.y,
            slot.width.saturating_sub(LABEL + 2),
        );
        if let Some(line) = self.typing.filter(|_| here) {
            line.view(buf, value, look);
            return;
        }
        let (text, style) = self.value(field);
        let text = cut(&text, value.width, look.glyphs.ellipsis);
        put(buf, value, &text, style);
        if here && value.width > crate::tui::widgets::write::width(&text) + 3 {
            put_right(buf, value, look.glyphs.left_right, look.theme.faint);
        }
    }

    fn value(&self, field: Field) -> (String, Style) {
        let theme = &self.shared.look.theme;
        let selection = &self.shared.selection;
        let post = &selection.post;
        let switch = |on: bool| {
            if on {
                ("on", theme.text)
            } else {
                ("off", theme.faint)
            }
        };
        let when = |on: bool| if on { theme.text } else { theme.faint };
        match field {
            Field::Ghn => (short_ghn(&selection.ghn).to_string(), theme.text),
            Field::Classes => (selection.arch.classes.to_string(), theme.text),
            Field::Side => (format!("{0} x {0}", selection.arch.side), theme.text),
            Field::Seed => (selection.seed.to_string(), theme.text),
            Field::Noise => {
                let (word, style) = switch(post.noise);
                (word.to_owned(), style)
            }
            Field::Orth => {
                let (word, style) = switch(post.orth);
                (word.to_owned(), style)
            }
            Field::Beta => (format!("{:e}", post.beta), when(post.noise)),
            Field::From => self.first_layer(when(post.noise || post.orth)),
        }
    }

    /// The first layer treated: number and name.
    fn first_layer(&self, style: Style) -> (String, Style) {
        let layer = &self.shared.selection.post.layer;
        if self.around.report.is_none() {
            return (Shown::new(layer).to_string(), style);
        }
        let Some(number) = self.around.layer_number(layer) else {
            let text = format!("{} (not here)", Shown::new(layer));
            return (text, self.shared.look.theme.warning);
        };
        let path = self.around.layer_path(number).unwrap_or_default();
        (format!("{number} {path}"), style)
    }

    fn actions(&self, area: Rect, mut y: u16, buf: &mut Buffer) -> u16 {
        let theme = &self.shared.look.theme;
        for (command, label) in ACTIONS {
            if y >= area.bottom() {
                break;
            }
            let key = self.shared.keymap.keys(command).first();
            let key = key.map(ToString::to_string).unwrap_or_default();
            let key = if key == "enter" {
                "Enter".to_owned()
            } else {
                key
            };
            put(buf, Slot::new(area.x + 1, y, LABEL), &key, theme.accent);
            let room = area.width.saturating_sub(LABEL + 1);
            put(
                buf,
                Slot::new(area.x + 1 + LABEL, y, room),
                label,
                theme.dim,
            );
            y += 1;
        }
        y
    }

    /// What one must know about these numbers: the GHN's nature, warnings of post-processing.
    fn notes(&self, area: Rect, mut y: u16, buf: &mut Buffer) {
        let width = area.width.saturating_sub(2);
        for (text, style) in self.texts() {
            for part in pane::wrap(&text, width) {
                if y >= area.bottom() {
                    return;
                }
                put_all(
                    buf,
                    Slot::new(area.x + 1, y, width),
                    &[(part.as_str(), style)],
                );
                y += 1;
            }
            y += 1;
        }
    }

    fn texts(&self) -> Vec<(String, Style)> {
        let theme = &self.shared.look.theme;
        let ghn = self.shared.selection.ghn.as_str();
        let mut texts = Vec::new();
        let summary = self.around.ghns.iter().find(|g| g.name == ghn);
        if ghn == RANDOM {
            let text = "random: torchvision's own initialisation, no GHN.";
            texts.push((text.to_owned(), theme.dim));
        } else if let Some(summary) = summary {
            let text = format!("{}: {}", short_ghn(ghn), Shown::new(&summary.description));
            texts.push((text, theme.dim));
            if !summary.trained {
                let text = "Untrained: its weights are random numbers, so what it predicts has learnt nothing.";
                texts.push((text.to_owned(), theme.warning));
            }
        }
        if let Some(results) = self.results {
            let warnings = results.warnings.iter();
            texts.extend(warnings.map(|w| (format!("! {w}"), theme.warning)));
        }
        texts
    }
}

const ACTIONS: [(Command, &str); 4] = [
    (Command::Predict, "predict"),
    (Command::PostProcess, "post-process"),
    (Command::WriteWeights, "write weights"),
    (Command::FineTune, "fine-tune"),
];
