//! The app's whole state in one value. Only [`update`](super::update::update) changes it.

use ratatui::layout::Rect;

use super::help::Help;
use super::palette::Palette;
use super::panels::architectures::ArchitecturesPanel;
use super::panels::ghns::GhnsPanel;
use super::panels::parameters::ParametersPanel;
use super::panels::runs::RunsPanel;
use super::panels::shift::ShiftPanel;
use super::panels::{Panel, PanelId};
use super::shared::Shared;
use super::state_file::Remembered;

/// What lies over the panel in front.
#[derive(Debug, Default)]
pub enum Overlay {
    #[default]
    None,
    Help(Help),
    Palette(Palette),
}

/// Everything that the app knows.
#[derive(Debug)]
pub struct App {
    pub shared: Shared,
    pub overlay: Overlay,
    pub architectures: ArchitecturesPanel,
    pub parameters: ParametersPanel,
    pub shift: ShiftPanel,
    pub runs: RunsPanel,
    pub ghns: GhnsPanel,
    /// The whole screen.
    pub screen: Rect,
    /// What was last asked to be kept, so that it is written only when it changed.
    pub(super) remembered: Remembered,
}

/// How often the work in progress is drawn anew although nothing arrived, in milliseconds: 4 Hz.
const WORK_TICK_MS: u64 = 250;

impl App {
    /// An app that has drawn nothing yet.
    #[must_use]
    pub fn new(shared: Shared, remembered: Remembered) -> Self {
        Self {
            shared,
            overlay: Overlay::None,
            architectures: ArchitecturesPanel::default(),
            parameters: ParametersPanel::new(&remembered),
            shift: ShiftPanel::default(),
            runs: RunsPanel::default(),
            ghns: GhnsPanel::new(&remembered),
            screen: Rect::default(),
            remembered,
        }
    }

    /// A panel by its id.
    #[must_use]
    pub fn panel(&self, id: PanelId) -> &dyn Panel {
        match id {
            PanelId::Architectures => &self.architectures,
            PanelId::Parameters => &self.parameters,
            PanelId::Shift => &self.shift,
            PanelId::Runs => &self.runs,
            PanelId::Ghns => &self.ghns,
        }
    }

    /// A panel to change, with what it may see.
    pub(super) fn panel_mut(&mut self, id: PanelId) -> (&mut dyn Panel, &mut Shared) {
        let panel: &mut dyn Panel = match id {
            PanelId::Architectures => &mut self.architectures,
            PanelId::Parameters => &mut self.parameters,
            PanelId::Shift => &mut self.shift,
            PanelId::Runs => &mut self.runs,
            PanelId::Ghns => &mut self.ghns,
        };
        (panel, &mut self.shared)
    }

    /// The panel in front.
    #[must_use]
    pub fn front(&self) -> &dyn Panel {
        self.panel(self.shared.front)
    }

    /// How often a tick is wanted now; `None` while nothing moves.
    #[must_use]
    pub fn wakes_every_ms(&self) -> Option<u64> {
        let work = self.shared.engine.shown_work().map(|_| WORK_TICK_MS);
        PanelId::ALL
            .into_iter()
            .filter_map(|id| self.panel(id).wakes_every_ms(&self.shared))
            .chain(work)
            .min()
    }
}
