//! Training networks: optimisers, schedules, metrics and the fine-tuning loop.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `task` | [`Task`]: what a run is asked to do; [`Outcome`]: what it led to |
//! | `recipe` | [`Recipe`]: settings by name, and those that hold when nothing is said |
//! | `finetune` | [`finetune`]: the loop |
//! | `ghn` | [`train_ghn`]: training GHNs; [`Evaluator`]: how good they are |
//! | `evaluate`, `metrics` | [`evaluate`], [`Metrics`]: a pass over a split |
//! | `calibrate` | [`calibrate`]: running statistics of batch norms, measured on images |
//! | `course` | what every run has on its way: progress, reporter, checkpoints |
//! | `steering` | commands between two steps |
//! | `optim`, `schedule` | optimisers and the learning rate |
//! | `event`, `reporter`, `meter`, `process` | what a run says, and what it hears |
//! | `checkpoint`, `progress` | [`Checkpoints`]: everything that is needed to go on, on disk |
//! | `diagnose` | which tensor spoilt the numbers |
//! | `speed` | how fast a network trains and runs here |

mod calibrate;
mod checkpoint;
mod course;
mod diagnose;
mod error;
mod evaluate;
mod event;
mod finetune;
mod ghn;
mod meter;
mod metrics;
pub mod optim;
mod process;
mod progress;
mod recipe;
mod reporter;
mod schedule;
mod speed;
mod steering;
mod task;
#[cfg(test)]
mod testing;

pub use calibrate::{Calibration, calibrate};
pub use checkpoint::{Checkpoint, CheckpointError, Checkpoints, Kind};
pub use error::{NotFinite, TrainError};
pub use evaluate::{evaluate, evaluate_with};
pub use event::{Event, RunState, Split, StepPhases};
pub use finetune::finetune;
pub use ghn::{
    Accuracy, BadEvaluation, EvaluatedNetwork, EvaluatedPart, EvaluationSetting, Evaluator,
    EvaluatorOptions, GhnEvaluation, GhnOptimiserKind, GhnRecipe, GhnSchedule, GhnTask, Net, Part,
    PredictedNetwork, PublishedAccuracy, Stage, USUAL_BATCH, USUAL_NETWORKS, USUAL_SIDE, networks,
    published_accuracies, train_ghn,
};
pub use metrics::{Metrics, Tally};
pub use optim::{Optimiser, OptimiserKind, OptimiserSettings, UnknownOptimiser};
pub use progress::{Best, EpochSums, LastMetrics, Progress};
pub use recipe::Recipe;
pub use reporter::{Command, EpochSummary, Reporter, UnknownCommand};
pub use schedule::Cosine;
pub use speed::{Speed, Timing, Work, speed};
pub use task::{Before, End, Evaluation, Loaders, Outcome, Task, TestTime};
