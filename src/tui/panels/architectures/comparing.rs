//! What keys do about the comparison with a second network, and going to a module that another panel shows.

use super::compare::Way;
use super::{ArchitecturesPanel, Pane};
use crate::tui::command::Command;
use crate::tui::panels::{Hint, PanelId};
use crate::tui::shared::{Severity, Shared};

impl ArchitecturesPanel {
    pub(super) fn compare_hints(&self) -> Vec<Hint> {
        let mut hints = Vec::new();
        match self.pane {
            Pane::List => {
                hints.push(Hint::new(Command::Down, "compare with"));
                hints.push(Hint::new(Command::Open, "look inside"));
                hints.push(Hint::new(Command::Filter, "filter"));
            }
            Pane::Tree => {
                hints.push(Hint::new(Command::ArchNextChange, "next"));
                hints.push(Hint::new(Command::ArchPreviousChange, "previous"));
                hints.push(Hint::new(Command::Right, "open, close"));
                hints.push(Hint::new(Command::ArchDiff, "another network"));
            }
        }
        hints.push(Hint::new(Command::Back, "end"));
        hints.push(Hint::new(Command::ArchSwap, "swap"));
        if self.pane == Pane::Tree {
            hints.push(Hint::new(Command::Filter, "filter"));
        }
        hints.push(Hint::new(Command::ArchUnfold, "open all"));
        hints.push(Hint::new(Command::ArchClasses, "classes"));
        hints.push(Hint::new(Command::ArchSide, "image size"));
        hints.push(Hint::new(Command::NextPane, "other pane"));
        hints.push(Hint::new(Command::Copy, "copy name"));
        hints
    }

    /// Goes to the module that another panel asked for, as soon as its network is there.
    pub(super) fn reveal(&mut self, shared: &mut Shared) {
        if shared.front != PanelId::Architectures {
            return;
        }
        let is_comparing = shared.selection.second.is_some();
        let Some(path) = shared.wanted_module.take() else {
            return;
        };
        let is_found = if is_comparing {
            self.comparison.reveal(&path)
        } else {
            self.tree.reveal(&path, shared)
        };
        if is_found {
            self.pane = Pane::Tree;
            self.settle(shared);
        } else {
            shared.wanted_module = Some(path);
        }
    }

    /// Lets the list pick a second network; the first time, begins at the chosen one.
    pub(super) fn begin_comparison(&mut self, shared: &mut Shared) {
        self.pane = Pane::List;
        let last = self.last_second.clone();
        shared.select(|selection| {
            let first = selection.arch.name.clone();
            selection.second.get_or_insert(last.unwrap_or(first));
        });
        self.list.filter("", shared);
        self.list.point(shared);
        self.settle(shared);
    }

    pub(super) fn jump(&mut self, way: Way, shared: &mut Shared) {
        if !is_comparing(shared) {
            return;
        }
        self.pane = Pane::Tree;
        if !self.comparison.jump(way) {
            let words = match way {
                Way::Down => "There is no difference further down.",
                Way::Up => "There is no difference further up.",
            };
            shared.say(Severity::Warning, words);
        }
        self.settle(shared);
    }
}

/// Whether two are compared; if not, says how to begin.
pub fn is_comparing(shared: &mut Shared) -> bool {
    let is_comparing = shared.selection.second.is_some();
    if !is_comparing {
        let text = "Nothing is compared; d compares with another network.";
        shared.say(Severity::Warning, text);
    }
    is_comparing
}
