//! What a training run says to the outside, and what the outside says to it.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::Event;

/// What somebody asks of a run, between two steps. As text, it is one line of a run's `control`
/// file: `pause`, `resume`, `stop`, `checkpoint`, `set lr=0.01`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Command {
    /// Write a checkpoint and wait.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Write a checkpoint and end; the run can be resumed later.
    Stop,
    /// Write a checkpoint and go on.
    Checkpoint,
    /// The learning rate from the next step on; the schedule falls from there.
    SetLr(f64),
}

/// A line that is no command.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "\"{line}\" is no command for a run; there are pause, resume, stop, checkpoint and set lr=X with X from 0 to 1e30"
)]
pub struct UnknownCommand {
    line: String,
}

/// Largest learning rate that a command may set: enough to break any network on purpose.
const LARGEST_LR: f64 = 1e30;

impl FromStr for Command {
    type Err = UnknownCommand;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let found = match words[..] {
            ["pause"] => Some(Self::Pause),
            ["resume"] => Some(Self::Resume),
            ["stop"] => Some(Self::Stop),
            ["checkpoint"] => Some(Self::Checkpoint),
            ["set", setting] => setting
                .strip_prefix("lr=")
                .and_then(|x| x.parse().ok())
                .filter(|lr| (0.0..=LARGEST_LR).contains(lr))
                .map(Self::SetLr),
            _ => None,
        };
        found.ok_or_else(|| UnknownCommand {
            line: crate::text::Shown::new(line.trim()).as_str().to_owned(),
        })
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pause => f.write_str("pause"),
            Self::Resume => f.write_str("resume"),
            Self::Stop => f.write_str("stop"),
            Self::Checkpoint => f.write_str("checkpoint"),
            Self::SetLr(lr) => write!(f, "set lr={lr}"),
        }
    }
}

/// One finished epoch: a line of `finetune --json`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EpochSummary {
    /// Counted from 1.
    pub epoch: u32,
    /// Optimiser steps since the start of the run.
    pub step: u64,
    /// Learning rate of this epoch.
    pub lr: f64,
    /// Mean over the epoch's images as they were trained on.
    pub train_loss: f64,
    /// Percent.
    pub train_top1: f64,
    pub val: Option<super::Metrics>,
    pub test: Option<super::Metrics>,
    /// Of the training steps, without evaluation.
    pub images_per_s: f64,
    /// Since the start of the run, pauses and times without a worker not counted.
    pub seconds: f64,
}

/// The outside of a run, as the training loop sees it.
pub trait Reporter {
    /// Takes one event. Called often: it must not block for long.
    fn event(&mut self, event: Event);

    /// The next command that waits, if any. Asked between steps and, while paused, several times a
    /// second.
    fn command(&mut self) -> Option<Command>;

    /// Takes the summary of an epoch, after its events.
    fn epoch(&mut self, _summary: &EpochSummary) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_survives_the_control_file() {
        for command in [
            Command::Pause,
            Command::Resume,
            Command::Stop,
            Command::Checkpoint,
            Command::SetLr(0.1 + 0.2),
            Command::SetLr(1e-9),
        ] {
            assert_eq!(command.to_string().parse(), Ok(command));
        }
    }

    #[test]
    fn nonsense_is_no_command() {
        for line in [
            "",
            "halt",
            "set lr=NaN",
            "set lr=-1",
            "set lr=",
            "set lr=1e99",
        ] {
            assert!(line.parse::<Command>().is_err(), "{line}");
        }
    }
}
