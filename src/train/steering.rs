//! Commands from outside, between two steps: pause, stop, checkpoint, a new learning rate.

use std::thread::sleep;
use std::time::Duration;

use super::course::Course;
use super::{Command, End, RunState, TrainError};

/// How often a paused run looks for commands.
const PAUSE_POLL: Duration = Duration::from_millis(100);

/// Whether the run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    On,
    Stop,
}

impl Flow {
    /// How a run ended whose loop came back with this.
    pub const fn end(self) -> End {
        match self {
            Self::On => End::Finished,
            Self::Stop => End::Stopped,
        }
    }
}

/// A run at work that can be steered.
pub trait Steered<'a> {
    fn course(&mut self) -> &mut Course<'a>;

    /// The next command that waits, if any.
    fn next_command(&mut self) -> Option<Command> {
        self.course().reporter.command()
    }

    /// Tells what the steps since the last time gave.
    fn tell(&mut self);

    /// Writes `checkpoint/last`.
    fn save(&mut self) -> Result<(), TrainError>;

    /// Makes this the learning rate of the next step.
    fn set_lr(&mut self, lr: f64);

    /// Does what the commands that wait ask for.
    fn obey(&mut self) -> Result<Flow, TrainError> {
        while let Some(command) = self.next_command() {
            let flow = match command {
                Command::Stop => {
                    self.tell();
                    self.save()?;
                    Flow::Stop
                }
                Command::Pause => self.pause()?,
                Command::Resume => Flow::On,
                Command::Checkpoint | Command::SetLr(_) => self.obey_small(command)?,
            };
            if flow == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::On)
    }

    /// Writes a checkpoint and waits for resume or stop.
    fn pause(&mut self) -> Result<Flow, TrainError> {
        self.tell();
        self.save()?;
        self.course().state(RunState::Paused);
        let flow = loop {
            match self.next_command() {
                Some(Command::Resume) => break Flow::On,
                Some(Command::Stop) => {
                    // A new learning rate may have been set meanwhile.
                    self.course().forget_time();
                    self.save()?;
                    break Flow::Stop;
                }
                Some(Command::Pause) => {}
                Some(command) => {
                    self.course().forget_time();
                    self.obey_small(command)?;
                }
                None => sleep(PAUSE_POLL),
            }
        };
        self.course().forget_time();
        if flow == Flow::On {
            self.course().state(RunState::Running);
        }
        Ok(flow)
    }

    /// Commands that do not change whether the run goes on.
    fn obey_small(&mut self, command: Command) -> Result<Flow, TrainError> {
        let step = self.course().progress.step;
        match command {
            Command::Checkpoint => {
                self.save()?;
                self.course()
                    .note(format!("checkpoint written after step {step}"));
            }
            Command::SetLr(lr) => {
                self.tell();
                self.set_lr(lr);
                self.course()
                    .note(format!("learning rate set to {lr} after step {step}"));
            }
            Command::Pause | Command::Resume | Command::Stop => {}
        }
        Ok(Flow::On)
    }
}
