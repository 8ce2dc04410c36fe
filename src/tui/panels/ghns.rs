//! GHNs: which there are, what each is, and how good the networks are that it predicts.
//!
//! The engine opens and evaluates them; this panel asks, keeps what it heard, and shows it. An evaluation goes on
//! in the engine while other panels are used.

mod bars;
mod chosen;
mod form;
mod keeping_up;
mod layout;
mod networks;
mod news;
mod plain_text;
mod reports;
mod rows;
mod running;
mod splits_view;
mod view;

use std::collections::BTreeMap;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Event, Hint, Panel};
use crate::engine::protocol::GhnSummary;
use crate::text::Shown;
use crate::tui::command::Command;
use crate::tui::dialog::{Dialog, Done};
use crate::tui::effect::Effect;
use crate::tui::shared::Shared;
use crate::tui::state_file::Remembered;
use crate::tui::widgets::cursor::Cursor;
use layout::Layout;
use networks::Networks;
use reports::Reports;
use rows::Row;
use running::Running;

/// The GHN whose weights are drawn from the seed.
const UNTRAINED: &str = "untrained";

/// Which pane has the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    #[default]
    List,
    Splits,
    /// The card, or the networks of a split.
    Below,
}

/// The panel's state.
#[derive(Debug, Default)]
pub struct GhnsPanel {
    /// Those that can be chosen, and the one that is selected if it is none of them.
    ghns: Vec<GhnSummary>,
    /// The question which there are.
    asked: Option<u64>,
    list: Cursor,
    /// Whether the cursor was put on the selected GHN.
    has_followed: bool,
    pane: Pane,
    reports: Reports,
    /// Large checkpoints that should be opened all the same, by name.
    wished: Vec<String>,
    /// Which of its evaluations is shown.
    evaluation: usize,
    /// The splits of that evaluation, ready to be drawn.
    rows: Vec<Row>,
    split: Cursor,
    /// The card, ready to be drawn, and its first line on the screen.
    card: Vec<Shown>,
    card_top: usize,
    /// The networks shown in the place of the card.
    networks: Option<Networks>,
    form: Option<Dialog>,
    /// What was typed into the form the last time.
    values: BTreeMap<String, String>,
    running: Option<Running>,
}

impl Panel for GhnsPanel {
    fn update(&mut self, event: Event<'_>, shared: &mut Shared) -> Vec<Effect> {
        let mut effects = match event {
            Event::Command(command) => self.command(command, shared),
            Event::Key(key) => match self.form.as_mut().map(|form| form.key(key)) {
                Some(Done::Accepted) => self.begin(shared),
                Some(Done::Dropped) => {
                    self.form = None;
                    Vec::new()
                }
                Some(Done::NotYet) | None => Vec::new(),
            },
            Event::Paste(text) => {
                if let Some(form) = &mut self.form {
                    form.paste(text);
                }
                Vec::new()
            }
            Event::Answer(answer) => {
                self.answer(answer, shared);
                Vec::new()
            }
            Event::EngineGone => {
                self.reports.engine_gone();
                self.asked = None;
                self.end_of_evaluation(shared);
                Vec::new()
            }
            // The folder of GHNs may have changed since.
            Event::Shown => self.ask_which(shared),
            Event::Tick => return Vec::new(),
            _ => Vec::new(),
        };
        self.follow(shared);
        self.refresh(shared);
        effects.extend(self.want_report(shared));
        effects
    }

    fn view(&self, shared: &Shared, area: Rect, buf: &mut Buffer) {
        view::draw(self, shared, area, buf);
    }

    fn hints(&self, shared: &Shared) -> Vec<Hint> {
        let mut hints = vec![Hint::new(Command::Down, "move")];
        match self.pane {
            Pane::List => hints.push(Hint::new(Command::Open, "use it")),
            Pane::Splits => hints.push(Hint::new(Command::Open, "its networks")),
            Pane::Below => {}
        }
        if self.needs_opening(shared) {
            hints.push(Hint::new(Command::GhnOpen, "open"));
        }
        hints.push(match self.running {
            Some(_) => Hint::new(Command::GhnCancel, "cancel"),
            None => Hint::new(Command::GhnEvaluate, "evaluate"),
        });
        if self.evaluations(shared).len() > 1 {
            hints.push(Hint::new(Command::GhnNextEvaluation, "other evaluation"));
        }
        hints.push(Hint::new(Command::NextPane, "other pane"));
        if self.pane != Pane::List {
            hints.push(Hint::new(Command::GhnUse, "use it"));
            hints.push(Hint::new(Command::Back, "back"));
        }
        hints
    }

    fn takes_text(&self) -> bool {
        self.form.is_some()
    }

    fn can_leave(&self) -> bool {
        self.pane != Pane::List
    }
}

impl GhnsPanel {
    #[must_use]
    pub fn new(remembered: &Remembered) -> Self {
        let mut values = remembered.evaluation.clone();
        // The first time, the images that were fine-tuned on.
        if let (false, Some(data)) = (
            values.contains_key("data"),
            remembered.finetune.get("data").filter(|d| !d.is_empty()),
        ) {
            values.insert("data".to_owned(), data.clone());
        }
        Self {
            values,
            ..Self::default()
        }
    }

    /// Puts what should be known at the next start into `to`.
    pub fn remember(&self, to: &mut Remembered) {
        // More than what `new` guesses: something was accepted.
        if self.values.len() > 1 {
            to.evaluation.clone_from(&self.values);
        }
    }

    fn command(&mut self, command: Command, shared: &mut Shared) -> Vec<Effect> {
        match command {
            Command::GhnUse => self.use_chosen(shared),
            Command::Open if self.pane == Pane::List => self.use_chosen(shared),
            Command::Open => self.open_networks(shared),
            Command::GhnOpen => self.open(shared),
            Command::GhnEvaluate => self.ask_how(shared),
            Command::GhnCancel => {
                let cancel = self.running.as_mut().map(|running| running.cancel(shared));
                return cancel.flatten().into_iter().collect();
            }
            Command::GhnNextEvaluation => {
                let most = self.evaluations(shared).len();
                self.evaluation = (self.evaluation + 1) % most.max(1);
            }
            Command::NextPane | Command::PreviousPane => self.pane = self.pane.other(command),
            Command::Left => self.pane = Pane::List,
            Command::Right if self.pane == Pane::List => self.pane = Pane::Splits,
            Command::Back => self.back(),
            Command::Copy => return self.copy(shared),
            motion => self.motion(motion, shared),
        }
        Vec::new()
    }

    fn motion(&mut self, motion: Command, shared: &Shared) {
        let layout = self.layout(shared);
        match (self.pane, &mut self.networks) {
            (Pane::List, _) => {
                let before = self.list.at;
                self.list
                    .command(motion, self.ghns.len(), layout.list_page());
                if self.list.at != before {
                    self.begin_anew();
                }
            }
            (Pane::Splits, _) => {
                self.split.command(motion, self.rows.len(), self.rows.len());
                if self.networks.is_some() {
                    self.networks = self.networks_of_row(shared);
                }
            }
            (Pane::Below, Some(networks)) => networks.motion(motion, layout.below_page()),
            (Pane::Below, None) => {
                let page = layout.below_page();
                let last = self.card.len().saturating_sub(page);
                // A text has no cursor: its first line moves.
                let mut first = Cursor {
                    at: self.card_top,
                    top: self.card_top,
                };
                first.command(motion, last + 1, page);
                self.card_top = first.at;
            }
        }
    }

    fn back(&mut self) {
        if self.networks.take().is_some() {
            self.pane = Pane::Splits;
        } else {
            self.pane = Pane::List;
        }
    }

    /// Another GHN is looked at.
    fn begin_anew(&mut self) {
        (self.evaluation, self.card_top) = (0, 0);
        self.split = Cursor::default();
        self.networks = None;
    }

    fn open_networks(&mut self, shared: &Shared) {
        self.networks = self.networks_of_row(shared);
        if self.networks.is_some() {
            self.pane = Pane::Below;
        }
    }

    fn networks_of_row(&self, shared: &Shared) -> Option<Networks> {
        let part = self.rows.get(self.split.at)?.part;
        let found = self.record(shared)?.evaluation.part(part)?;
        Some(Networks::of(found))
    }

    fn layout(&self, shared: &Shared) -> Layout {
        Layout::of(shared.area, self.pane, self.rows.len())
    }
}

impl Pane {
    const fn other(self, command: Command) -> Self {
        match (self, command) {
            (Self::List, Command::NextPane) | (Self::Below, Command::PreviousPane) => Self::Splits,
            (Self::Splits, Command::NextPane) | (Self::List, _) => Self::Below,
            (Self::Below, _) | (Self::Splits, _) => Self::List,
        }
    }
}
