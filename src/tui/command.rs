//! Everything that a key can do, by name. Hints, help, palette and keymap are all made from this
//! table, so none of them can tell another story.

use super::panels::PanelId;

/// Something that a key or the palette asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Command {
    // The app itself.
    Leave,
    Quit,
    Help,
    Palette,
    Architectures,
    Parameters,
    Shift,
    Runs,
    Ghns,
    NextTheme,
    NextGlyphs,
    Redraw,
    Suspend,
    RestartEngine,
    // Moving about; every panel gives them its own sense.
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    First,
    Last,
    Open,
    Back,
    Toggle,
    NextPane,
    PreviousPane,
    Filter,
    Copy,
    // Architectures.
    ArchBars,
    ArchClasses,
    ArchSide,
    ArchUnfold,
    ArchDiff,
    ArchSwap,
    ArchNextChange,
    ArchPreviousChange,
    // Shift.
    ShiftCompare,
    ShiftSwap,
    // Runs.
    RunPause,
    RunResume,
    RunStop,
    RunOnly,
    RunBands,
    RunSmooth,
    RunXAxis,
    RunLogX,
    RunLogY,
    RunClip,
    RunSplit,
    RunZoomIn,
    RunZoomOut,
    RunPanLeft,
    RunPanRight,
    RunShowAll,
    RunLog,
    RunDiff,
    // GHNs.
    GhnUse,
    GhnEvaluate,
    GhnCancel,
    GhnOpen,
    GhnNextEvaluation,
    // Parameters.
    Predict,
    PostProcess,
    PostFromHere,
    CancelWork,
    WriteWeights,
    FineTune,
    SortTable,
}

/// Where a command means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Everywhere,
    Panel(PanelId),
}

/// One command: its stable name for the config file, what it does in words, its keys by default.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    pub command: Command,
    pub name: &'static str,
    pub title: &'static str,
    pub scope: Scope,
    pub keys: &'static [&'static str],
}

const fn spec(
    scope: Scope,
    command: Command,
    name: &'static str,
    title: &'static str,
    keys: &'static [&'static str],
) -> Spec {
    Spec {
        command,
        name,
        title,
        scope,
        keys,
    }
}

const ALL: Scope = Scope::Everywhere;
const ARCH: Scope = Scope::Panel(PanelId::Architectures);
const PARAM: Scope = Scope::Panel(PanelId::Parameters);
const SHIFT: Scope = Scope::Panel(PanelId::Shift);
const RUNS: Scope = Scope::Panel(PanelId::Runs);
const GHNS: Scope = Scope::Panel(PanelId::Ghns);

/// Every command, in the order in which help and palette list them.
#[rustfmt::skip]
pub const SPECS: &[Spec] = &[
    spec(ARCH, Command::ArchBars, "arch.bars", "Bars show MACs or parameters", &["m"]),
    spec(ARCH, Command::ArchClasses, "arch.classes", "Set the number of classes", &["c"]),
    spec(ARCH, Command::ArchSide, "arch.side", "Set the image size", &["i"]),
    spec(ARCH, Command::ArchUnfold, "arch.unfold", "Open or close all modules", &["z"]),
    spec(ARCH, Command::ArchDiff, "arch.diff", "Compare with another network", &["d"]),
    spec(ARCH, Command::ArchSwap, "arch.swap", "Swap the two that are compared", &["x"]),
    spec(ARCH, Command::ArchNextChange, "arch.next-change", "To the next difference", &["n"]),
    spec(ARCH, Command::ArchPreviousChange, "arch.previous-change", "To the difference before", &["N"]),

    spec(PARAM, Command::Predict, "param.predict", "Predict parameters", &["enter"]),
    spec(PARAM, Command::PostProcess, "param.post", "Post-process the prediction", &["p"]),
    spec(PARAM, Command::PostFromHere, "param.from-here", "Post-process from this tensor on", &["o"]),
    spec(PARAM, Command::CancelWork, "param.cancel", "Cancel the work in progress", &["c"]),
    spec(PARAM, Command::WriteWeights, "param.write", "Write weights to a file", &["w"]),
    spec(PARAM, Command::FineTune, "param.finetune", "Fine-tune from here", &["f"]),
    spec(PARAM, Command::SortTable, "param.sort", "Sort the table by the next column", &["s"]),

    spec(SHIFT, Command::ShiftCompare, "shift.compare", "Compare with another network", &["d"]),
    spec(SHIFT, Command::ShiftSwap, "shift.swap", "Swap the two that are compared", &["x"]),

    spec(RUNS, Command::RunPause, "run.pause", "Pause the run", &["p"]),
    spec(RUNS, Command::RunResume, "run.resume", "Resume the run", &["r"]),
    spec(RUNS, Command::RunStop, "run.stop", "Stop the run (asks)", &["s"]),
    spec(RUNS, Command::RunLog, "run.log", "Log of the run", &["o"]),
    spec(RUNS, Command::RunDiff, "run.diff", "Compare with another run's request", &["d"]),
    spec(RUNS, Command::RunOnly, "run.only", "Draw only the selected run", &["u"]),
    spec(RUNS, Command::RunBands, "run.bands", "Seeds of the experiment as means with bands", &["b"]),
    spec(RUNS, Command::RunSmooth, "run.smooth", "Smooth curves more, then not at all", &["m"]),
    spec(RUNS, Command::RunXAxis, "run.x-axis", "Step, epoch or time on the x axis", &["x"]),
    spec(RUNS, Command::RunLogX, "run.log-x", "Logarithmic x axis", &["X"]),
    spec(RUNS, Command::RunLogY, "run.log-y", "Logarithmic y axis of this chart", &["L"]),
    spec(RUNS, Command::RunClip, "run.clip", "Outliers of this chart off or on scale", &["c"]),
    spec(RUNS, Command::RunSplit, "run.split", "Training, validation or test images", &["t"]),
    spec(RUNS, Command::RunZoomIn, "run.zoom-in", "Zoom in", &["+", "="]),
    spec(RUNS, Command::RunZoomOut, "run.zoom-out", "Zoom out", &["-"]),
    spec(RUNS, Command::RunPanLeft, "run.pan-left", "Move the view left", &["<", "["]),
    spec(RUNS, Command::RunPanRight, "run.pan-right", "Move the view right", &[">", "]"]),
    spec(RUNS, Command::RunShowAll, "run.show-all", "Show all, follow new points", &["0"]),

    spec(GHNS, Command::GhnUse, "ghn.use", "Predict with this GHN", &["p"]),
    spec(GHNS, Command::GhnEvaluate, "ghn.evaluate", "Evaluate this GHN", &["e"]),
    spec(GHNS, Command::GhnCancel, "ghn.cancel", "Cancel the evaluation in progress", &["c"]),
    spec(GHNS, Command::GhnOpen, "ghn.open", "Open a large checkpoint, or try again", &["o"]),
    spec(GHNS, Command::GhnNextEvaluation, "ghn.next-evaluation", "Another evaluation of this GHN", &["n"]),

    spec(ALL, Command::Up, "up", "Up", &["up", "k"]),
    spec(ALL, Command::Down, "down", "Down", &["down", "j"]),
    spec(ALL, Command::Left, "left", "Left, close, less", &["left", "h"]),
    spec(ALL, Command::Right, "right", "Right, open, more", &["right", "l"]),
    spec(ALL, Command::PageUp, "page-up", "A page up", &["pageup", "ctrl-u"]),
    spec(ALL, Command::PageDown, "page-down", "A page down", &["pagedown", "ctrl-d"]),
    spec(ALL, Command::First, "first", "To the first", &["home", "g"]),
    spec(ALL, Command::Last, "last", "To the last", &["end", "G"]),
    spec(ALL, Command::Open, "open", "Open or choose", &["enter"]),
    spec(ALL, Command::Toggle, "toggle", "Change or mark", &["space"]),
    spec(ALL, Command::Back, "back", "Back", &["esc"]),
    spec(ALL, Command::NextPane, "next-pane", "Next pane", &["tab"]),
    spec(ALL, Command::PreviousPane, "previous-pane", "Previous pane", &["shift-tab"]),
    spec(ALL, Command::Filter, "filter", "Filter the list", &["/"]),
    spec(ALL, Command::Copy, "copy", "Copy the name under the cursor", &["y"]),
    spec(ALL, Command::Architectures, "panel.architectures", "Architectures", &["1"]),
    spec(ALL, Command::Parameters, "panel.parameters", "Parameters", &["2"]),
    spec(ALL, Command::Shift, "panel.shift", "Shift", &["3"]),
    spec(ALL, Command::Runs, "panel.runs", "Runs", &["4"]),
    spec(ALL, Command::Ghns, "panel.ghns", "GHNs", &["5"]),
    spec(ALL, Command::Palette, "palette", "Find a command", &[":"]),
    spec(ALL, Command::Help, "help", "Keys of this panel", &["?"]),
    spec(ALL, Command::NextTheme, "theme", "Next theme", &["ctrl-t"]),
    spec(ALL, Command::NextGlyphs, "glyphs", "Next set of characters (braille, blocks, ASCII)", &["ctrl-g"]),
    spec(ALL, Command::RestartEngine, "engine.restart", "Restart the engine", &["ctrl-e"]),
    spec(ALL, Command::Redraw, "redraw", "Draw the screen anew", &["ctrl-l"]),
    spec(ALL, Command::Suspend, "suspend", "Suspend the app", &["ctrl-z"]),
    spec(ALL, Command::Leave, "leave", "Leave what is open; at the top, quit", &["q"]),
    spec(ALL, Command::Quit, "quit", "Quit (runs go on)", &["Q", "ctrl-c"]),
];

impl Command {
    /// The command's line in the table.
    #[must_use]
    pub fn spec(self) -> &'static Spec {
        SPECS
            .iter()
            .find(|s| s.command == self)
            .expect("a test holds that every command is in the table")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_command_is_listed() {
        let mut names: Vec<_> = SPECS.iter().map(|s| s.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SPECS.len());
        // The last variant: all before it are numbered below.
        let last = Command::SortTable as usize;
        assert_eq!(SPECS.len(), last + 1, "a command is missing in SPECS");
    }
}
