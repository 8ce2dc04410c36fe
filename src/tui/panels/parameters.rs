//! Parameters: the recipe that makes them, the weight tensors before and after post-processing, one
//! of them closely.
//!
//! The engine does the work; this panel asks, keeps what it heard for each architecture, and shows
//! it. A change of post-processing while its numbers are on the screen computes them anew, what is
//! on the screen first.

mod choices;
mod detail;
mod detail_view;
mod form;
mod layout;
mod recipe;
mod recipe_view;
mod results;
mod steps;
mod table;
mod typing;
mod view;
mod work;

use std::collections::BTreeMap;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Event, Hint, Panel, PanelId};
use crate::engine::protocol::{ArchSpec, GhnSummary};
use crate::text::Shown;
use crate::tui::command::Command;
use crate::tui::effect::Effect;
use crate::tui::shared::{Severity, Shared};
use crate::tui::state_file::Remembered;
use crate::tui::widgets::form::Line;
use detail::Details;
use form::Form;
use layout::Layout;
use recipe::Field;
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
