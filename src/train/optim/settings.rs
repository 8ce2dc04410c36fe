//! Which optimiser, and its numbers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The kinds of optimiser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimiserKind {
    /// Momentum, and weight decay added to the gradient (L2), as `torch.optim.SGD`.
    Sgd,
    /// Adam with decoupled weight decay, as `torch.optim.AdamW` (Loshchilov & Hutter 2019).
    AdamW,
}

impl OptimiserKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Sgd, Self::AdamW];

    /// Its word on the command line and in files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sgd => "sgd",
            Self::AdamW => "adamw",
        }
    }
}

impl fmt::Display for OptimiserKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A word that names no optimiser.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no optimiser called {}; use sgd or adamw", crate::text::Shown::new(.0))]
pub struct UnknownOptimiser(pub String);

impl FromStr for OptimiserKind {
    type Err = UnknownOptimiser;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|kind| kind.word() == word);
        found.ok_or_else(|| UnknownOptimiser(word.to_owned()))
    }
}

/// An optimiser's numbers; the learning rate comes with every step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OptimiserSettings {
    pub kind: OptimiserKind,
    /// Share of the past in SGD's direction. AdamW has betas of its own: 0.9 and 0.999.
    pub momentum: f64,
    pub weight_decay: f64,
}

impl OptimiserSettings {
    /// The kind with a momentum of 0.9.
    #[must_use]
    pub const fn of(kind: OptimiserKind, weight_decay: f64) -> Self {
        Self {
            kind,
            momentum: 0.9,
            weight_decay,
        }
    }
}
