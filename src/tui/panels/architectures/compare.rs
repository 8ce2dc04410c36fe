//! The comparison of two architectures: what both have in one tree, what differs marked.

mod details;
mod rows;
mod totals;
mod view;
mod words;

use std::collections::HashSet;
use std::sync::Arc;

use super::details::Details;
use super::outline::{Folded, Outline, OutlineRow as _};
use crate::arch::{Arch, ModuleDiff, Part, Tally};
use crate::tui::catalogue::ArchReport;
use crate::tui::command::Command;
use crate::tui::shared::Shared;
use rows::{DiffLine, Kind, Open};

pub use view::CompareView;

/// What stands before that of the first architecture, before that of the second, before what both have
/// with other sizes.
pub const REMOVED: &str = "-";
pub const ADDED: &str = "+";
pub const CHANGED: &str = "~";

/// Which way to the next difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Down,
    Up,
}

/// Two architectures and their difference.
#[derive(Debug)]
struct Pair {
    reports: [Arc<ArchReport>; 2],
    diff: ModuleDiff,
    /// All rows with everything open that differs, in order.
    places: Vec<Place>,
}

/// What jumping needs to know of a row.
#[derive(Debug)]
struct Place {
    key: String,
    depth: usize,
    is_stop: bool,
}

/// The rows of the difference with their cursor.
#[derive(Debug, Default)]
pub struct Comparison {
    outline: Outline<DiffLine>,
    filter: String,
    /// Nothing until both are built, or if they are one and the same.
    pair: Option<Pair>,
}

impl Pair {
    fn of(reports: [Arc<ArchReport>; 2]) -> Self {
        let [a, b] = &reports;
        let diff = ModuleDiff::of((&a.arch, &a.tree), (&b.arch, &b.tree));
        let all = rows::rows(&diff, [&a.arch, &b.arch], Open::Changed);
        let place = |row: &DiffLine| Place {
            key: row.key.clone(),
            depth: row.depth,
            is_stop: row.is_stop(),
        };
        Self {
            places: all.iter().map(place).collect(),
            diff,
            reports,
        }
    }

    fn archs(&self) -> [&Arch; 2] {
        [&self.reports[0].arch, &self.reports[1].arch]
    }

    /// Modules at the top in which something differs: how the comparison begins.
    fn first_open(&self) -> HashSet<String> {
        let modules = self.diff.parts.iter().filter_map(|part| match part {
            Part::Module(module) => Some(module),
            Part::Node(_) => None,
        });
        modules
            .filter(|module| rows::kind(module) == Kind::Changed)
            .map(|module| module.path.clone())
            .collect()
    }

    /// The next stop from the row with this key, and the keys of the rows in which it lies.
    fn stop(&self, from: &str, way: Way) -> Option<(&str, Vec<&str>)> {
        let at = self.places.iter().position(|place| place.key == from)?;
        let found = match way {
            Way::Down => (at + 1..self.places.len()).find(|i| self.places[*i].is_stop),
            Way::Up => (0..at).rev().find(|i| self.places[*i].is_stop),
        }?;
        Some((&self.places[found].key, self.around(found)))
    }

    /// Keys of the rows in which a place lies.
    fn around(&self, place: usize) -> Vec<&str> {
        let mut depth = self.places[place].depth;
        let mut around = Vec::new();
        for outer in self.places[..place].iter().rev() {
            if outer.depth < depth {
                around.push(outer.key.as_str());
                depth = outer.depth;
            }
        }
        around
    }
}

impl Comparison {
    #[must_use]
    pub fn filter_text(&self) -> &str {
        &self.filter
    }

    #[must_use]
    pub const fn is_filtered(&self) -> bool {
        !self.filter.is_empty()
    }

    /// Keeps only layers and functions whose path, operation or change holds every word of `text`.
    pub fn filter(&mut self, text: &str) {
        text.clone_into(&mut self.filter);
        self.make_rows();
    }

    /// The path under the cursor.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        self.outline.row().map(|row| row.path.as_str())
    }

    /// Follows the selection: compares anew if other architectures are chosen or one was built meanwhile.
    pub fn refresh(&mut self, shared: &Shared) {
        let selection = &shared.selection;
        let ready = |spec| shared.archs.ready(spec).cloned();
        let second = selection
            .second_arch()
            .filter(|second| *second != selection.arch);
        let Some((a, b)) = ready(&selection.arch).zip(second.as_ref().and_then(ready)) else {
            self.pair = None;
            self.outline.replace(Vec::new());
            return;
        };
        let is_held =
            |pair: &Pair| Arc::ptr_eq(&pair.reports[0], &a) && Arc::ptr_eq(&pair.reports[1], &b);
        if self.pair.as_ref().is_some_and(is_held) {
            return;
        }
        let holds = |report: &Arc<ArchReport>| {
            let held = self.pair.as_ref().map(|pair| &pair.reports);
            held.is_some_and(|held| held.iter().any(|r| r.arch.name() == report.arch.name()))
        };
        let is_swapped = holds(&a) && holds(&b);
        let pair = Pair::of([a, b]);
        if !is_swapped {
            self.outline.open = pair.first_open();
        }
        self.pair = Some(pair);
        self.make_rows();
        if !is_swapped {
            let differs = |row: &&DiffLine| row.kind != Kind::Same;
            let first = self.outline.rows().iter().find(differs);
            let key = first.map(|row| row.key.clone());
            self.outline.go_to(&key.unwrap_or_default());
        }
    }

    fn make_rows(&mut self) {
        let rows = match &self.pair {
            None => Vec::new(),
            Some(pair) if self.is_filtered() => rows::found(&pair.diff, pair.archs(), &self.filter),
            Some(pair) => {
                let open = Open::These(&self.outline.open);
                rows::rows(&pair.diff, pair.archs(), open)
            }
        };
        self.outline.replace(rows);
    }

    /// Opens or closes the row under the cursor, see [`Outline::fold`]. False if there was nothing to do.
    pub fn fold(&mut self, command: Command) -> bool {
        let folded = self.outline.fold(command);
        if folded == Folded::Changed {
            self.make_rows();
        }
        folded != Folded::Nothing
    }

    /// Opens everything, or closes everything if everything is open.
    pub fn toggle_all(&mut self) {
        let mut all = HashSet::new();
        if let Some(pair) = &self.pair {
            rows::blocks(&pair.diff, &mut all);
        }
        self.outline.toggle_all(all);
        self.make_rows();
    }

    /// Moves to the next difference and opens what it lies in. False if there is none that way.
    pub fn jump(&mut self, way: Way) -> bool {
        let at = self.outline.cursor().at;
        if self.is_filtered() {
            let rows = self.outline.rows();
            let found = match way {
                Way::Down => (at + 1..rows.len()).find(|i| rows[*i].is_stop()),
                Way::Up => (0..at).rev().find(|i| rows[*i].is_stop()),
            };
            let key = found.map(|i| rows[i].key().to_owned());
            return key.is_some_and(|key| {
                self.outline.go_to(&key);
                true
            });
        }
        // A row within an alike or a whole module is no place of its own: its module is.
        let known = |row: &DiffLine| {
            let places = self.pair.as_ref().map(|pair| &pair.places);
            places.is_some_and(|places| places.iter().any(|place| place.key == row.key))
        };
        let rows = self.outline.rows();
        let from = rows.iter().take(at + 1).rfind(|row| known(row));
        let stop = self.pair.as_ref().zip(from).and_then(|(pair, from)| {
            let (key, around) = pair.stop(&from.key, way)?;
            let around: Vec<String> = around.into_iter().map(str::to_owned).collect();
            Some((key.to_owned(), around))
        });
        let Some((key, around)) = stop else {
            return false;
        };
        self.outline.open.extend(around);
        self.make_rows();
        self.outline.go_to(&key);
        true
    }

    /// Puts the cursor on the row of the module called `path`, or of the nearest one around it that has a row
    /// while everything that differs is open. False if there is none.
    pub fn reveal(&mut self, path: &str) -> bool {
        let Some(pair) = &self.pair else {
            return false;
        };
        let mut wanted = Some(path);
        let found = std::iter::from_fn(|| {
            let now = wanted?;
            wanted = now.rsplit_once('.').map(|(around, _)| around);
            Some(now)
        })
        .find_map(|path| pair.places.iter().position(|place| place.key == path));
        let Some(found) = found else {
            return false;
        };
        let key = pair.places[found].key.clone();
        let around = pair.around(found);
        let around: Vec<String> = around.into_iter().map(str::to_owned).collect();
        self.filter.clear();
        self.outline.open.extend(around);
        self.make_rows();
        self.outline.go_to(&key);
        true
    }

    /// Which difference the cursor is on, from one, and how many there are.
    #[must_use]
    fn standing(&self) -> Option<(Option<usize>, usize)> {
        let pair = self.pair.as_ref()?;
        let stops = pair.places.iter().filter(|place| place.is_stop);
        let key = self.outline.row().map(|row| row.key.as_str());
        let at = stops
            .clone()
            .position(|place| Some(place.key.as_str()) == key);
        Some((at.map(|at| at + 1), stops.count()))
    }

    /// Of all nodes.
    #[must_use]
    fn tally(&self) -> Tally {
        self.pair
            .as_ref()
            .map_or_else(Tally::default, |pair| pair.diff.tally)
    }

    /// Moves the cursor.
    pub fn motion(&mut self, command: Command, page: usize) {
        self.outline.motion(command, page);
    }

    pub fn settle(&mut self, page: usize) {
        self.outline.settle(page);
    }

    /// Of the row under the cursor.
    #[must_use]
    pub fn details(&self) -> Details {
        match (&self.pair, self.outline.row()) {
            (Some(pair), Some(row)) => details::of(&pair.reports, row),
            _ => Details::default(),
        }
    }
}
