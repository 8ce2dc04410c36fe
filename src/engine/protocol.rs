//! Requests and answers as JSON lines. Plain data: the app needs no other room to speak it. What is
//! said of a tensor has the form that `stats` gives it.
//!
//! The app writes one [`Request`] a line to the engine's standard input; the engine writes any
//! number of [`Answer`]s with the same `id` to its standard output, the last of which is
//! [`Body::Done`] or [`Body::Failed`]. The first line of all is [`Body::Hello`] with id 0.

use serde::{Deserialize, Serialize};

use crate::arch::Arch;
use crate::init::Recipe;
pub use crate::run::EvaluationRecord;
pub use crate::stats::shift::{
    Bar, Bins, EmbeddingShift, Feature, FeatureShift, Measure, MeasureShift, Report as ShiftReport,
    Unseen,
};
pub use crate::stats::{Detail as TensorDetail, Diversity as DiversityRow, Histogram};
pub use crate::train::{
    Accuracy, EvaluatedPart, EvaluationSetting, GhnEvaluation, Part, PredictedNetwork,
    PublishedAccuracy, USUAL_BATCH, USUAL_NETWORKS, USUAL_SIDE, published_accuracies,
};

/// An architecture by name, and what it is built for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ArchSpec {
    pub name: String,
    pub classes: usize,
    /// Height and width of the images.
    pub side: usize,
}

/// Post-processing as a user states it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PostSpec {
    pub noise: bool,
    pub orth: bool,
    pub beta: f64,
    /// First layer treated, by number from 1 or by the name of a module or tensor, or `auto`.
    pub layer: String,
    pub seed: u64,
}

/// The layer that `auto` stands for in this network, by number from 1.
#[must_use]
pub fn automatic_layer(arch: &Arch) -> usize {
    Recipe::of_family(arch.name()).first_layer_in(arch)
}

/// What a GHN is evaluated on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluationSpec {
    pub ghn: String,
    /// Of the images that are drawn, and of an untrained GHN's weights.
    pub seed: u64,
    /// As `--data` names it.
    pub data: String,
    pub parts: Vec<Part>,
    /// Networks of each split of DeepNets-1M; torchvision's are always all.
    pub nets: u32,
    /// Test images; none for all.
    pub images: Option<u32>,
    pub batch: u32,
    /// Height and width of the images.
    pub side: u32,
}

/// Which of the two state dicts that the engine holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// As predicted (or drawn at random).
    Before,
    /// After post-processing.
    After,
}

/// What the app asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub id: u64,
    #[serde(flatten)]
    pub command: Command,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// GHNs that can be chosen: the built-in one and those in the cache folder.
    Ghns,
    /// What a GHN is and how good it was found: one [`Body::Ghn`]. `seed` is that of an untrained GHN's weights.
    Ghn { name: String, seed: u64 },
    /// Evaluates a GHN while other requests are answered; one evaluation at a time. Sends a [`Body::Evaluated`] after
    /// every network, and keeps every part that is finished.
    Evaluate(EvaluationSpec),
    /// Predicts parameters and keeps them as [`Side::Before`]; `ghn` is `random` for torchvision's
    /// own initialisation. Then streams one [`Body::Row`] per weight tensor.
    Predict {
        arch: ArchSpec,
        ghn: String,
        seed: u64,
    },
    /// Post-processes [`Side::Before`] into [`Side::After`] and streams the rows that changed, those
    /// named in `first` before all others.
    Post { post: PostSpec, first: Vec<String> },
    /// Singular values, histogram and row correlation of one tensor, both sides where there are two.
    Detail { tensor: String },
    /// How far an architecture lies from the networks that GHNs are trained on, and what `ghn` cannot
    /// represent of it: one [`Body::Shift`] at once, and unless `ghn` is `random` another one with what the
    /// GHN sees. `seed` is that of an untrained GHN's weights.
    Shift {
        arch: ArchSpec,
        ghn: String,
        seed: u64,
    },
    /// Writes a side to a safetensors file.
    Write { side: Side, path: String },
    /// Ends the request with this id as soon as possible; that request then fails as cancelled.
    Cancel { request: u64 },
}

/// What the engine says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub id: u64,
    #[serde(flatten)]
    pub body: Body,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    Hello {
        version: String,
        /// In words: `cpu, 2 threads, AVX-512`.
        device: String,
    },
    /// `done` of `total`, of the work called `what`.
    Progress {
        what: String,
        done: u64,
        total: u64,
    },
    Ghns {
        ghns: Vec<GhnSummary>,
    },
    Ghn(Box<GhnReport>),
    /// One part as far as it is evaluated, and how many networks it will have.
    Evaluated {
        record: Box<EvaluationRecord>,
        networks: usize,
    },
    Predicted(Predicted),
    Row {
        side: Side,
        row: DiversityRow,
    },
    Detail {
        tensor: String,
        before: TensorDetail,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        after: Option<TensorDetail>,
    },
    Shift(Box<ShiftReport>),
    Written {
        path: String,
        bytes: u64,
    },
    /// Something the user should know although the work goes on.
    Warning {
        text: String,
    },
    Done,
    Failed {
        message: String,
        cancelled: bool,
    },
}

/// A GHN that can be chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GhnSummary {
    /// What to give as `--ghn`.
    pub name: String,
    /// Such as `GHN-2, 32 wide, 10 classes`.
    pub description: String,
    pub trained: bool,
    /// Size of its file; none for those that are built in.
    pub bytes: Option<u64>,
    /// Whether it takes long to open.
    pub large: bool,
}

/// What there is to say of a GHN.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GhnReport {
    /// As it was asked for.
    pub name: String,
    /// Such as `GHN-2, 32 wide, 10 classes`.
    pub description: String,
    pub trained: bool,
    /// Number of weights.
    pub params: u64,
    /// Its file; none for those that are built in.
    pub path: Option<String>,
    /// See [`Ghn::hash`](crate::ghn::Ghn::hash).
    pub hash: String,
    /// What the description does not tell: numbers that define it, each with its name.
    pub details: Vec<(String, String)>,
    /// What its maker says of it.
    pub card: Option<String>,
    /// How good it was found: here, the newest first, then by its maker.
    pub evaluations: Vec<EvaluationRecord>,
}

/// The answer to a prediction, before its rows: the fields of `predict --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Predicted {
    pub arch: String,
    pub ghn: String,
    /// False for weights that were drawn at random instead of trained.
    pub trained: bool,
    /// Values predicted.
    pub params: u64,
    /// Tensors predicted.
    pub tensors: u64,
    /// Names of parameters that the GHN left at their random initialisation.
    pub unpredicted: Vec<String>,
    pub seconds: PredictSeconds,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PredictSeconds {
    pub graph: f64,
    /// To a device; zero on the CPU.
    #[serde(default)]
    pub up: f64,
    pub gnn: f64,
    pub decode: f64,
    /// From a device; zero on the CPU.
    #[serde(default)]
    pub down: f64,
    pub write: f64,
}

impl PredictSeconds {
    /// All but writing a file.
    #[must_use]
    pub fn predicting(&self) -> f64 {
        self.graph + self.up + self.gnn + self.decode + self.down
    }
}
