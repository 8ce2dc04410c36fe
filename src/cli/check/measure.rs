//! Measured errors of one case, and the one that is closest to what is allowed or beyond it.

use super::Case;

/// One compared quantity.
#[derive(Clone, Debug)]
pub struct Measure {
    pub what: String,
    /// Relative error.
    pub error: f64,
    pub allowed: f64,
}

impl Measure {
    /// The error in units of what is allowed; a NaN is beyond everything.
    fn share(&self) -> f64 {
        let share = self.error / self.allowed;
        if share.is_nan() { f64::INFINITY } else { share }
    }
}

/// The worst of several quantities.
#[derive(Clone, Debug, Default)]
pub struct Worst {
    worst: Option<Measure>,
    seen: usize,
}

impl Worst {
    pub fn see(&mut self, measure: Measure) {
        self.seen += 1;
        if self
            .worst
            .as_ref()
            .is_none_or(|w| measure.share() > w.share())
        {
            self.worst = Some(measure);
        }
    }

    /// Whether the worst quantity is within what is allowed for it.
    pub fn passes(&self) -> bool {
        self.worst.as_ref().is_some_and(|w| w.share() <= 1.0)
    }

    /// The case: passed if the worst quantity is within what is allowed for it.
    pub fn into_case(self, name: &str) -> Case {
        let Some(worst) = self.worst else {
            return Case {
                name: name.to_owned(),
                note: "nothing to compare".to_owned(),
                ..Case::default()
            };
        };
        Case {
            name: name.to_owned(),
            ok: worst.share() <= 1.0,
            missing: false,
            max_rel_err: Some(worst.error),
            note: format!(
                "worst of {}: {} (allowed {:.1e})",
                self.seen, worst.what, worst.allowed
            ),
        }
    }
}
