//! A reporter for tests.

use super::{Command, EpochSummary, Event, Reporter, RunState};

/// Hears everything, and says `commands` one after the other: each at the poll of its number.
#[derive(Default)]
pub struct Script {
    commands: Vec<(usize, Command)>,
    polls: usize,
    pub events: Vec<Event>,
    pub epochs: Vec<EpochSummary>,
}

impl Script {
    pub fn of(commands: &[(usize, Command)]) -> Self {
        Self {
            commands: commands.to_vec(),
            ..Self::default()
        }
    }

    pub fn states(&self) -> Vec<RunState> {
        let state = |e: &Event| match e {
            Event::State { state, .. } => Some(*state),
            _ => None,
        };
        self.events.iter().filter_map(state).collect()
    }

    pub fn notes(&self) -> String {
        let note = |e: &Event| match e {
            Event::Note { text } => Some(text.clone()),
            _ => None,
        };
        self.events.iter().filter_map(note).collect()
    }

    /// What must be equal, bit for bit, however often a run was interrupted.
    pub fn numbers(&self) -> Vec<(u32, u64, [u64; 4])> {
        let numbers = |e: &EpochSummary| {
            let eval = e.val.or(e.test);
            let (loss, top1) = eval.map_or((0.0, 0.0), |m| (m.loss, m.top1));
            let bits = [e.train_loss, e.train_top1, loss, top1].map(f64::to_bits);
            (e.epoch, e.step, bits)
        };
        self.epochs.iter().map(numbers).collect()
    }
}

impl Reporter for Script {
    fn event(&mut self, event: Event) {
        self.events.push(event);
    }

    fn command(&mut self) -> Option<Command> {
        self.polls += 1;
        let at = self.commands.iter().position(|c| c.0 <= self.polls)?;
        Some(self.commands.remove(at).1)
    }

    fn epoch(&mut self, summary: &EpochSummary) {
        self.epochs.push(summary.clone());
    }
}
