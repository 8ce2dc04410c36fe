//! Changes of the recipe, and what follows from them.

use super::recipe::{self, Around, Field};
use super::work::Step;
use super::{ParametersPanel, Typing};
use crate::tui::command::Command;
use crate::tui::effect::Effect;
use crate::tui::selection::Selection;
use crate::tui::shared::{Severity, Shared};
use crate::tui::widgets::form::Line;

impl ParametersPanel {
    pub(super) fn recipe_command(&mut self, command: Command, shared: &mut Shared) -> Vec<Effect> {
        match command {
            Command::Left | Command::Right => self.change(shared, |selection, field, around| {
                recipe::step(selection, field, command == Command::Right, around);
                Ok(())
            }),
            Command::Toggle => match recipe::text(&shared.selection, self.field) {
                Some(text) => {
                    self.typing = Typing::Field(Line::new(&text));
                    Vec::new()
                }
                None => self.change(shared, |selection, field, around| {
                    recipe::step(selection, field, true, around);
                    Ok(())
                }),
            },
            motion => {
                self.field = self.field.moved(motion);
                Vec::new()
            }
        }
    }

    /// Changes the selection by the field under the cursor; post-processing whose numbers are on the
    /// screen is done anew.
    pub(super) fn change(
        &mut self,
        shared: &mut Shared,
        change: impl FnOnce(&mut Selection, Field, &Around<'_>) -> Result<(), String>,
    ) -> Vec<Effect> {
        let report = shared.archs.ready(&shared.selection.arch).cloned();
        let around = Around {
            ghns: &self.ghns,
            report: report.as_deref(),
        };
        let mut selection = shared.selection.clone();
        if let Err(message) = change(&mut selection, self.field, &around) {
            shared.say(Severity::Bad, &message);
            return Vec::new();
        }
        let post_changed = selection.post != shared.selection.post;
        shared.select(|own| *own = selection);
        if post_changed && self.field.is_post() {
            return self.post_anew(shared);
        }
        Vec::new()
    }

    /// Does post-processing again if it was done or is being done.
    fn post_anew(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let was_done = self.current(shared).is_some_and(|r| r.post.is_some());
        if !(was_done || self.work.has(&Step::Post)) || self.work.has(&Step::Predict) {
            return Vec::new();
        }
        let post = &shared.selection.post;
        if !post.noise && !post.orth {
            self.work.plan([]);
            let effect = self.work.cancel(shared);
            let spec = shared.selection.arch.clone();
            if let Some(results) = self.results.iter_mut().find(|r| r.spec == spec) {
                results.post = None;
                for row in &mut results.rows {
                    (row.after, row.stale) = (None, false);
                }
            }
            self.details.clear();
            return effect.into_iter().collect();
        }
        self.work.plan([Step::Post]);
        self.work.cancel(shared).into_iter().collect()
    }

    pub(super) fn post_from_here(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let number = self
            .current(shared)
            .zip(self.table.chosen())
            .and_then(|(results, at)| results.rows.get(at)?.number);
        let Some(number) = number else {
            return Vec::new();
        };
        shared.select(|selection| selection.post.layer = number.to_string());
        self.post_anew(shared)
    }
}
