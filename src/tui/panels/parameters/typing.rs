//! Keys that are text: the filter, a field of the recipe, the forms.

use crossterm::event::KeyEvent;

use super::form::{self, Form, Purpose};
use super::recipe;
use super::work::Step;
use super::{ParametersPanel, Typing};
use crate::engine::protocol::Side;
use crate::tui::dialog::Done;
use crate::tui::effect::Effect;
use crate::tui::shared::{Severity, Shared};
use crate::tui::widgets::form::Typed;

impl ParametersPanel {
    pub(super) fn open_write(&mut self, shared: &mut Shared) {
        if !self.holds_selection(shared) {
            shared.say(
                Severity::Warning,
                "There is nothing to write for this recipe yet: Enter predicts.",
            );
            return;
        }
        let side = match self.newest_side(shared) {
            Side::Before => "before",
            Side::After => "after",
        };
        self.form = Some(Form::write(&shared.selection, side));
    }

    fn form_done(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let Some(form) = &mut self.form else {
            return Vec::new();
        };
        let values = form.dialog.values();
        match form.purpose {
            Purpose::Write => {
                let path = values.get("path").cloned().unwrap_or_default();
                if path.is_empty() {
                    form.dialog.fail("Give the name of a file.");
                    return Vec::new();
                }
                self.form = None;
                self.ask_for(
                    vec![Step::Write {
                        path: at_home(&path),
                    }],
                    shared,
                );
                Vec::new()
            }
            Purpose::FineTune => {
                form.dialog.sent = true;
                let arguments = form::arguments(&shared.selection, &values);
                self.finetune = values;
                vec![Effect::Launch(arguments)]
            }
        }
    }

    pub(super) fn key(&mut self, key: KeyEvent, shared: &mut Shared) -> Vec<Effect> {
        if let Some(form) = &mut self.form {
            return match form.dialog.key(key) {
                Done::NotYet => Vec::new(),
                Done::Dropped => {
                    self.form = None;
                    Vec::new()
                }
                Done::Accepted => self.form_done(shared),
            };
        }
        match &mut self.typing {
            Typing::Nothing => Vec::new(),
            Typing::Filter(line) => {
                let typed = line.key(key);
                self.filter_typed(typed, shared);
                Vec::new()
            }
            Typing::Field(line) => match line.key(key) {
                Typed::Going => Vec::new(),
                Typed::Dropped => {
                    self.typing = Typing::Nothing;
                    Vec::new()
                }
                Typed::Accepted => {
                    let text = line.text().to_owned();
                    self.typing = Typing::Nothing;
                    self.change(shared, |selection, field, around| {
                        recipe::set(selection, field, &text, around)
                    })
                }
            },
        }
    }

    pub(super) fn paste(&mut self, text: &str, shared: &mut Shared) -> Vec<Effect> {
        if let Some(form) = &mut self.form {
            form.dialog.paste(text);
            return Vec::new();
        }
        match &mut self.typing {
            Typing::Nothing => {}
            Typing::Field(line) => line.paste(text.trim()),
            Typing::Filter(line) => {
                line.paste(text.trim());
                self.filter_typed(Typed::Going, shared);
            }
        }
        Vec::new()
    }

    fn filter_typed(&mut self, typed: Typed, shared: &Shared) {
        if let Typing::Filter(line) = &self.typing {
            self.table.filter = match typed {
                Typed::Dropped => String::new(),
                _ => line.text().to_owned(),
            };
        }
        if typed != Typed::Going {
            self.typing = Typing::Nothing;
        }
        self.refresh_table(shared);
    }

    pub(super) fn copy(&self, shared: &mut Shared) -> Vec<Effect> {
        let name = self
            .current(shared)
            .zip(self.table.chosen())
            .and_then(|(results, at)| results.rows.get(at))
            .map(|row| row.tensor.clone());
        let Some(name) = name else { return Vec::new() };
        shared.say(Severity::Good, &format!("Copied {name}"));
        vec![Effect::Copy(name)]
    }
}

/// `~/x` in the user's home folder, as a shell would read it.
fn at_home(path: &str) -> String {
    match (path.strip_prefix("~/"), std::env::var("HOME")) {
        (Some(rest), Ok(home)) if !home.is_empty() => format!("{home}/{rest}"),
        _ => path.to_owned(),
    }
}
