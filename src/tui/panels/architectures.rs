//! Architectures: the zoo as a list with a filter, the chosen one as a tree of modules, details of
//! the module under the cursor.
//!
//! Moving in the list chooses: all panels are views of the one selection.

mod compare;
mod comparing;
mod details;
mod details_view;
mod layout;
mod list;
mod name;
mod outline;
mod prompt;
mod tree;
mod tree_view;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Event, Hint, Panel};
use crate::arch::zoo;
use crate::text::Shown;
use crate::tui::catalogue::Entry;
use crate::tui::command::Command;
use crate::tui::effect::Effect;
use crate::tui::selection::Selection;
use crate::tui::shared::{Severity, Shared};
use crate::tui::widgets::form::{Line, Typed};
use crate::tui::widgets::pane;
use crate::tui::widgets::write::{Slot, put};
use compare::{CompareView, Comparison, Way};
use comparing::is_comparing;
use details::Details;
use layout::Layout;
use list::ArchList;
use tree::Tree;

/// Which pane has the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Pane {
    #[default]
    List,
    Tree,
}

/// What the bars show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Bars {
    #[default]
    Macs,
    Params,
}

/// A number of the selection that is being typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setting {
    Classes,
    Side,
}

/// What keys are text for.
#[derive(Debug, Default)]
enum Typing {
    #[default]
    Nothing,
    ListFilter(Line),
    TreeFilter(Line),
    Setting(Setting, Line),
}

/// The panel's state.
#[derive(Debug, Default)]
pub struct ArchitecturesPanel {
    pane: Pane,
    bars: Bars,
    list: ArchList,
    tree: Tree,
    comparison: Comparison,
    /// The selection's second network, as last heard of.
    second: Option<String>,
    /// The one compared with before, to begin with the next time.
    last_second: Option<String>,
    details: Details,
    typing: Typing,
}

impl Panel for ArchitecturesPanel {
    fn update(&mut self, event: Event<'_>, shared: &mut Shared) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Command(command) => effects = self.command(command, shared),
            Event::Key(key) => {
                let typed = match &mut self.typing {
                    Typing::Nothing => return effects,
                    Typing::ListFilter(line)
                    | Typing::TreeFilter(line)
                    | Typing::Setting(_, line) => line.key(key),
                };
                self.typed(typed, shared);
            }
            Event::Paste(text) => {
                if let Typing::ListFilter(line)
                | Typing::TreeFilter(line)
                | Typing::Setting(_, line) = &mut self.typing
                {
                    line.paste(text);
                }
                self.typed(Typed::Going, shared);
            }
            Event::Shown => self.reveal(shared),
            Event::SelectionChanged | Event::ArchsChanged => {
                self.refresh(shared);
                self.reveal(shared);
            }
            Event::Resized => self.settle(shared),
            _ => {}
        }
        effects
    }

    fn view(&self, shared: &Shared, area: Rect, buf: &mut Buffer) {
        let layout = Layout::of(area);
        if layout.single {
            match self.pane {
                Pane::List => self.list_view(shared, area, buf),
                Pane::Tree => self.tree_view(shared, &layout, buf),
            }
            return;
        }
        self.list_view(shared, layout.list, buf);
        self.tree_view(shared, &layout, buf);
    }

    fn hints(&self, shared: &Shared) -> Vec<Hint> {
        let failed = matches!(
            shared.archs.get(&shared.selection.arch),
            Some(Entry::Failed(_))
        );
        if shared.selection.second.is_some() {
            return self.compare_hints();
        }
        let mut hints = vec![Hint::new(Command::Down, "move")];
        match self.pane {
            Pane::List => hints.push(Hint::new(Command::Open, "look inside")),
            Pane::Tree => hints.push(Hint::new(Command::Right, "open, close")),
        }
        hints.push(Hint::new(Command::Filter, "filter"));
        hints.push(Hint::new(Command::ArchDiff, "compare"));
        hints.push(Hint::new(Command::ArchClasses, "classes"));
        hints.push(Hint::new(Command::ArchSide, "image size"));
        if !failed {
            let bars = match self.bars {
                Bars::Macs => "bars: params",
                Bars::Params => "bars: MACs",
            };
            hints.push(Hint::new(Command::ArchBars, bars));
            hints.push(Hint::new(Command::ArchUnfold, "open all"));
        }
        hints.push(Hint::new(Command::NextPane, "other pane"));
        hints.push(Hint::new(Command::Copy, "copy name"));
        hints
    }

    fn takes_text(&self) -> bool {
        !matches!(self.typing, Typing::Nothing)
    }

    fn can_leave(&self) -> bool {
        self.pane == Pane::Tree || self.list.is_filtered() || self.second.is_some()
    }
}

impl ArchitecturesPanel {
    fn command(&mut self, command: Command, shared: &mut Shared) -> Vec<Effect> {
        match command {
            Command::NextPane | Command::PreviousPane => {
                self.pane = match self.pane {
                    Pane::List => Pane::Tree,
                    Pane::Tree => Pane::List,
                };
            }
            Command::Filter => self.begin_filter(shared),
            Command::ArchClasses => self.begin_setting(Setting::Classes, shared),
            Command::ArchSide => self.begin_setting(Setting::Side, shared),
            Command::ArchBars => {
                self.bars = match self.bars {
                    Bars::Macs => Bars::Params,
                    Bars::Params => Bars::Macs,
                };
            }
            Command::ArchUnfold => {
                if shared.selection.second.is_some() {
                    self.comparison.toggle_all();
                } else {
                    self.tree.toggle_all(shared);
                }
                self.settle(shared);
            }
            Command::ArchDiff => self.begin_comparison(shared),
            Command::ArchSwap => {
                if is_comparing(shared) {
                    shared.select(Selection::swap);
                }
            }
            Command::ArchNextChange => self.jump(Way::Down, shared),
            Command::ArchPreviousChange => self.jump(Way::Up, shared),
            Command::Copy => return self.copy(shared),
            Command::Back => self.back(shared),
            command => match self.pane {
                Pane::List => self.list_command(command, shared),
                Pane::Tree => self.tree_command(command, shared),
            },
        }
        Vec::new()
    }

    /// Clears the filter of the pane with the keys, else ends the comparison, else goes to the list.
    fn back(&mut self, shared: &mut Shared) {
        let is_comparing = shared.selection.second.is_some();
        match self.pane {
            Pane::List if self.list.is_filtered() => self.list.filter("", shared),
            Pane::Tree if is_comparing && self.comparison.is_filtered() => {
                self.comparison.filter("");
                self.settle(shared);
            }
            Pane::Tree if !is_comparing && self.tree.is_filtered() => {
                self.tree.filter("", shared);
                self.settle(shared);
            }
            _ if is_comparing => shared.select(|selection| selection.second = None),
            Pane::Tree => self.pane = Pane::List,
            Pane::List => {}
        }
    }

    fn begin_filter(&mut self, shared: &Shared) {
        let is_comparing = shared.selection.second.is_some();
        self.typing = match self.pane {
            Pane::List => Typing::ListFilter(Line::new(self.list.filter_text())),
            Pane::Tree if is_comparing => {
                Typing::TreeFilter(Line::new(self.comparison.filter_text()))
            }
            Pane::Tree => Typing::TreeFilter(Line::new(self.tree.filter_text())),
        };
    }

    fn begin_setting(&mut self, setting: Setting, shared: &Shared) {
        let arch = &shared.selection.arch;
        let now = match setting {
            Setting::Classes => arch.classes,
            Setting::Side => arch.side,
        };
        self.typing = Typing::Setting(setting, Line::new(&now.to_string()));
    }

    /// After a key or a paste: filters follow at once, a setting is taken when accepted.
    fn typed(&mut self, typed: Typed, shared: &mut Shared) {
        match (&self.typing, typed) {
            (Typing::Nothing, _) | (Typing::Setting(..), Typed::Going) => return,
            (Typing::Setting(setting, line), Typed::Accepted) => {
                let (setting, text) = (*setting, line.text().to_owned());
                set(setting, &text, shared);
            }
            (Typing::Setting(..), Typed::Dropped) => {}
            (Typing::ListFilter(line), _) => {
                let text = if typed == Typed::Dropped {
                    ""
                } else {
                    line.text()
                };
                self.list.filter(text, shared);
                self.list.choose(shared);
            }
            (Typing::TreeFilter(line), _) => {
                let text = if typed == Typed::Dropped {
                    ""
                } else {
                    line.text()
                };
                if shared.selection.second.is_some() {
                    self.comparison.filter(text);
                } else {
                    self.tree.filter(text, shared);
                }
            }
        }
        if typed != Typed::Going {
            self.typing = Typing::Nothing;
        }
        self.settle(shared);
    }

    fn list_command(&mut self, command: Command, shared: &mut Shared) {
        let page = Layout::of(shared.area).list_rows();
        match command {
            Command::Open | Command::Right if self.list.on_arch() => self.pane = Pane::Tree,
            Command::Open | Command::Toggle | Command::Right | Command::Left => {
                self.list.fold(command, shared);
            }
            motion => self.list.motion(motion, page),
        }
        self.list.choose(shared);
        self.settle(shared);
    }

    fn tree_command(&mut self, command: Command, shared: &mut Shared) {
        let layout = Layout::of(shared.area);
        let is_comparing = shared.selection.second.is_some();
        match (command, is_comparing) {
            (Command::Open | Command::Toggle | Command::Right | Command::Left, _) => {
                let was_of_use = if is_comparing {
                    self.comparison.fold(command)
                } else {
                    self.tree.fold(command, shared)
                };
                if !was_of_use && command == Command::Left {
                    self.pane = Pane::List;
                }
            }
            (motion, true) => self.comparison.motion(motion, layout.compare_rows()),
            (motion, false) => self.tree.motion(motion, layout.tree_rows()),
        }
        self.settle(shared);
    }

    fn copy(&self, shared: &mut Shared) -> Vec<Effect> {
        let name = match self.pane {
            Pane::List => Some(shared.selection.clone().pointed().clone()),
            Pane::Tree if shared.selection.second.is_some() => {
                self.comparison.path().map(str::to_owned)
            }
            Pane::Tree => self.tree.path().map(str::to_owned),
        };
        let Some(name) = name.filter(|n| !n.is_empty()) else {
            return Vec::new();
        };
        shared.say(Severity::Good, &format!("Copied {name}"));
        vec![Effect::Copy(name)]
    }

    /// After news about architectures: list and tree are made anew.
    fn refresh(&mut self, shared: &Shared) {
        let before = std::mem::replace(&mut self.second, shared.selection.second.clone());
        if before.is_some() && self.second.is_none() {
            self.last_second = before;
            // Moving changes the first one again.
            self.list.point(shared);
        } else {
            self.list.refresh(shared);
        }
        self.tree.refresh(shared);
        self.comparison.refresh(shared);
        self.settle(shared);
    }

    /// Cursors into their windows, details of the row under the cursor.
    fn settle(&mut self, shared: &Shared) {
        let layout = Layout::of(shared.area);
        self.list.settle(layout.list_rows());
        self.tree.settle(layout.tree_rows());
        self.comparison.settle(layout.compare_rows());
        // Of the network whose rows these are: the selection may be ahead of them.
        self.details = match (self.tree.report(), self.tree.row()) {
            _ if shared.selection.second.is_some() => self.comparison.details(),
            (Some(report), Some(row)) => Details::of(report, row),
            _ => Details::default(),
        };
    }

    fn list_view(&self, shared: &Shared, area: Rect, buf: &mut Buffer) {
        let focused = self.pane == Pane::List;
        let line = match &self.typing {
            Typing::ListFilter(line) => Some(line),
            _ => None,
        };
        self.list.view(area, focused, line, shared, buf);
    }

    fn tree_view(&self, shared: &Shared, layout: &Layout, buf: &mut Buffer) {
        if !layout.single {
            let (look, x) = (&shared.look, layout.tree.x - 1);
            pane::divider(buf, x, layout.tree.y + 1, layout.list.height - 1, look);
            put(
                buf,
                Slot::new(x, layout.tree.y, 1),
                look.glyphs.rule,
                look.theme.line,
            );
        }
        if let Some(second) = shared.selection.second_arch() {
            let view = CompareView {
                comparison: &self.comparison,
                second: &second,
                details: &self.details,
                focused: self.pane == Pane::Tree,
                typing: &self.typing,
                shared,
            };
            return view.draw(layout, buf);
        }
        let view = tree_view::TreeView {
            tree: &self.tree,
            details: &self.details,
            bars: self.bars,
            focused: self.pane == Pane::Tree,
            typing: &self.typing,
            shared,
        };
        view.draw(layout, buf);
    }
}

/// Takes a typed class count or image side; a number out of range is refused with the range.
fn set(setting: Setting, text: &str, shared: &mut Shared) {
    let (what, range) = match setting {
        Setting::Classes => ("The number of classes", 1..=zoo::MOST_CLASSES),
        Setting::Side => ("The image size", 1..=zoo::LARGEST_SIDE),
    };
    match text.trim().parse::<usize>() {
        Ok(number) if range.contains(&number) => shared.select(|selection| match setting {
            Setting::Classes => selection.arch.classes = number,
            Setting::Side => selection.arch.side = number,
        }),
        _ => {
            let message = format!(
                "{what} must be between {} and {}, not \"{}\"",
                range.start(),
                range.end(),
                Shown::new(text.trim())
            );
            shared.say(Severity::Bad, &message);
        }
    }
}
