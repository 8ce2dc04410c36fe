//! Shift: how far the chosen architecture lies from the networks that GHNs are trained on, and why.
//!
//! The engine compares, this panel asks while it is in front, keeps the reports, and shows them.

mod answers;
mod features;
mod layout;
mod measures;
mod picker;
mod unseen;
mod view;
mod words;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Event, Hint, Panel, PanelId};
use crate::engine::protocol::{ArchSpec, ShiftReport};
use crate::tui::command::Command;
use crate::tui::effect::Effect;
use crate::tui::selection::Selection;
use crate::tui::shared::{Severity, Shared};
use crate::tui::widgets::cursor::Cursor;
use crate::tui::widgets::form::Typed;
use answers::{Answers, Question};
use layout::Layout;
use picker::{Picker, Which};

/// The panel's state.
#[derive(Debug, Default)]
pub struct ShiftPanel {
    answers: Answers,
    /// In the list of what was never seen.
    cursor: Cursor,
    picker: Option<Picker>,
    /// The selection's networks, as last heard of: the cursor begins anew for others.
    shown: Option<(ArchSpec, Option<String>)>,
}

impl Panel for ShiftPanel {
    fn update(&mut self, event: Event<'_>, shared: &mut Shared) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Command(command) => self.command(command, shared),
            Event::Key(key) => {
                if let Some(picker) = &mut self.picker {
                    let typed = picker.key(key);
                    self.picked(typed, shared);
                }
            }
            Event::Paste(text) => {
                if let Some(picker) = &mut self.picker {
                    picker.paste(text);
                    self.picked(Typed::Going, shared);
                }
            }
            Event::Answer(answer) => self.answers.answer(answer.id, &answer.body),
            Event::EngineGone => self.answers.engine_gone(),
            Event::SelectionChanged => self.follow(shared),
            _ => {}
        }
        self.cursor
            .settle(self.entries(shared), Layout::of(shared.area).page());
        let wanted = if shared.front == PanelId::Shift {
            self.questions(shared)
        } else {
            Vec::new()
        };
        effects.extend(self.answers.want(&wanted, shared));
        effects
    }

    fn view(&self, shared: &Shared, area: Rect, buf: &mut Buffer) {
        view::draw(self, shared, area, buf);
    }

    fn hints(&self, shared: &Shared) -> Vec<Hint> {
        let mut hints = Vec::new();
        if self.has_failed(shared) {
            hints.push(Hint::new(Command::Open, "try again"));
        } else if self.entries(shared) > 0 {
            hints.push(Hint::new(Command::Down, "move"));
            hints.push(Hint::new(Command::Open, "show in its network"));
        }
        hints.push(Hint::new(Command::Filter, "other network"));
        hints.push(Hint::new(Command::ShiftCompare, "compare"));
        if shared.selection.second.is_some() {
            hints.push(Hint::new(Command::ShiftSwap, "swap"));
            hints.push(Hint::new(Command::Back, "end comparison"));
        }
        hints
    }

    fn takes_text(&self) -> bool {
        self.picker.is_some()
    }

    fn can_leave(&self) -> bool {
        self.shown
            .as_ref()
            .is_some_and(|(_, second)| second.is_some())
    }
}

impl ShiftPanel {
    /// What the panel wants to know: about the chosen network, and about the one it is compared with.
    fn questions(&self, shared: &Shared) -> Vec<Question> {
        let selection = &shared.selection;
        let second = selection.second_arch();
        let second = second.filter(|second| *second != selection.arch);
        let archs = [Some(selection.arch.clone()), second];
        let question = |arch| Question {
            arch,
            ghn: selection.ghn.clone(),
            seed: selection.seed,
        };
        archs.into_iter().flatten().map(question).collect()
    }

    fn report(&self, shared: &Shared) -> Option<&ShiftReport> {
        self.answers.report(self.questions(shared).first()?)
    }

    fn has_failed(&self, shared: &Shared) -> bool {
        let mut questions = self.questions(shared).into_iter();
        questions.any(|question| self.answers.failure(&question).is_some())
    }

    fn entries(&self, shared: &Shared) -> usize {
        self.report(shared).map_or(0, |report| report.unseen.len())
    }

    fn follow(&mut self, shared: &Shared) {
        let selection = &shared.selection;
        let now = (selection.arch.clone(), selection.second.clone());
        if self.shown.as_ref().is_none_or(|(arch, _)| *arch != now.0) {
            self.cursor = Cursor::default();
        }
        self.shown = Some(now);
    }

    fn command(&mut self, command: Command, shared: &mut Shared) {
        match command {
            Command::Open => {
                if !self.answers.try_again() {
                    self.show_in_network(shared);
                }
            }
            Command::Filter => self.picker = Some(Picker::new(Which::First, &shared.selection)),
            Command::ShiftCompare => {
                self.picker = Some(Picker::new(Which::Second, &shared.selection));
            }
            Command::ShiftSwap => shared.select(Selection::swap),
            Command::Back => shared.select(|selection| selection.second = None),
            motion => {
                let page = Layout::of(shared.area).page();
                self.cursor.command(motion, self.entries(shared), page);
            }
        }
    }

    /// Goes to the module of the first tensor of what the cursor is on.
    fn show_in_network(&self, shared: &mut Shared) {
        let part = self
            .report(shared)
            .and_then(|report| report.unseen.get(self.cursor.at));
        let tensor = part.and_then(|part| part.tensors.first());
        let Some((module, _)) = tensor.and_then(|tensor| tensor.rsplit_once('.')) else {
            let text = "It belongs to no module of its own.";
            return shared.say(Severity::Warning, text);
        };
        shared.wanted_module = Some(module.to_owned());
        shared.go_to(PanelId::Architectures);
    }

    fn picked(&mut self, typed: Typed, shared: &mut Shared) {
        let Some(picker) = &self.picker else {
            return;
        };
        match typed {
            Typed::Going | Typed::Accepted => shared.select(|selection| picker.choose(selection)),
            Typed::Dropped => shared.select(|selection| picker.restore(selection)),
        }
        if typed != Typed::Going {
            self.picker = None;
        }
    }
}
