//! The styles that charts are drawn in.

use ratatui::style::Style;

/// Styles for everything in a chart but its lines. The default is a terminal's own colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Palette {
    /// Values and titles.
    pub text: Style,
    /// Tick labels, units.
    pub dim: Style,
    /// What should hardly be seen: the cursor's line, the unsmoothed curve.
    pub faint: Style,
    /// Axes and rules.
    pub line: Style,
    /// The title of the focused chart.
    pub accent: Style,
    /// Marks for NaN and infinity.
    pub bad: Style,
}
