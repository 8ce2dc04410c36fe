//! Draws the panel: recipe, table, detail, and a form over them.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::detail_view::DetailView;
use super::layout::Layout;
use super::recipe::Around;
use super::recipe_view::RecipeView;
use super::results::Results;
use super::table::TableView;
use super::{Pane, ParametersPanel, Typing};
use crate::text::Shown;
use crate::tui::catalogue::Entry;
use crate::tui::selection::{AUTO, RANDOM, short_ghn};
use crate::tui::shared::Shared;
use crate::tui::widgets::bar::progress;
use crate::tui::widgets::number;
use crate::tui::widgets::pane::{self, Focus};
use crate::tui::widgets::write::{Slot, put, put_all, put_right, width};

/// Draws everything.
pub fn draw(panel: &ParametersPanel, shared: &Shared, area: Rect, buf: &mut Buffer) {
    let layout = Layout::of(area, panel.pane);
    let view = View { panel, shared };
    if layout.recipe.height > 0 {
        view.recipe(layout.recipe, buf);
    }
    if layout.table.height > 0 {
        view.table(layout.table, buf);
    }
    if layout.detail.height > 0 {
        view.detail(layout.detail, buf);
    }
    if !layout.single {
        view.lines(&layout, buf);
    }
    if let Some(form) = &panel.form {
        form.dialog.view(area, &shared.look, buf);
    }
}

struct View<'a> {
    panel: &'a ParametersPanel,
    shared: &'a Shared,
}

impl View<'_> {
    fn results(&self) -> Option<&Results> {
        self.panel.current(self.shared)
    }

    fn around(&self) -> Around<'_> {
        let report = self.shared.archs.ready(&self.shared.selection.arch);
        Around {
            ghns: &self.panel.ghns,
            report: report.map(AsRef::as_ref),
        }
    }

    /// The line between the recipe and what stands beside it.
    fn lines(&self, layout: &Layout, buf: &mut Buffer) {
        let look = &self.shared.look;
        let x = layout.recipe.right();
        let height = layout.recipe.height.saturating_sub(1);
        put(
            buf,
            Slot::new(x, layout.recipe.y, 1),
            look.glyphs.rule,
            look.theme.line,
        );
        pane::divider(buf, x, layout.recipe.y + 1, height, look);
    }

    fn recipe(&self, area: Rect, buf: &mut Buffer) {
        let typing = match &self.panel.typing {
            Typing::Field(line) => Some(line),
            _ => None,
        };
        RecipeView {
            field: self.panel.field,
            focused: self.panel.pane == Pane::Recipe,
            typing,
            around: self.around(),
            results: self.results(),
            shared: self.shared,
        }
        .draw(area, buf);
    }

    fn table(&self, area: Rect, buf: &mut Buffer) {
        let look = &self.shared.look;
        let focus = Focus::when(self.panel.pane == Pane::Table);
        let spec = &self.shared.selection.arch;
        let name = Shown::new(&spec.name);
        let inner = pane::titled(buf, area, name.as_str(), focus, look);
        let line = Slot::new(inner.x + 1, inner.y, inner.width.saturating_sub(2));
        let Some(results) = self.results() else {
            self.no_results(inner, buf);
            return;
        };
        if let Typing::Filter(typed) = &self.panel.typing {
            put(buf, line, "/", look.theme.accent);
            let rest = Slot::new(line.x + 2, line.y, line.width.saturating_sub(2));
            typed.view(buf, rest, look);
        } else {
            self.facts(results, line, buf);
        }
        let below = Rect {
            y: inner.y + 1,
            height: inner.height.saturating_sub(1),
            ..inner
        };
        if self.panel.table.order.is_empty() {
            let lines = ["No tensor has these letters.", "Esc clears the filter."];
            pane::message(buf, below, &lines, look);
            return;
        }
        let post = &self.shared.selection.post;
        let around = self.around();
        let first = around.layer_number(&post.layer);
        // The last layer, the classifier, is never changed.
        let treated = match first.filter(|_| post.noise || post.orth) {
            Some(first) => first..around.layers(),
            None => 0..0,
        };
        TableView {
            table: &self.panel.table,
            results,
            focused: self.panel.pane == Pane::Table,
            treated,
            look,
        }
        .draw(below, buf);
    }

    fn no_results(&self, area: Rect, buf: &mut Buffer) {
        let look = &self.shared.look;
        match self.shared.archs.get(&self.shared.selection.arch) {
            Some(Entry::Failed(message)) => {
                let lines = [
                    "This network cannot be built so.",
                    message.as_str(),
                    "Change classes or image size in the recipe.",
                ];
                pane::message(buf, area, &lines, look);
            }
            _ => pane::message(buf, area, &["Building the network"], look),
        }
    }

    /// What the numbers are of; facts that do not fit are left out from the end.
    fn facts(&self, results: &Results, slot: Slot, buf: &mut Buffer) {
        let theme = &self.shared.look.theme;
        let mut facts: Vec<(String, Style)> = Vec::new();
        if !self.panel.table.filter.is_empty() {
            let filter = Shown::new(&self.panel.table.filter);
            facts.push((format!("/ {filter}"), theme.accent));
        }
        match &results.predicted {
            None => facts.push((
                format!("{} weight tensors, not predicted yet", results.rows.len()),
                theme.dim,
            )),
            Some((asked, predicted)) => {
                let selection = &self.shared.selection;
                let changed = asked.ghn != selection.ghn || asked.seed != selection.seed;
                let source = if asked.ghn == RANDOM {
                    "random".to_owned()
                } else {
                    format!("by {}", short_ghn(&asked.ghn))
                };
                facts.push((source, theme.text));
                if results.is_untrained() {
                    facts.push(("untrained".to_owned(), theme.warning));
                }
                if changed {
                    facts.push(("recipe changed since".to_owned(), theme.warning));
                }
                let total = predicted.seconds.predicting();
                if predicted.params > 0 {
                    let time =
                        number::duration(Duration::try_from_secs_f64(total).unwrap_or_default());
                    facts.push((
                        format!(
                            "{} values in {time}",
                            number::count_inline(predicted.params)
                        ),
                        theme.dim,
                    ));
                }
                if !predicted.unpredicted.is_empty() && predicted.params > 0 {
                    let count = predicted.unpredicted.len();
                    let plural = if count == 1 { "" } else { "s" };
                    facts.push((format!("{count} tensor{plural} left random"), theme.dim));
                }
            }
        }
        if let Some(post) = &results.post {
            let words = match (post.noise, post.orth) {
                (true, true) => "noise and orth",
                (true, false) => "noise",
                _ => "orth",
            };
            let around = self.around();
            let automatic = (post.layer == AUTO).then(|| around.layer_number(AUTO));
            let automatic = automatic.flatten().and_then(|n| around.layer_path(n));
            let from = Shown::new(automatic.unwrap_or(&post.layer));
            facts.push((
                format!("after: {words} from {from}"),
                self.shared.look.after(),
            ));
        }
        if self.panel.table.sort != super::table::Sort::Layer {
            facts.push((self.panel.table.sort.words().to_owned(), theme.dim));
        }
        self.put_facts(&facts, slot, buf);
    }

    fn put_facts(&self, facts: &[(String, Style)], slot: Slot, buf: &mut Buffer) {
        let look = &self.shared.look;
        let dot = format!(" {} ", look.glyphs.dot);
        let end = slot.x + slot.width;
        let mut x = slot.x;
        for (index, (text, style)) in facts.iter().enumerate() {
            let lead = if index == 0 { "" } else { dot.as_str() };
            if x + width(lead) + width(text) > end {
                return;
            }
            let rest = Slot::new(x, slot.y, end - x);
            x += put_all(buf, rest, &[(lead, look.theme.faint), (text, *style)]);
        }
    }

    fn detail(&self, area: Rect, buf: &mut Buffer) {
        let look = &self.shared.look;
        let focus = Focus::when(self.panel.pane == Pane::Detail);
        let row = self
            .results()
            .zip(self.panel.table.chosen())
            .and_then(|(results, at)| results.rows.get(at));
        let Some(row) = row else {
            pane::titled(buf, area, "Tensor", focus, look);
            return;
        };
        let title = format!("{}  {}", row.name, number::shape(&row.shape));
        let inner = pane::titled(buf, area, &title, focus, look);
        if self.results().is_some_and(Results::is_untrained) && area.width > 2 {
            let slot = Slot::new(area.x, area.y, area.width - 2);
            put_right(buf, slot, " untrained ", look.theme.warning);
        }
        let message = self.detail_message(&row.tensor);
        DetailView {
            row,
            sides: self.panel.details.get(&row.tensor),
            message: &message,
            look,
        }
        .draw(inner, buf);
    }

    /// What stands instead of the charts: what failed, what is being done, or what to do first.
    fn detail_message(&self, tensor: &str) -> Vec<String> {
        let panel = self.panel;
        let own = |lines: &[&str]| lines.iter().map(|l| (*l).to_owned()).collect();
        if let Some(failure) = &panel.failure {
            return own(&[
                "It failed.",
                failure.as_str(),
                "Enter tries again, Esc puts this away.",
            ]);
        }
        if let Some(message) = panel.details.failure(tensor) {
            return own(&["This tensor cannot be shown.", message.as_str()]);
        }
        if let Some(work) = &self.shared.engine.work {
            let bar = progress(work.done, work.total, 20, &self.shared.look.glyphs);
            let count = match work.total {
                0 => String::new(),
                total => format!("  {} of {total}", work.done),
            };
            return own(&[&format!("{}  {bar}{count}", work.what), "Esc cancels it."]);
        }
        let predicted = self.results().is_some_and(|r| r.predicted.is_some());
        let held = panel.held.as_ref() == Some(&self.shared.selection.arch);
        match (predicted, held) {
            (true, true) => own(&["Reading the tensor"]),
            (true, false) => own(&[
                "The engine no longer holds these parameters.",
                "Enter predicts them again; then single tensors can be looked at.",
            ]),
            (false, _) => own(&[
                "Nothing is predicted yet.",
                "Enter lets the GHN predict every tensor of this network. p post-processes the prediction and shows each number before and after. The recipe is on the left: arrows move and change, Space switches or types.",
            ]),
        }
    }
}
