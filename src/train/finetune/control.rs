//! Commands from outside, between two steps.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{Flow, Trainer};
use crate::train::{Command, RunState, TrainError};

/// How often a paused run looks for commands.
const PAUSE_POLL: Duration = Duration::from_millis(100);

impl Trainer<'_> {
    /// Does what the commands that wait ask for.
    pub(super) fn obey(&mut self) -> Result<Flow, TrainError> {
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
        self.state(RunState::Paused);
        let flow = loop {
            match self.next_command() {
                Some(Command::Resume) => break Flow::On,
                Some(Command::Stop) => {
                    // A new learning rate may have been set meanwhile.
                    self.counted = Instant::now();
                    self.save()?;
                    break Flow::Stop;
                }
                Some(Command::Pause) => {}
                Some(command) => {
                    self.counted = Instant::now();
                    self.obey_small(command)?;
                }
                None => sleep(PAUSE_POLL),
            }
        };
        self.counted = Instant::now();
        if flow == Flow::On {
            self.state(RunState::Running);
        }
        Ok(flow)
    }

    /// Commands that do not change whether the run goes on.
    fn obey_small(&mut self, command: Command) -> Result<Flow, TrainError> {
        let step = self.progress.step;
        match command {
            Command::Checkpoint => {
                self.save()?;
                self.note(format!("checkpoint written after step {step}"));
            }
            Command::SetLr(lr) => {
                self.tell();
                self.schedule.set(self.progress.epoch, lr);
                self.progress.base_lr = self.schedule.base;
                self.note(format!("learning rate set to {lr} after step {step}"));
            }
            Command::Pause | Command::Resume | Command::Stop => {}
        }
        Ok(Flow::On)
    }

    fn next_command(&mut self) -> Option<Command> {
        self.waiting.pop_front().or_else(|| self.reporter.command())
    }
}
