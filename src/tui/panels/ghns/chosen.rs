//! The GHN under the cursor: what is known of it, and what can be done with it.

use super::reports::Question;
use super::running::Running;
use super::{GhnsPanel, Networks, Pane};
use crate::engine::protocol::{EvaluationRecord, GhnReport, GhnSummary};
use crate::tui::effect::Effect;
use crate::tui::panels::PanelId;
use crate::tui::shared::{Severity, Shared};

impl GhnsPanel {
    pub(super) fn chosen(&self) -> Option<&GhnSummary> {
        self.ghns.get(self.list.at)
    }

    pub(super) fn question(&self, shared: &Shared) -> Option<Question> {
        let chosen = self.chosen()?;
        Some(Question::of(&chosen.name, shared))
    }

    pub(super) fn report(&self, shared: &Shared) -> Option<&GhnReport> {
        self.reports.report(&self.question(shared)?)
    }

    pub(super) fn evaluations(&self, shared: &Shared) -> &[EvaluationRecord] {
        let report = self.report(shared);
        report.map_or(&[], |report| report.evaluations.as_slice())
    }

    /// The evaluation under way, if it is that of the chosen GHN.
    pub(super) fn running_here(&self) -> Option<&Running> {
        let chosen = self.chosen()?;
        let running = self.running.as_ref();
        running.filter(|running| running.spec.ghn == chosen.name)
    }

    /// The evaluation that is shown.
    pub(super) fn record<'a>(&'a self, shared: &'a Shared) -> Option<&'a EvaluationRecord> {
        match self.running_here() {
            Some(running) => running.record.as_ref(),
            None => self.evaluations(shared).get(self.evaluation),
        }
    }

    /// Whether it is only opened if somebody says so, or could not be opened.
    pub(super) fn needs_opening(&self, shared: &Shared) -> bool {
        let Some((chosen, question)) = self.chosen().zip(self.question(shared)) else {
            return false;
        };
        let waits = chosen.large && !self.wished.contains(&chosen.name);
        waits || self.reports.failure(&question).is_some()
    }

    pub(super) fn open(&mut self, shared: &Shared) {
        if let Some((name, question)) = self
            .chosen()
            .map(|chosen| chosen.name.clone())
            .zip(self.question(shared))
        {
            self.reports.renew(&question);
            self.wished.push(name);
        }
    }

    pub(super) fn use_chosen(&self, shared: &mut Shared) {
        let Some(name) = self.chosen().map(|chosen| chosen.name.clone()) else {
            return;
        };
        shared.say(Severity::Good, &format!("The recipe's GHN is {name}."));
        shared.select(|selection| selection.ghn = name);
        shared.go_to(PanelId::Parameters);
    }

    pub(super) fn copy(&self, shared: &mut Shared) -> Vec<Effect> {
        let network = self.networks.as_ref().and_then(Networks::chosen);
        let network = network.filter(|_| self.pane == Pane::Below);
        let name = network.or_else(|| self.chosen().map(|chosen| chosen.name.as_str()));
        let Some(name) = name.map(str::to_owned) else {
            return Vec::new();
        };
        shared.say(Severity::Good, &format!("Copied {name}"));
        vec![Effect::Copy(name)]
    }
}
