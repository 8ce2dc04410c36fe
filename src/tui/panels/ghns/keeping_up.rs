//! What follows from each event: the list holds the selected GHN, what is drawn is prepared, what is missing is
//! asked for.

use super::{GhnsPanel, plain_text, rows};
use crate::engine::protocol::GhnSummary;
use crate::tui::effect::Effect;
use crate::tui::panels::PanelId;
use crate::tui::selection::RANDOM;
use crate::tui::shared::Shared;

impl GhnsPanel {
    /// The selected GHN is in the list, and at first under the cursor.
    pub(super) fn follow(&mut self, shared: &Shared) {
        let selected = &shared.selection.ghn;
        if self.ghns.is_empty() || selected == RANDOM {
            return;
        }
        let at = self.ghns.iter().position(|ghn| ghn.name == *selected);
        let at = at.unwrap_or_else(|| {
            self.ghns.push(GhnSummary {
                name: selected.clone(),
                description: "a file".to_owned(),
                trained: true,
                bytes: None,
                // Its size is not known here.
                large: true,
            });
            self.ghns.len() - 1
        });
        if !self.has_followed && shared.front == PanelId::Ghns {
            self.has_followed = true;
            self.list.at = at;
        }
    }

    /// Prepares what is drawn.
    pub(super) fn refresh(&mut self, shared: &Shared) {
        let most = self.evaluations(shared).len().saturating_sub(1);
        self.evaluation = self.evaluation.min(most);
        self.rows = match (self.running_here(), self.record(shared)) {
            (Some(running), _) => rows::going(running),
            (None, Some(record)) => rows::kept(record),
            (None, None) => Vec::new(),
        };
        self.split.settle(self.rows.len(), self.rows.len());
        let layout = self.layout(shared);
        let width = layout.below.width.saturating_sub(2);
        let card = self
            .report(shared)
            .and_then(|report| report.card.as_deref());
        self.card = card.map_or_else(Vec::new, |card| plain_text::lines(card, width));
        let last = self.card.len().saturating_sub(layout.below_page());
        self.card_top = self.card_top.min(last);
        self.list.settle(self.ghns.len(), layout.list_page());
        if let Some(mut networks) = self.networks.take() {
            let part = self.record(shared).map(|record| &record.evaluation);
            // Its evaluation may be gone.
            if let Some(part) = part.and_then(|evaluation| evaluation.part(networks.part)) {
                networks.refresh(part);
                networks.settle(layout.below_page());
                self.networks = Some(networks);
            }
        }
    }

    /// Asks for what there is to say of the chosen GHN, while it is looked at.
    pub(super) fn want_report(&mut self, shared: &mut Shared) -> Option<Effect> {
        let question = self.question(shared)?;
        if shared.front != PanelId::Ghns || self.needs_opening(shared) {
            return None;
        }
        self.reports.want(&question, shared)
    }
}
