//! What the reader found.

use std::time::Duration;

use super::messages::{Points, RunsMsg};
use super::{Cover, RunsPanel};
use crate::run::RunId;
use crate::text::Shown;
use crate::tui::effect::Effect;
use crate::tui::panels::PanelId;
use crate::tui::shared::{Severity, Shared};

/// Shortest time between two frames while a long log is read.
const WHILE_READING: Duration = Duration::from_millis(100);

impl RunsPanel {
    pub(super) fn on_news(&mut self, msg: &RunsMsg, shared: &mut Shared) -> Vec<Effect> {
        match msg {
            RunsMsg::Listed(listing) => {
                self.folder_trouble = None;
                self.list.replace(listing);
                self.redraw(shared);
                self.settle_drawn(shared)
            }
            RunsMsg::ListFailed(reason) => {
                let reason = Shown::new(reason);
                if self.folder_trouble.as_ref() != Some(&reason) {
                    self.redraw(shared);
                    // An empty panel says it itself.
                    if !self.list.rows().is_empty() {
                        shared.say(Severity::Bad, reason.as_str());
                    }
                }
                self.folder_trouble = Some(reason);
                Vec::new()
            }
            RunsMsg::Points(points) => {
                self.on_points(points, shared);
                Vec::new()
            }
            RunsMsg::PointsFailed(run, reason) => {
                let reason = Shown::new(reason);
                if self.log_trouble.insert(run.clone(), reason.clone()) != Some(reason) {
                    self.redraw(shared);
                }
                Vec::new()
            }
            RunsMsg::Polled => {
                self.polling = false;
                if std::mem::take(&mut self.bands_stale) {
                    self.take_seeds_together();
                    self.redraw(shared);
                }
                if std::mem::take(&mut self.poll_again) {
                    return self.poll();
                }
                Vec::new()
            }
            RunsMsg::Told(run, what, result) => self.on_told(run, what, result, shared),
            RunsMsg::Log(run, text) => {
                if let Cover::Log(log) = &mut self.cover
                    && log.run == *run
                {
                    log.worker = Some(text.clone().map_err(|reason| Shown::new(&reason)));
                    self.redraw(shared);
                }
                Vec::new()
            }
        }
    }

    /// Draws again, if anybody sees it.
    fn redraw(&mut self, shared: &mut Shared) {
        if shared.front == PanelId::Runs {
            shared.dirty = true;
            self.last_drawn = shared.now;
        }
    }

    fn on_points(&mut self, points: &Points, shared: &mut Shared) {
        if !self.recent.contains(&points.run) {
            return;
        }
        self.log_trouble.remove(&points.run);
        let decay = self.sight.decay();
        let curves = self.curves.entry(points.run.clone()).or_default();
        if points.fresh {
            *curves = super::Curves::default();
        }
        let entries = curves.entries.len();
        curves.extend(&points.lines, decay);
        curves.complete |= !points.more;
        curves.lost = points.lost;
        let new = curves.entries.len().saturating_sub(entries);
        if let Cover::Log(log) = &mut self.cover
            && log.run == points.run
        {
            let page = usize::from(Self::layout(shared).charts.height.saturating_sub(1));
            log.stay(entries, new, page);
        }
        self.bands_stale |= self.list.bands;
        let seen = self.list.drawn().iter().any(|row| row.id == points.run);
        let due = shared.now.saturating_sub(self.last_drawn) >= WHILE_READING;
        if seen && (!points.more || due) {
            self.redraw(shared);
        }
    }

    fn on_told(
        &mut self,
        run: &RunId,
        what: &str,
        result: &Result<(), String>,
        shared: &mut Shared,
    ) -> Vec<Effect> {
        match result {
            Ok(()) => shared.say(
                Severity::Good,
                &format!("{}: {what} was asked for", run.as_str()),
            ),
            Err(reason) => shared.say(Severity::Bad, reason),
        }
        self.poll()
    }
}
