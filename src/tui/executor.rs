//! Carries out what `update` asked for, on tasks and threads that answer with messages.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::catalogue::{ArchReport, Surveyed};
use super::effect::Effect;
use super::engine_client::EngineClient;
use super::msg::Msg;
use super::panels::runs::Reader;
use super::state_file::Remembered;
use super::{clipboard, launch};

/// What the executor needs to know about the outside.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The program that engine and runs are started from: this one.
    pub program: PathBuf,
    /// Arguments for every child, such as `--threads 2`.
    pub arguments: Vec<String>,
    /// Folder of the runs.
    pub runs: PathBuf,
    /// Where the selection is kept.
    pub state_file: Option<PathBuf>,
}

/// Carries effects out.
pub struct Executor {
    surroundings: Surroundings,
    news: UnboundedSender<Msg>,
    engine: EngineClient,
    keeper: std::sync::mpsc::Sender<Remembered>,
    runs: Reader,
}

impl Executor {
    /// An executor that answers to `news`.
    #[must_use]
    pub fn new(surroundings: Surroundings, news: UnboundedSender<Msg>) -> Self {
        Self {
            engine: EngineClient::new(&surroundings, news.clone()),
            keeper: keep_state(surroundings.state_file.clone(), news.clone()),
            runs: Reader::new(&surroundings.runs, news.clone()),
            surroundings,
            news,
        }
    }

    /// Begins one effect; never waits.
    pub fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::StartEngine => self.engine.start(),
            Effect::RestartEngine => self.engine.restart(),
            Effect::Ask(request) => self.engine.ask(&request),
            Effect::Build(spec) => self.on_thread(move || {
                let built = ArchReport::build(&spec).map(Arc::new);
                Msg::Built(spec, built)
            }),
            Effect::Survey { classes, side } => {
                self.on_thread(move || Msg::Surveyed(Surveyed::of(classes, side)));
            }
            Effect::Launch(arguments) => {
                launch::finetune(&self.surroundings, arguments, self.news.clone());
            }
            Effect::Copy(text) => {
                if let Err(reason) = clipboard::copy(&text) {
                    let _ = self.news.send(Msg::Trouble(format!("copying: {reason}")));
                }
            }
            Effect::Remember(state) => {
                // The keeper is gone only if no state is kept at all.
                let _ = self.keeper.send(*state);
            }
            Effect::Runs(effect) => self.runs.carry_out(effect),
            // The event loop does these itself.
            Effect::Quit | Effect::Suspend | Effect::Redraw => {}
        }
    }

    fn on_thread(&self, work: impl FnOnce() -> Msg + Send + 'static) {
        let news = self.news.clone();
        tokio::task::spawn_blocking(move || {
            // Nobody listens any more only while the app ends.
            let _ = news.send(work());
        });
    }

    /// Ends the engine child.
    pub fn end(&mut self) {
        self.engine.end();
    }
}

/// Writes states one after the other on a thread of its own, only the newest of those waiting.
fn keep_state(
    path: Option<PathBuf>,
    news: UnboundedSender<Msg>,
) -> std::sync::mpsc::Sender<Remembered> {
    let (keeper, states) = std::sync::mpsc::channel::<Remembered>();
    let Some(path) = path else { return keeper };
    std::thread::spawn(move || {
        while let Ok(mut state) = states.recv() {
            while let Ok(newer) = states.try_recv() {
                state = newer;
            }
            if let Err(error) = state.write(&path) {
                let text = format!("keeping the selection in {}: {error}", path.display());
                let _ = news.send(Msg::Trouble(text));
                return;
            }
        }
    });
    keeper
}
