//! What the app knows about its engine child.

use std::time::Duration;

use crate::text::Shown;

/// Work that the engine does now.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// The request.
    pub id: u64,
    /// In the engine's words: `predicting`, `spectra`.
    pub what: Shown,
    pub done: u64,
    /// Zero while unknown.
    pub total: u64,
    /// When it was asked for.
    pub since: Duration,
}

/// Whether the engine lives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Asked for, has not said hello.
    #[default]
    Starting,
    Ready,
    /// Died; why. Another one was asked for, unless it dies at once again and again.
    Gone(Shown),
}

/// The engine as seen from the app.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EngineState {
    pub health: Health,
    /// In words: `cpu, 2 threads`.
    pub device: Shown,
    pub version: Shown,
    /// What keeps other requests waiting.
    pub work: Option<Work>,
    /// What is done beside them.
    pub background: Option<Work>,
    /// Deaths in a row without a good answer between them.
    pub deaths: u32,
}

impl EngineState {
    /// The work to tell of: that which keeps others waiting first.
    #[must_use]
    pub const fn shown_work(&self) -> Option<&Work> {
        match &self.work {
            Some(work) => Some(work),
            None => self.background.as_ref(),
        }
    }

    /// The work that answers the request of this number, if it is known of.
    pub fn work_of(&mut self, id: u64) -> Option<&mut Work> {
        let known = [&mut self.work, &mut self.background];
        known.into_iter().flatten().find(|work| work.id == id)
    }

    /// Forgets the work that has answered the request of this number.
    pub fn forget(&mut self, id: u64) {
        for work in [&mut self.work, &mut self.background] {
            if work.as_ref().is_some_and(|work| work.id == id) {
                *work = None;
            }
        }
    }
}

/// After so many deaths in a row the engine is started again only when asked for.
pub const MOST_DEATHS: u32 = 3;
