//! Parameters: the recipe that makes them, the weight tensors before and after post-processing, one
//! of them closely.
//!
//! The engine does the work; this panel asks, keeps what it heard for each architecture, and shows
//! it. A change of post-processing while its numbers are on the screen computes them anew, what is
//! on the screen first.

mod detail;
mod detail_view;
mod form;
mod layout;
mod recipe;
mod recipe_view;
mod results;
mod table;
mod view;
mod work;

use std::collections::BTreeMap;

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Event, Hint, Panel, PanelId};
use crate::engine::protocol::{self, Answer, ArchSpec, Body, GhnSummary, Side};
use crate::text::Shown;
use crate::tui::command::Command;
use crate::tui::dialog::Done;
use crate::tui::effect::Effect;
use crate::tui::shared::{Severity, Shared};
use crate::tui::state_file::Remembered;
use crate::tui::widgets::form::{Line, Typed};
use detail::Details;
use form::{Form, Purpose};
use layout::Layout;
use recipe::{Around, Field};
use results::Results;
use table::Table;
use work::{Step, Work};

/// Which pane has the keys. The detail takes them only where it stands alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    #[default]
    Recipe,
    Table,
    Detail,
}

/// What keys are text for.
#[derive(Debug, Default)]
enum Typing {
    #[default]
    Nothing,
    Filter(Line),
    Field(Line),
}

/// Results of so many architectures are kept.
const KEPT: usize = 8;

/// The panel's state.
#[derive(Debug, Default)]
pub struct ParametersPanel {
    pane: Pane,
    field: Field,
    typing: Typing,
    form: Option<Form>,
    ghns: Vec<GhnSummary>,
    /// The question which GHNs there are.
    ghns_asked: Option<u64>,
    /// One for each architecture looked at lately, the oldest first.
    results: Vec<Results>,
    /// Whose parameters the engine holds now.
    held: Option<ArchSpec>,
    table: Table,
    details: Details,
    work: Work,
    /// Post-processing has begun, and nothing that it changed was seen yet.
    awaits_change: bool,
    /// Why the last step failed.
    failure: Option<Shown>,
    /// Values of the fine-tuning form, for the next time.
    finetune: BTreeMap<String, String>,
}

impl Panel for ParametersPanel {
    fn update(&mut self, event: Event<'_>, shared: &mut Shared) -> Vec<Effect> {
        let mut effects = match event {
            Event::Command(command) => self.command(command, shared),
            Event::Key(key) => self.key(key, shared),
            Event::Paste(text) => self.paste(text, shared),
            Event::Answer(answer) => self.answer(answer, shared),
            Event::EngineGone => self.engine_gone(shared),
            Event::SelectionChanged | Event::ArchsChanged => {
                self.follow_selection(shared);
                Vec::new()
            }
            Event::Launched(run) => {
                if self.form.as_ref().is_some_and(|form| form.dialog.sent) {
                    self.form = None;
                    let name = run.file_name().unwrap_or(run.as_os_str());
                    let text = format!("Started {}", name.to_string_lossy());
                    shared.say(Severity::Good, &text);
                    shared.go_to(PanelId::Runs);
                }
                Vec::new()
            }
            Event::LaunchFailed(message) => {
                match &mut self.form {
                    Some(form) if form.dialog.sent => form.dialog.fail(message),
                    _ => shared.say(Severity::Bad, message),
                }
                Vec::new()
            }
            Event::Shown | Event::Resized | Event::Runs(_) | Event::Tick => Vec::new(),
        };
        self.settle(shared);
        effects.extend(self.next_step(shared));
        effects.extend(self.want_detail(shared));
        effects
    }

    fn view(&self, shared: &Shared, area: Rect, buf: &mut Buffer) {
        view::draw(self, shared, area, buf);
    }

    fn hints(&self, shared: &Shared) -> Vec<Hint> {
        let mut hints = vec![Hint::new(Command::Down, "move")];
        if self.pane == Pane::Recipe {
            hints.push(Hint::new(Command::Right, "change"));
            hints.push(Hint::new(Command::Toggle, "switch, type"));
        }
        if self.work.is_busy() {
            hints.push(Hint::new(Command::CancelWork, "cancel"));
        } else {
            hints.push(Hint::new(Command::Predict, "predict"));
            hints.push(Hint::new(Command::PostProcess, "post-process"));
        }
        hints.push(Hint::new(Command::NextPane, "other pane"));
        if self.pane != Pane::Recipe {
            hints.push(Hint::new(Command::PostFromHere, "from here"));
            hints.push(Hint::new(Command::Filter, "filter"));
            hints.push(Hint::new(Command::SortTable, "sort"));
            hints.push(Hint::new(Command::Copy, "copy name"));
        }
        if self.current(shared).is_some_and(|r| r.predicted.is_some()) {
            hints.push(Hint::new(Command::WriteWeights, "write"));
        }
        hints.push(Hint::new(Command::FineTune, "fine-tune"));
        hints
    }

    fn takes_text(&self) -> bool {
        self.form.is_some() || !matches!(self.typing, Typing::Nothing)
    }

    fn can_leave(&self) -> bool {
        self.pane != Pane::Recipe || self.failure.is_some()
    }
}

impl ParametersPanel {
    #[must_use]
    pub fn new(remembered: &Remembered) -> Self {
        Self {
            finetune: remembered.finetune.clone(),
            ..Self::default()
        }
    }

    /// Puts what should be known at the next start into `to`.
    pub fn remember(&self, to: &mut Remembered) {
        to.finetune.clone_from(&self.finetune);
    }

    fn command(&mut self, command: Command, shared: &mut Shared) -> Vec<Effect> {
        match command {
            Command::NextPane | Command::PreviousPane => {
                self.pane = self.other_pane(command, shared)
            }
            Command::Predict | Command::Open => self.ask_for(vec![Step::Predict], shared),
            Command::PostProcess => self.post_process(shared),
            Command::CancelWork => return self.cancel(shared),
            Command::WriteWeights => self.open_write(shared),
            Command::FineTune => {
                self.form = Some(Form::fine_tune(&shared.selection, &self.finetune));
            }
            Command::PostFromHere => return self.post_from_here(shared),
            Command::SortTable => {
                self.table.sort = self.table.sort.next();
                self.refresh_table(shared);
            }
            Command::Filter => {
                self.pane = Pane::Table;
                self.typing = Typing::Filter(Line::new(&self.table.filter));
            }
            Command::Copy => return self.copy(shared),
            Command::Back => return self.back(shared),
            command => match self.pane {
                Pane::Recipe => return self.recipe_command(command, shared),
                Pane::Table | Pane::Detail => {
                    let page = Layout::of(shared.area, Pane::Table).table_rows();
                    self.table.motion(command, page);
                    if command == Command::Left {
                        self.pane = Pane::Recipe;
                    }
                }
            },
        }
        Vec::new()
    }

    fn other_pane(&self, command: Command, shared: &Shared) -> Pane {
        let single = Layout::of(shared.area, self.pane).single;
        match (self.pane, command) {
            (Pane::Recipe, Command::NextPane) => Pane::Table,
            (Pane::Recipe, _) if single => Pane::Detail,
            (Pane::Recipe, _) => Pane::Table,
            (Pane::Table, Command::NextPane) if single => Pane::Detail,
            (Pane::Detail, Command::PreviousPane) => Pane::Table,
            _ => Pane::Recipe,
        }
    }

    fn back(&mut self, shared: &mut Shared) -> Vec<Effect> {
        if self.work.is_busy() {
            return self.cancel(shared);
        }
        if self.failure.take().is_some() {
            return Vec::new();
        }
        if self.table.filter.is_empty() {
            self.pane = Pane::Recipe;
        } else {
            self.table.filter.clear();
            self.refresh_table(shared);
        }
        Vec::new()
    }

    // Recipe.

    fn recipe_command(&mut self, command: Command, shared: &mut Shared) -> Vec<Effect> {
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
    fn change(
        &mut self,
        shared: &mut Shared,
        change: impl FnOnce(
            &mut crate::tui::selection::Selection,
            Field,
            &Around<'_>,
        ) -> Result<(), String>,
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

    fn post_from_here(&mut self, shared: &mut Shared) -> Vec<Effect> {
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

    // Work.

    /// Plans steps; what is under way is not disturbed if it is the same.
    fn ask_for(&mut self, steps: Vec<Step>, shared: &mut Shared) {
        if self.work.is_busy() {
            shared.say(
                Severity::Warning,
                "The engine is at work; Esc cancels what it does.",
            );
            return;
        }
        self.failure = None;
        self.work.plan(steps);
    }

    /// Post-processes; predicts before if the engine does not hold what the recipe says.
    fn post_process(&mut self, shared: &mut Shared) {
        let post = &shared.selection.post;
        if !post.noise && !post.orth {
            shared.say(
                Severity::Warning,
                "Noise and orth are both off: there is nothing to do. Switch one on in the recipe.",
            );
            return;
        }
        if self.work.has(&Step::Predict) {
            self.work.plan([Step::Post]);
            shared.say(Severity::Good, "Post-processing follows the prediction.");
            return;
        }
        let steps = if self.holds_selection(shared) {
            vec![Step::Post]
        } else {
            vec![Step::Predict, Step::Post]
        };
        self.ask_for(steps, shared);
    }

    /// Whether the engine holds the prediction that the recipe describes.
    fn holds_selection(&self, shared: &Shared) -> bool {
        let selection = &shared.selection;
        self.held.as_ref() == Some(&selection.arch)
            && self.current(shared).is_some_and(|results| {
                results.predicted.as_ref().is_some_and(|(asked, _)| {
                    asked.ghn == selection.ghn && asked.seed == selection.seed
                })
            })
    }

    fn cancel(&mut self, shared: &mut Shared) -> Vec<Effect> {
        self.work.plan([]);
        self.work.cancel(shared).into_iter().collect()
    }

    /// Begins the next planned step.
    fn next_step(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let page = Layout::of(shared.area, Pane::Table).table_rows();
        let first = self
            .current(shared)
            .map(|results| self.table.visible(results, page))
            .unwrap_or_default();
        let side = self.newest_side(shared);
        let Some((job, effect)) = self.work.next(shared, first, side) else {
            return Vec::new();
        };
        shared.dirty = true;
        if job.step == Step::Post
            && let Some(results) = self.results.iter_mut().find(|r| r.spec == job.spec)
        {
            results.expect_post(work::post(&shared.selection));
            self.awaits_change = true;
        }
        vec![effect]
    }

    fn newest_side(&self, shared: &Shared) -> Side {
        match self.current(shared) {
            Some(results) if results.post.is_some() => Side::After,
            _ => Side::Before,
        }
    }

    fn answer(&mut self, answer: &Answer, shared: &mut Shared) -> Vec<Effect> {
        if let Body::Hello { .. } = answer.body {
            let (id, effect) = shared.ask(protocol::Command::Ghns);
            self.ghns_asked = Some(id);
            return vec![effect];
        }
        if self.ghns_asked == Some(answer.id) {
            if let Body::Ghns { ghns } = &answer.body {
                self.ghns.clone_from(ghns);
            }
            return Vec::new();
        }
        if self.details.answer(answer.id, &answer.body) {
            return Vec::new();
        }
        if self
            .work
            .job
            .as_ref()
            .is_some_and(|job| job.id == answer.id)
        {
            self.step_answer(&answer.body, shared);
        }
        Vec::new()
    }

    /// News about the step under way.
    fn step_answer(&mut self, body: &Body, shared: &mut Shared) {
        let Some(job) = self.work.job.clone() else {
            return;
        };
        let results = self.results.iter_mut().find(|r| r.spec == job.spec);
        match body {
            Body::Predicted(predicted) => {
                self.held = Some(job.spec);
                self.details.clear();
                if let Some(results) = results {
                    results.begin(job.asked, predicted.clone());
                }
            }
            Body::Row { side, row } => {
                if let Some(results) = results {
                    results.take(*side, row);
                }
                if *side == Side::After {
                    self.see_change(&row.name, shared);
                }
            }
            Body::Warning { text } => {
                if let Some(results) = results {
                    results.warnings.push(Shown::new(text));
                }
            }
            Body::Written { path, bytes } => {
                let size = crate::tui::widgets::number::bytes(*bytes);
                shared.say(Severity::Good, &format!("Wrote {path}, {size}"));
            }
            Body::Done => self.step_done(&job.step, shared),
            Body::Failed { message, cancelled } => {
                self.work.job = None;
                if !job.cancelled && !cancelled {
                    self.work.clear();
                    self.failure = Some(Shown::new(message));
                    shared.say(Severity::Bad, message);
                } else if !self.work.is_busy() {
                    shared.say(Severity::Warning, "Cancelled.");
                    if let Some(results) = results {
                        results.finish_post();
                    }
                }
            }
            _ => {}
        }
    }

    /// Once after each post-processing, moves to the first tensor that it changed if none on the screen is
    /// among those: on a small screen the first layers, which it leaves alone, hide its effect.
    fn see_change(&mut self, changed: &str, shared: &Shared) {
        if !std::mem::take(&mut self.awaits_change) {
            return;
        }
        let page = Layout::of(shared.area, Pane::Table).table_rows();
        let Some(results) = self.current(shared) else {
            return;
        };
        if self
            .table
            .visible(results, page)
            .iter()
            .any(|name| name == changed)
        {
            return;
        }
        let is_changed = |at: &usize| results.rows[*at].tensor == changed;
        if let Some(at) = self.table.order.iter().position(is_changed) {
            // At the top, with one row of context: what it changed as well follows below.
            self.table.cursor.top = at.saturating_sub(1);
            self.table.cursor.at = at;
            self.table.settle(page);
        }
    }

    fn step_done(&mut self, step: &Step, shared: &Shared) {
        let spec = self.work.job.take().map(|job| job.spec);
        if *step == Step::Post {
            self.details.clear();
            if let Some(results) = self
                .results
                .iter_mut()
                .find(|r| Some(&r.spec) == spec.as_ref())
            {
                results.finish_post();
            }
        }
        self.refresh_table(shared);
    }

    fn engine_gone(&mut self, shared: &Shared) -> Vec<Effect> {
        if self.work.is_busy() {
            self.failure = Some(Shown::new(
                "The engine ended while it worked. What is on the screen stays; Enter predicts again.",
            ));
        }
        self.work.clear();
        self.held = None;
        self.details.clear();
        for results in &mut self.results {
            results.finish_post();
        }
        self.refresh_table(shared);
        Vec::new()
    }

    // Forms.

    fn open_write(&mut self, shared: &mut Shared) {
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

    // Text.

    fn key(&mut self, key: KeyEvent, shared: &mut Shared) -> Vec<Effect> {
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

    fn paste(&mut self, text: &str, shared: &mut Shared) -> Vec<Effect> {
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

    fn copy(&self, shared: &mut Shared) -> Vec<Effect> {
        let name = self
            .current(shared)
            .zip(self.table.chosen())
            .and_then(|(results, at)| results.rows.get(at))
            .map(|row| row.tensor.clone());
        let Some(name) = name else { return Vec::new() };
        shared.say(Severity::Good, &format!("Copied {name}"));
        vec![Effect::Copy(name)]
    }

    // Keeping up.

    /// Results of the selected architecture, made as soon as it is built.
    fn follow_selection(&mut self, shared: &Shared) {
        let spec = &shared.selection.arch;
        if self.current(shared).is_none()
            && let Some(report) = shared.archs.ready(spec)
        {
            if self.results.len() >= KEPT {
                self.results.remove(0);
            }
            self.results
                .push(Results::empty(spec.clone(), &report.arch));
        }
        if self.held.as_ref() != Some(spec) {
            self.details.clear();
        }
        self.refresh_table(shared);
    }

    fn current(&self, shared: &Shared) -> Option<&Results> {
        self.results
            .iter()
            .find(|r| r.spec == shared.selection.arch)
    }

    fn refresh_table(&mut self, shared: &Shared) {
        let results = self
            .results
            .iter()
            .find(|r| r.spec == shared.selection.arch);
        self.table.refresh(results);
    }

    fn settle(&mut self, shared: &Shared) {
        let layout = Layout::of(shared.area, self.pane);
        if !layout.single && self.pane == Pane::Detail {
            self.pane = Pane::Table;
        }
        let page = Layout::of(shared.area, Pane::Table).table_rows();
        self.table.settle(page);
    }

    /// Asks for the selected tensor's details if the engine can give them now.
    fn want_detail(&mut self, shared: &mut Shared) -> Option<Effect> {
        let holds = self.held.as_ref() == Some(&shared.selection.arch);
        if !holds || self.work.is_busy() || shared.front != PanelId::Parameters {
            return None;
        }
        let at = self.table.chosen()?;
        let row = self.current(shared)?.rows.get(at)?;
        row.before.as_ref()?;
        let tensor = row.tensor.clone();
        self.details.want(&tensor, shared)
    }
}

/// `~/x` in the user's home folder, as a shell would read it.
fn at_home(path: &str) -> String {
    match (path.strip_prefix("~/"), std::env::var("HOME")) {
        (Some(rest), Ok(home)) if !home.is_empty() => format!("{home}/{rest}"),
        _ => path.to_owned(),
    }
}
