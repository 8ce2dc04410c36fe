//! What keys do: to runs, and to how their curves are looked at.

use super::list::MOST_MARKED;
use super::log::LogView;
use super::rows::Known;
use super::{Cover, Diff, RunsEffect, RunsPanel, plots};
use crate::run::{self, Status};
use crate::text::Shown;
use crate::tui::command::Command;
use crate::tui::effect::Effect;
use crate::tui::shared::{Confirm, Severity, Shared};

/// Cells beside a chart's plot, about: tick labels on the left, values on the right.
const BESIDE_PLOT: u16 = 16;
/// How much more or less of the x axis one key shows.
const ZOOM: f64 = 0.5;

impl RunsPanel {
    pub(super) fn on_command(&mut self, command: Command, shared: &mut Shared) -> Vec<Effect> {
        if let Some(effects) = self.on_cover_command(command, shared) {
            return effects;
        }
        let page = self.page(shared);
        if self.list.command(command, page) {
            return self.settle_drawn(shared);
        }
        match command {
            Command::Toggle => self.toggle_mark(shared),
            Command::RunOnly => {
                self.list.unmark_all();
                self.list.bands = false;
                self.settle_drawn(shared)
            }
            Command::RunBands => self.toggle_bands(shared),
            // Without runs there is no list to type above.
            Command::Filter if self.list.rows().is_empty() => Vec::new(),
            Command::Filter => {
                self.list.begin_filter();
                Vec::new()
            }
            Command::Back => self.back(shared),
            Command::Copy => {
                let path = self
                    .known()
                    .map(|known| known.dir.path().display().to_string());
                path.map(Effect::Copy).into_iter().collect()
            }
            Command::RunPause => self.pause(shared),
            Command::RunResume => self.resume(shared),
            Command::RunStop => self.ask_to_stop(shared),
            Command::RunLog => self.open_log(),
            Command::RunDiff => self.open_diff(shared),
            other => {
                self.look(other, shared);
                Vec::new()
            }
        }
    }

    /// Keys that scroll or close what lies over the charts.
    fn on_cover_command(&mut self, command: Command, shared: &Shared) -> Option<Vec<Effect>> {
        if matches!(self.cover, Cover::Charts) {
            return None;
        }
        if matches!(command, Command::Back | Command::Open) {
            self.cover = Cover::Charts;
            return Some(Vec::new());
        }
        let Cover::Log(log) = &mut self.cover else {
            return None;
        };
        let entries = self.curves.get(&log.run).map_or(&[][..], |c| &c.entries);
        let lines = log.lines(entries);
        let page = usize::from(Self::layout(shared).charts.height.saturating_sub(1));
        log.command(command, lines, page).then(Vec::new)
    }

    /// Keys that change how curves are looked at.
    fn look(&mut self, command: Command, shared: &mut Shared) {
        match command {
            Command::Open => self.sight.enlarged = !self.sight.enlarged,
            Command::NextPane => self.sight.focus = self.sight.focus.next(),
            Command::PreviousPane => self.sight.focus = self.sight.focus.previous(),
            Command::RunSmooth => {
                self.sight.next_smoothing();
                let decay = self.sight.decay();
                self.curves
                    .values_mut()
                    .for_each(|curves| curves.smooth(decay));
                self.take_seeds_together();
            }
            Command::RunLogY => self.sight.toggle_log_y(),
            Command::RunLogX => self.sight.toggle_log_x(),
            Command::RunClip => self.sight.toggle_clip(),
            Command::RunXAxis => self.sight.next_unit(),
            Command::RunShowAll => self.sight.reset(),
            Command::RunSplit => {
                self.sight.which = self.sight.which.next();
                let words = format!("Accuracy and loss: {}", self.sight.which.words());
                shared.say(Severity::Good, &words);
            }
            Command::Left => self.move_cursor(-1.0, shared),
            Command::Right => self.move_cursor(1.0, shared),
            Command::RunZoomIn => self.on_axis(|sight, full| sight.zoom_by(ZOOM, full)),
            Command::RunZoomOut => self.on_axis(|sight, full| sight.zoom_by(1.0 / ZOOM, full)),
            Command::RunPanLeft => self.on_axis(|sight, full| sight.pan(-1.0, full)),
            Command::RunPanRight => self.on_axis(|sight, full| sight.pan(1.0, full)),
            _ => {}
        }
    }

    fn on_axis(&mut self, act: impl FnOnce(&mut super::Sight, &crate::tui::charts::Scale)) {
        let full = plots::full(&self.drawn(), &self.sight);
        if let Some(full) = full {
            act(&mut self.sight, &full);
        }
    }

    fn move_cursor(&mut self, way: f64, shared: &Shared) {
        let layout = Self::layout(shared);
        let plots = layout.plots(&self.sight);
        let width = plots.iter().find(|(metric, _)| *metric == self.sight.focus);
        let width = width.map_or(layout.charts.width, |(_, area)| area.width);
        let mut sight = self.sight.clone();
        let drawn = self.drawn();
        if let Some(full) = plots::full(&drawn, &sight) {
            let places = plots::places(&drawn, &sight);
            sight.step(way, places, &full, width.saturating_sub(BESIDE_PLOT));
        }
        self.sight = sight;
    }

    /// Takes back one thing: a filter, a cursor, a zoom, an enlarged chart.
    fn back(&mut self, shared: &Shared) -> Vec<Effect> {
        if !self.sight.step_back() && self.list.filter().is_some() {
            self.list.drop_filter();
            return self.settle_drawn(shared);
        }
        Vec::new()
    }

    fn toggle_mark(&mut self, shared: &mut Shared) -> Vec<Effect> {
        if !self.list.toggle_mark() {
            let text = format!("{MOST_MARKED} runs are marked; more could not be told apart.");
            shared.say(Severity::Warning, &text);
        }
        self.settle_drawn(shared)
    }

    /// From single runs to means over seeds and back; to means only where there are seeds.
    fn toggle_bands(&mut self, shared: &mut Shared) -> Vec<Effect> {
        self.list.bands = !self.list.bands;
        if self.list.bands && self.list.banded().is_none() {
            self.list.bands = false;
            let text = "This run is part of no experiment; `hyperscope reproduce` makes some.";
            shared.say(Severity::Warning, text);
            return Vec::new();
        }
        if self.list.bands {
            let text = "Means over the seeds of each start; bands are one standard deviation.";
            shared.say(Severity::Good, text);
        }
        self.settle_drawn(shared)
    }

    fn known(&self) -> Option<&Known> {
        self.list.selected()?.known.as_ref()
    }

    fn pause(&mut self, shared: &mut Shared) -> Vec<Effect> {
        match self.known() {
            Some(run) if run.status == Status::Paused => {
                shared.say(Severity::Warning, "It is paused already; r resumes it.");
                Vec::new()
            }
            Some(run) => vec![tell(run, run::Command::Pause)],
            None => Vec::new(),
        }
    }

    /// Goes on after a pause, or starts a new worker where the last one ended.
    fn resume(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let Some(run) = self.known() else {
            return Vec::new();
        };
        match run.status {
            Status::Paused => vec![tell(run, run::Command::Resume)],
            Status::Running | Status::Starting => {
                shared.say(Severity::Warning, "It is running already.");
                Vec::new()
            }
            Status::Finished => {
                shared.say(Severity::Warning, "It has done all its epochs.");
                Vec::new()
            }
            Status::Queued | Status::Stopped | Status::Failed | Status::Died => {
                let effect = Effect::Runs(RunsEffect::Start(run.dir.clone()));
                let id = run.dir.id().as_str();
                shared.say(Severity::Good, &format!("{id}: starting a worker"));
                vec![effect]
            }
        }
    }

    /// Nothing ends a run without a question that names it.
    fn ask_to_stop(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let Some(run) = self.known() else {
            return Vec::new();
        };
        if !run.status.is_live() {
            let text = format!("It is {} and has no worker to stop.", run.status);
            shared.say(Severity::Warning, &text);
            return Vec::new();
        }
        shared.confirm = Some(Confirm {
            question: Shown::new(&format!("Stop run {}?", run.dir.id().as_str())),
            detail: Shown::new("It writes a checkpoint and ends; r goes on from there."),
            yes: vec![tell(run, run::Command::Stop)],
        });
        Vec::new()
    }

    fn open_log(&mut self) -> Vec<Effect> {
        let Some(dir) = self.known().map(|run| run.dir.clone()) else {
            return Vec::new();
        };
        self.cover = Cover::Log(LogView::new(dir.id().clone()));
        vec![Effect::Runs(RunsEffect::ReadLog(dir))]
    }

    fn open_diff(&mut self, shared: &mut Shared) -> Vec<Effect> {
        match self.compared() {
            Some(diff) => self.cover = Cover::Diff(Some(diff)),
            None => shared.say(
                Severity::Warning,
                "Mark another run with Space to compare the selected one with it.",
            ),
        }
        Vec::new()
    }

    /// The selected run beside the first other one that is marked, else beside its neighbour in the list.
    pub(super) fn compared(&self) -> Option<Diff> {
        let selected = self.list.selected()?;
        let drawn = self.list.drawn();
        let marked = drawn.into_iter().find(|row| row.id != selected.id);
        let mut around = self.list.shown().skip_while(|row| row.id != selected.id);
        let above = self.list.shown().take_while(|row| row.id != selected.id);
        let other = marked.or(around.nth(1)).or(above.last())?;
        Diff::of(selected, other)
    }
}

fn tell(run: &Known, command: run::Command) -> Effect {
    Effect::Runs(RunsEffect::Tell(run.dir.clone(), command))
}
