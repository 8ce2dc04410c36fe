//! The list of runs: filter, cursor, and which runs are drawn.

use std::collections::BTreeSet;

use crossterm::event::KeyEvent;

use super::filter::Filter;
use super::rows::Row;
use crate::run::{Listing, RunId, Status};
use crate::tui::command::Command;
use crate::tui::widgets::cursor::Cursor;
use crate::tui::widgets::form::{self, Typed};

/// Runs that are drawn from the start because they are under way, at most.
const LIVE_AT_START: usize = 4;
/// Runs that can be marked; each has a colour and a marker that no other has.
pub const MOST_MARKED: usize = 16;

/// The list. The selected run and the marked ones are drawn.
#[derive(Debug, Default)]
pub struct RunList {
    /// All runs, newest first, then those that cannot be read.
    rows: Vec<Row>,
    /// Indices of the rows that the filter accepts.
    shown: Vec<usize>,
    pub cursor: Cursor,
    selected: Option<RunId>,
    marked: BTreeSet<RunId>,
    filter: form::Line,
    typing: bool,
    /// A run to select as soon as it is there.
    awaited: Option<RunId>,
    /// Whether the folder was read once.
    pub is_read: bool,
    /// Instead of marked runs, those of the selected one's experiment and network are drawn, the seeds of
    /// each start together.
    pub bands: bool,
}

impl RunList {
    /// Takes in what the folder holds now. Cursor and marks stay with their runs.
    pub fn replace(&mut self, listing: &Listing) {
        let runs = listing.runs.iter().map(Row::of);
        let damaged = listing
            .damaged
            .iter()
            .map(|(id, why)| Row::damaged(id, why));
        self.rows = runs.chain(damaged).collect();
        let there: BTreeSet<RunId> = self.rows.iter().map(|row| row.id.clone()).collect();
        self.marked.retain(|id| there.contains(id));
        if !std::mem::replace(&mut self.is_read, true) {
            self.mark_live();
        }
        if let Some(id) = self.awaited.take_if(|id| there.contains(id)) {
            self.selected = Some(id);
        }
        self.sift();
    }

    fn mark_live(&mut self) {
        let live = self.rows.iter().filter(|row| row.is_live());
        let live: Vec<RunId> = live.take(LIVE_AT_START).map(|row| row.id.clone()).collect();
        if live.len() > 1 {
            self.marked.extend(live);
        }
    }

    /// Applies the filter, and finds the selected run again.
    fn sift(&mut self) {
        let filter = Filter::parse(self.filter.text());
        self.shown = (0..self.rows.len())
            .filter(|&index| filter.accepts(&self.rows[index].fields))
            .collect();
        let place = self
            .shown
            .iter()
            .position(|&index| Some(&self.rows[index].id) == self.selected.as_ref());
        if let Some(place) = place {
            self.cursor.at = place;
        }
        self.cursor.at = self.cursor.at.min(self.shown.len().saturating_sub(1));
        self.select_at_cursor();
    }

    fn select_at_cursor(&mut self) {
        self.selected = self
            .shown
            .get(self.cursor.at)
            .map(|&index| self.rows[index].id.clone());
    }

    /// Keeps the cursor inside a window of `page` rows.
    pub fn settle(&mut self, page: usize) {
        self.cursor.settle(self.shown.len(), page);
    }

    /// Moves the cursor; gives whether the command was one that does.
    pub fn command(&mut self, command: Command, page: usize) -> bool {
        let moved = self.cursor.command(command, self.shown.len(), page);
        if moved {
            self.select_at_cursor();
        }
        moved
    }

    /// Selects a run, now or when it appears.
    pub fn await_run(&mut self, id: RunId) {
        self.awaited = Some(id.clone());
        if self.rows.iter().any(|row| row.id == id) {
            self.selected = self.awaited.take();
            self.sift();
        }
    }

    /// Marks the selected run, or takes its mark away; false if no more can be marked.
    pub fn toggle_mark(&mut self) -> bool {
        let Some(id) = self.selected.clone() else {
            return true;
        };
        if self.marked.remove(&id) {
            return true;
        }
        let room = self.marked.len() < MOST_MARKED;
        if room {
            self.marked.insert(id);
        }
        room
    }

    pub fn unmark_all(&mut self) {
        self.marked.clear();
    }

    #[must_use]
    pub fn is_marked(&self, id: &RunId) -> bool {
        self.marked.contains(id)
    }

    /// All runs, also those that the filter hides.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The rows that the filter accepts, in order.
    pub fn shown(&self) -> impl ExactSizeIterator<Item = &Row> {
        self.shown.iter().map(|&index| &self.rows[index])
    }

    #[must_use]
    pub fn selected(&self) -> Option<&Row> {
        let id = self.selected.as_ref()?;
        self.rows.iter().find(|row| row.id == *id)
    }

    /// The runs that are drawn: marked ones in the list's order, the selected one last, so that it lies
    /// on top.
    #[must_use]
    pub fn drawn(&self) -> Vec<&Row> {
        if let Some(rows) = self.banded() {
            return rows;
        }
        let selected = self.selected.as_ref();
        let others = self.rows.iter();
        let others =
            others.filter(|row| self.marked.contains(&row.id) && Some(&row.id) != selected);
        others
            .chain(self.selected())
            .filter(|row| row.known.is_some())
            .collect()
    }

    /// The runs whose seeds are drawn together, if that is asked for and the selected run is part of an
    /// experiment. Those asked for first come first, those of the selected run's start last; failed ones
    /// are left out, as they are of the experiment's table.
    #[must_use]
    pub fn banded(&self) -> Option<Vec<&Row>> {
        let selected = self
            .selected()
            .filter(|row| self.bands && row.group.is_some())?;
        let mut rows: Vec<&Row> = self.rows.iter().rev().collect();
        rows.retain(|row| belongs(row, selected));
        rows.sort_by_key(|row| row.group == selected.group);
        Some(rows)
    }

    /// What the colour of a run in the list goes by, if it is drawn: itself, or its group.
    #[must_use]
    pub fn colour_key<'a>(&self, row: &'a Row) -> Option<&'a str> {
        let selected = self.selected();
        if let Some(selected) = selected.filter(|row| self.bands && row.group.is_some()) {
            return row.group.as_deref().filter(|_| belongs(row, selected));
        }
        let selected = selected.is_some_and(|s| s.id == row.id) && row.known.is_some();
        (selected || self.is_marked(&row.id)).then(|| row.id.as_str())
    }

    // The filter.

    #[must_use]
    pub fn is_typing(&self) -> bool {
        self.typing
    }

    /// The filter's line, while it is typed or in force.
    #[must_use]
    pub fn filter(&self) -> Option<&form::Line> {
        let in_force = !Filter::parse(self.filter.text()).is_empty();
        (self.typing || in_force).then_some(&self.filter)
    }

    pub fn begin_filter(&mut self) {
        self.typing = true;
    }

    pub fn drop_filter(&mut self) {
        self.typing = false;
        self.filter = form::Line::default();
        self.sift();
    }

    /// A key for the filter.
    pub fn type_key(&mut self, key: KeyEvent) {
        match self.filter.key(key) {
            Typed::Going => {}
            Typed::Accepted => self.typing = false,
            Typed::Dropped => return self.drop_filter(),
        }
        self.sift();
    }

    pub fn paste(&mut self, text: &str) {
        self.filter.paste(text);
        self.sift();
    }
}

/// Whether a run is drawn when the seeds of another one's experiment and network are taken together.
fn belongs(row: &Row, selected: &Row) -> bool {
    let (Some(a), Some(b)) = (&row.known, &selected.known) else {
        return false;
    };
    row.group.is_some()
        && a.status != Status::Failed
        && a.request.experiment == b.request.experiment
        && a.request.arch == b.request.arch
}
