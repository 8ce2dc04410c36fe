//! What a sweep notes down for the way back. Messages and gates are computed again there: they take less
//! time than memory.

/// Listens to a sweep.
pub trait Recorder {
    /// The messages of node `u` are computed from its state.
    fn refresh(&mut self, u: usize, state: &[f32]);

    /// The next node is updated: what it hears, and its state before.
    fn update(&mut self, heard: &[f32], state: &[f32]);
}

/// Notes nothing.
pub struct Nothing;

impl Recorder for Nothing {
    fn refresh(&mut self, _u: usize, _state: &[f32]) {}

    fn update(&mut self, _heard: &[f32], _state: &[f32]) {}
}

/// Notes of a whole run.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    /// In the order of time; updates are in the order that the graph dictates.
    pub events: Vec<Event>,
    /// The state of each refreshed node, `[refreshes, C]`.
    pub refreshed: Vec<f32>,
    /// What each updated node heard, and its state before, `[updates, C]` each.
    pub heard: Vec<f32>,
    pub before: Vec<f32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Refresh(usize),
    Update,
}

impl Recorder for Tape {
    fn refresh(&mut self, u: usize, state: &[f32]) {
        self.events.push(Event::Refresh(u));
        self.refreshed.extend_from_slice(state);
    }

    fn update(&mut self, heard: &[f32], state: &[f32]) {
        self.events.push(Event::Update);
        self.heard.extend_from_slice(heard);
        self.before.extend_from_slice(state);
    }
}
