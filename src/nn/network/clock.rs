//! Where the time of a pass goes, step by step.

use std::time::Instant;

use super::plan::{Plan, Step};

/// Seconds of every step of a plan in its last pass.
#[derive(Debug, Default)]
pub struct Clock {
    lap: Option<Instant>,
    forward: Vec<f64>,
    backward: Vec<f64>,
}

/// What one step did in its last pass, and how long it took.
#[derive(Clone, Debug, PartialEq)]
pub struct StepTime {
    /// The node's path, or its op where it has none.
    pub name: String,
    /// The kind of work ([`Step::kind`]).
    pub kind: String,
    /// Multiply-accumulates going forward, for one image.
    pub macs: u64,
    /// Seconds.
    pub forward: f64,
    /// Seconds; zero after a pass that did not go back.
    pub backward: f64,
}

impl Clock {
    /// A pass over `steps` steps begins.
    pub fn begin(&mut self, steps: usize) {
        for seconds in [&mut self.forward, &mut self.backward] {
            seconds.clear();
            seconds.resize(steps, 0.0);
        }
        self.lap = Some(Instant::now());
    }

    /// Time that belongs to no step ends here.
    pub fn skip(&mut self) {
        self.lap = Some(Instant::now());
    }

    /// The step has gone forward.
    pub fn forward(&mut self, step: usize) {
        self.forward[step] = self.since_last();
    }

    /// The step has gone back.
    pub fn backward(&mut self, step: usize) {
        self.backward[step] = self.since_last();
    }

    fn since_last(&mut self) -> f64 {
        let now = Instant::now();
        let last = self.lap.replace(now);
        last.map_or(0.0, |last| (now - last).as_secs_f64())
    }

    /// The times beside what they belong to.
    pub fn times(&self, plan: &Plan) -> Vec<StepTime> {
        let time = |(i, step): (usize, &Step)| StepTime {
            name: step.name.clone(),
            kind: step.kind.clone(),
            macs: step.macs,
            forward: self.forward.get(i).copied().unwrap_or(0.0),
            backward: self.backward.get(i).copied().unwrap_or(0.0),
        };
        plan.steps.iter().enumerate().map(time).collect()
    }
}
