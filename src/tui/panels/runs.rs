//! Runs: list, states, curves of one or several, and the keys that steer them.
//!
//! The panel holds what it has read and draws it; [`reader`](Reader) reads run directories on a thread of
//! its own. While the panel is in front, ticks ask for what is new; a tick that finds nothing draws nothing.

mod bands;
mod curves;
mod diff;
mod filter;
mod layout;
mod list;
mod list_view;
mod log;
mod messages;
mod metric;
mod news;
mod plots;
mod reader;
mod rows;
mod sight;
mod steer;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::bands::Bands;
use self::curves::Curves;
use self::diff::Diff;
use self::layout::Layout;
use self::list::RunList;
use self::list_view::ListView;
use self::log::LogView;
use self::plots::Drawn;
use self::sight::Sight;
use super::{Event, Hint, Panel, PanelId};
use crate::run::{RunDir, RunId, Status};
use crate::text::Shown;
use crate::tui::charts::Colours;
use crate::tui::command::Command;
use crate::tui::effect::Effect;
use crate::tui::shared::Shared;
use crate::tui::theme::SERIES;
use crate::tui::widgets::pane;

#[cfg(test)]
pub use self::messages::Points;
pub use self::messages::{RunsEffect, RunsMsg};
pub use self::reader::Reader;

/// Between two looks at the files while a drawn run has a worker, and while none has, in milliseconds.
const LIVE_TICK_MS: u64 = 300;
const IDLE_TICK_MS: u64 = 1000;
/// Runs whose points are kept although they are not drawn now.
const KEPT: usize = 12;

/// What stands where the charts are.
#[derive(Clone, Debug, Default)]
enum Cover {
    #[default]
    Charts,
    Log(LogView),
    /// Of the selected run and another one; nothing if there is no other.
    Diff(Option<Diff>),
}

/// The panel's state.
#[derive(Debug)]
pub struct RunsPanel {
    list: RunList,
    curves: BTreeMap<RunId, Curves>,
    /// Runs with points, those drawn last at the end.
    recent: Vec<RunId>,
    colours: Colours,
    /// The seeds of each start, taken together; empty while single runs are drawn.
    bands: Bands,
    /// New points came since.
    bands_stale: bool,
    sight: Sight,
    cover: Cover,
    /// A look at the files is under way; another one was asked for meanwhile.
    polling: bool,
    poll_again: bool,
    /// Why the folder of runs, or a run's log, cannot be read.
    folder_trouble: Option<Shown>,
    log_trouble: BTreeMap<RunId, Shown>,
    /// When points that are still being read were last drawn.
    last_drawn: Duration,
}

impl Default for RunsPanel {
    fn default() -> Self {
        Self {
            list: RunList::default(),
            curves: BTreeMap::new(),
            recent: Vec::new(),
            colours: Colours::new(SERIES),
            bands: Bands::default(),
            bands_stale: false,
            sight: Sight::default(),
            cover: Cover::default(),
            polling: false,
            poll_again: false,
            folder_trouble: None,
            log_trouble: BTreeMap::new(),
            last_drawn: Duration::ZERO,
        }
    }
}

impl RunsPanel {
    /// Selects the run in this directory as soon as it is listed.
    pub fn await_run(&mut self, dir: &Path) {
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        if let Ok(id) = name.parse() {
            self.list.await_run(id);
        }
    }

    /// Looks at the files, unless that is being done.
    fn poll(&mut self) -> Vec<Effect> {
        if self.polling {
            self.poll_again = true;
            return Vec::new();
        }
        self.polling = true;
        let dirs = self.recent.iter().rev();
        let curves: Vec<RunDir> = dirs.filter_map(|id| self.dir(id)).collect();
        vec![Effect::Runs(RunsEffect::Poll { curves })]
    }

    fn dir(&self, id: &RunId) -> Option<RunDir> {
        let row = self.list.rows().iter().find(|row| row.id == *id)?;
        Some(row.known.as_ref()?.dir.clone())
    }

    /// After any change of which runs are drawn: their colours, and their points if they are missing.
    fn settle_drawn(&mut self, shared: &Shared) -> Vec<Effect> {
        self.list.settle(self.page(shared));
        let drawn: Vec<RunId> = self.list.drawn().iter().map(|row| row.id.clone()).collect();
        let rows = self.list.drawn();
        let keys = rows.iter().filter_map(|row| self.list.colour_key(row));
        self.colours.show(keys);
        self.recent.retain(|id| !drawn.contains(id));
        self.recent.extend(drawn.iter().cloned());
        let surplus = self.recent.len().saturating_sub(KEPT.max(drawn.len()));
        self.recent.drain(..surplus);
        let recent = &self.recent;
        self.curves.retain(|id, _| recent.contains(id));
        self.take_seeds_together();
        if matches!(self.cover, Cover::Diff(_)) {
            self.cover = Cover::Diff(self.compared());
        }
        if drawn.iter().all(|id| self.curves.contains_key(id)) {
            return Vec::new();
        }
        self.poll()
    }

    fn layout(shared: &Shared) -> Layout {
        Layout::of(shared.area)
    }

    fn page(&self, shared: &Shared) -> usize {
        Self::layout(shared).page(self.list.filter().is_some())
    }

    fn drawn(&self) -> Vec<Drawn<'_>> {
        if !self.bands.is_empty() {
            return self.bands.drawn(&self.colours);
        }
        let rows = self.list.drawn();
        rows.into_iter()
            .filter_map(|row| {
                Some(Drawn {
                    curves: self.curves.get(&row.id)?,
                    slot: self.colours.slot(row.id.as_str()),
                    epochs: row.known.as_ref()?.request.training.epochs,
                    spread: None,
                })
            })
            .collect()
    }

    fn list_view<'a>(&'a self, shared: &'a Shared) -> ListView<'a> {
        ListView {
            list: &self.list,
            colours: &self.colours,
            glyphs: plots::glyphs(&shared.look),
            look: &shared.look,
        }
    }

    fn view_charts(&self, layout: &Layout, shared: &Shared, buf: &mut Buffer) {
        let drawn = self.drawn();
        for (metric, area) in layout.plots(&self.sight) {
            plots::view(metric, &drawn, &self.sight, &shared.look, area, buf);
        }
    }

    fn view_cover(&self, layout: &Layout, shared: &Shared, buf: &mut Buffer) {
        let selected = self.list.selected();
        let trouble = selected.and_then(|row| self.log_trouble.get(&row.id));
        match &self.cover {
            Cover::Charts if trouble.is_some() => {
                let reason = trouble.map_or("", Shown::as_str);
                let title = "No curves";
                let focus = pane::Focus::Yes;
                let inner = pane::titled(buf, layout.charts, title, focus, &shared.look);
                let lines = ["The log of this run cannot be read.", reason];
                pane::message(buf, inner, &lines, &shared.look);
            }
            Cover::Charts => self.view_charts(layout, shared, buf),
            Cover::Log(log) => {
                let curves = self.curves.get(&log.run);
                let entries = curves.map_or(&[][..], |c| &c.entries);
                let lost = curves.map_or(0, |c| c.lost);
                log.view(entries, lost, layout.charts, &shared.look, buf);
            }
            Cover::Diff(Some(diff)) => diff.view(layout.charts, &shared.look, buf),
            Cover::Diff(None) => diff::view_none(layout.charts, &shared.look, buf),
        }
    }

    fn view_empty(&self, shared: &Shared, area: Rect, buf: &mut Buffer) {
        let inner = pane::titled(buf, area, "Runs", pane::Focus::Yes, &shared.look);
        // Each fits into the narrowest screen, so that the command can be copied as it stands.
        let finetune = [
            r"  hyperscope finetune resnet18 --init ghn+noise+orth \",
            "    --data synthetic --shots 50 --epochs 5 --detach",
        ];
        let lines: Vec<&str> = match (&self.folder_trouble, self.list.is_read) {
            (Some(reason), _) => vec!["The runs cannot be listed.", reason.as_str()],
            (None, false) => vec!["Looking for runs."],
            (None, true) => vec![
                "No runs yet.",
                "",
                "Press 2, predict parameters with Enter, fine-tune from them with f.",
                "",
                "Or in a shell:",
                finetune[0],
                finetune[1],
                "",
                "A run goes on when this app is closed, and is here when it is opened again.",
            ],
        };
        pane::message(buf, inner, &lines, &shared.look);
    }
}

impl Panel for RunsPanel {
    fn update(&mut self, event: Event<'_>, shared: &mut Shared) -> Vec<Effect> {
        match event {
            Event::Command(command) => self.on_command(command, shared),
            Event::Key(key) => {
                self.list.type_key(key);
                self.settle_drawn(shared)
            }
            Event::Paste(text) => {
                self.list.paste(text);
                self.settle_drawn(shared)
            }
            Event::Runs(msg) => self.on_news(msg, shared),
            Event::Shown => self.poll(),
            Event::Tick if shared.front == PanelId::Runs && !self.polling => self.poll(),
            Event::Launched(dir) => {
                self.await_run(dir);
                self.poll()
            }
            Event::Resized => self.settle_drawn(shared),
            _ => Vec::new(),
        }
    }

    fn view(&self, shared: &Shared, area: Rect, buf: &mut Buffer) {
        if self.list.rows().is_empty() {
            return self.view_empty(shared, area, buf);
        }
        let layout = Layout::of(area);
        let list = self.list_view(shared);
        list.view(&layout, buf);
        let selected = self.list.selected();
        let curves = selected.and_then(|row| self.curves.get(&row.id));
        list.details(layout.details, curves.map_or(0, |c| c.lost), buf);
        self.view_cover(&layout, shared, buf);
    }

    fn hints(&self, _shared: &Shared) -> Vec<Hint> {
        match &self.cover {
            Cover::Log(_) => vec![
                Hint::new(Command::Back, "close"),
                Hint::new(Command::Up, "scroll"),
            ],
            Cover::Diff(_) => vec![
                Hint::new(Command::Back, "close"),
                Hint::new(Command::Down, "compare another"),
            ],
            Cover::Charts => self.chart_hints(),
        }
    }

    fn takes_text(&self) -> bool {
        self.list.is_typing() && !self.list.rows().is_empty()
    }

    fn can_leave(&self) -> bool {
        !matches!(self.cover, Cover::Charts)
            || self.sight.is_changed()
            || self.list.filter().is_some()
    }

    fn wakes_every_ms(&self, shared: &Shared) -> Option<u64> {
        if shared.front != PanelId::Runs {
            return None;
        }
        let live = self.list.rows().iter().any(|row| row.is_live());
        Some(if live { LIVE_TICK_MS } else { IDLE_TICK_MS })
    }
}

impl RunsPanel {
    fn chart_hints(&self) -> Vec<Hint> {
        let mut hints = Vec::new();
        let Some(row) = self.list.selected() else {
            if self.can_leave() {
                hints.push(Hint::new(Command::Back, "back"));
            }
            return hints;
        };
        hints.push(Hint::new(
            Command::Toggle,
            if self.list.is_marked(&row.id) {
                "unmark"
            } else {
                "overlay"
            },
        ));
        match row.status() {
            Some(Status::Running | Status::Starting) => {
                hints.push(Hint::new(Command::RunPause, "pause"));
                hints.push(Hint::new(Command::RunStop, "stop"));
            }
            Some(Status::Paused) => {
                hints.push(Hint::new(Command::RunResume, "resume"));
                hints.push(Hint::new(Command::RunStop, "stop"));
            }
            Some(Status::Stopped | Status::Failed | Status::Died | Status::Queued) => {
                hints.push(Hint::new(Command::RunResume, "resume"));
            }
            Some(Status::Finished) | None => {}
        }
        if row.group.is_some() {
            let shown = if self.list.bands {
                "single runs"
            } else {
                "means"
            };
            hints.push(Hint::new(Command::RunBands, shown));
        }
        if self.can_leave() {
            hints.push(Hint::new(Command::Back, "back"));
        }
        hints.push(Hint::new(Command::Right, "read values"));
        hints.push(Hint::new(Command::NextPane, "chart"));
        let size = if self.sight.enlarged {
            "all charts"
        } else {
            "enlarge"
        };
        hints.push(Hint::new(Command::Open, size));
        hints.push(Hint::new(Command::RunSmooth, "smooth"));
        hints.push(Hint::new(Command::RunXAxis, "x axis"));
        hints.push(Hint::new(Command::RunLog, "log"));
        hints.push(Hint::new(Command::Filter, "filter"));
        hints
    }
}

#[cfg(test)]
mod tests;
