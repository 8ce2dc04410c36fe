//! The app: panels over the terminal. Draws state; computes nothing heavy and holds no tensors.
//!
//! One [`App`] value holds everything; whatever happens becomes a [`Msg`]; [`update`](update::update)
//! changes the state and says what must be done outside as [`Effect`]s; [`view`](view::view) only
//! reads. The [event loop](event_loop) joins them to the terminal, the [executor] to files and children.

mod app;
mod catalogue;
pub mod charts;
mod clipboard;
mod command;
mod dialog;
mod effect;
mod engine_client;
mod engine_state;
mod event_loop;
mod executor;
mod glyphs;
mod help;
mod input;
mod kept;
mod key;
mod keymap;
mod launch;
mod msg;
mod output;
mod overlay;
mod palette;
mod panels;
mod selection;
mod shared;
mod state_file;
mod terminal;
mod theme;
mod update;
mod view;
mod widgets;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use thiserror::Error;

pub use selection::Selection;

use app::App;
use command::Command;
use event_loop::{End, EventLoop};
use executor::{Executor, Surroundings};
use glyphs::{GlyphSet, Glyphs};
use keymap::{Keymap, KeymapError};
use msg::Msg;
use panels::PanelId;
use shared::{Look, Shared};
use state_file::Remembered;
use theme::{Environment, Level, Theme, ThemeError};

/// What the app is opened with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Colours: `auto`, `always`, `never`, `16`, `256` or `truecolor`; nothing means `auto`.
    pub color: Option<String>,
    /// A theme's name; nothing means the one used last, or the one that suits the terminal.
    pub theme: Option<String>,
    /// Folder of the user's own themes.
    pub themes: Option<PathBuf>,
    /// `[keys]` of the config file: keys by command name.
    pub keys: BTreeMap<String, Vec<String>>,
    /// Where the selection is kept between starts; nothing means nowhere.
    pub state_file: Option<PathBuf>,
    /// Folder of the runs.
    pub runs: PathBuf,
    /// Arguments for every child process, such as `["--threads", "2"]`.
    pub child_arguments: Vec<String>,
    /// Begin in the Parameters panel with this selection instead of the one used last; predict and
    /// post-process at once.
    pub predict: Option<Selection>,
    /// Begin in the Runs panel with this run selected.
    pub run: Option<PathBuf>,
}

/// Why the app could not be opened.
#[derive(Debug, Error)]
pub enum TuiError {
    #[error(
        "the app needs a terminal on standard input and output; without one, use the commands that `hyperscope --help` lists"
    )]
    NoTerminal,
    #[error("--color takes auto, always, never, 16, 256 or truecolor, not \"{0}\"")]
    Color(String),
    #[error(transparent)]
    Theme(#[from] ThemeError),
    #[error(transparent)]
    Keymap(#[from] KeymapError),
    #[error("finding this program's own file, to start the engine from it: {0}")]
    Program(#[source] io::Error),
    #[error("using the terminal: {0}")]
    Terminal(#[from] io::Error),
}

/// Opens the app and comes back when it is left. If the terminal goes away, the process ends here.
///
/// # Errors
/// No terminal, an unknown theme or key, or a terminal that cannot be used.
pub fn run(options: Options) -> Result<(), TuiError> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(TuiError::NoTerminal);
    }
    let app = open(&options, &Environment::current())?;
    let surroundings = Surroundings {
        program: std::env::current_exe().map_err(TuiError::Program)?,
        arguments: options.child_arguments.clone(),
        runs: options.runs.clone(),
        state_file: options.state_file.clone(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let end = runtime.block_on(async {
        let (news, inbox) = tokio::sync::mpsc::unbounded_channel();
        let executor = Executor::new(surroundings, news);
        let mut event_loop = EventLoop::new(app, executor, inbox)?;
        let first = options.predict.iter();
        let first = first.map(|_| Msg::Perform(Command::PostProcess)).collect();
        let end = event_loop.run(first).await;
        event_loop.end().await;
        end
    });
    terminal::give_back();
    // Threads that still build or write must not hold up the end.
    runtime.shutdown_background();
    match end {
        Ok(End::Quit) => Ok(()),
        Ok(End::HungUp) => std::process::exit(0),
        Err(error) => Err(error.into()),
    }
}

/// The app as it stands before the first frame.
fn open(options: &Options, environment: &Environment) -> Result<App, TuiError> {
    let remembered = options
        .state_file
        .as_deref()
        .map(Remembered::read)
        .unwrap_or_default();
    let level = level(options.color.as_deref(), environment)?;
    let look = Look {
        theme: theme(options, &remembered, environment, level)?,
        level,
        glyphs: Glyphs::of(GlyphSet::of(environment)),
    };
    let mut selection = remembered.selection.clone();
    if let Some(begin) = &options.predict {
        selection.clone_from(begin);
    }
    let mut shared = Shared::new(look, Keymap::with(&options.keys)?, selection);
    if options.predict.is_some() {
        shared.front = PanelId::Parameters;
    }
    if options.run.is_some() {
        shared.front = PanelId::Runs;
    }
    let mut app = App::new(shared, remembered);
    if let Some(run) = &options.run {
        app.runs.await_run(run);
    }
    Ok(app)
}

fn level(wish: Option<&str>, environment: &Environment) -> Result<Level, TuiError> {
    Ok(match wish.unwrap_or("auto") {
        "auto" => Level::of(environment),
        "always" => Level::of(environment).max(Level::Ansi16),
        "never" => Level::None,
        "16" => Level::Ansi16,
        "256" => Level::Ansi256,
        "truecolor" => Level::True,
        other => return Err(TuiError::Color(other.to_owned())),
    })
}

/// The theme asked for; else the one used last, as long as it still exists; else the one that suits.
fn theme(
    options: &Options,
    remembered: &Remembered,
    environment: &Environment,
    level: Level,
) -> Result<Theme, ThemeError> {
    if let Some(name) = &options.theme {
        return Theme::named(name, level, options.themes.as_deref());
    }
    let last = remembered.theme.as_deref();
    let known = last.filter(|name| Theme::names().any(|n| n == *name));
    Theme::built_in(known.unwrap_or_else(|| environment.theme()), level)
}

#[cfg(test)]
mod tests;
