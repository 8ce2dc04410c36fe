//! Colours by meaning. A theme file names a colour for each token at three levels of terminal; it is
//! resolved once into plain [`Style`]s, which is all that panels see.

mod level;
mod ramp;
mod token;

use std::ffi::OsStr;
use std::path::Path;

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;
use thiserror::Error;

pub use level::{Environment, Level};
use token::Token;

/// Number of colours for series: runs, sides of a comparison.
pub const SERIES: usize = 8;

/// Themes that the binary carries: name and text.
const BUILT_IN: &[(&str, &str)] = &[
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
];

/// Why a theme cannot be used.
#[derive(Debug, Error)]
pub enum ThemeError {
    #[error("there is no theme called \"{name}\"; the themes are {known}")]
    Unknown { name: String, known: String },
    #[error("reading theme {origin}: {reason}")]
    Bad { origin: String, reason: String },
}

/// A theme as its file states it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    ground: Token,
    text: Token,
    dim: Token,
    faint: Token,
    line: Token,
    accent: Token,
    accent_text: Token,
    selection: Token,
    good: Token,
    warning: Token,
    bad: Token,
    series: [Token; SERIES],
}

/// Styles by meaning, ready to use.
#[derive(Clone, Debug, PartialEq)]
pub struct Theme {
    pub name: String,
    /// The whole screen before anything is drawn.
    pub ground: Style,
    /// Values and names: what one came to read.
    pub text: Style,
    /// Labels, units, what explains the values.
    pub dim: Style,
    /// What is there but not in use: empty states, past values.
    pub faint: Style,
    /// Lines between panes.
    pub line: Style,
    /// The one accent.
    pub accent: Style,
    /// Title of the pane that has the focus.
    pub title: Style,
    /// Title of the other panes.
    pub title_idle: Style,
    /// Text on the accent, such as the panel in front.
    pub badge: Style,
    /// The row under the cursor in the focused pane.
    pub selection: Style,
    /// The row under the cursor in another pane.
    pub selection_idle: Style,
    pub good: Style,
    pub warning: Style,
    pub bad: Style,
    /// From -1 over 0 to 1, for heat maps; empty where there are too few colours.
    pub ramp: Vec<Color>,
    series: [Style; SERIES],
}

impl Theme {
    /// The row under the cursor.
    #[must_use]
    pub const fn cursor(&self, focused: bool) -> Style {
        if focused {
            self.selection
        } else {
            self.selection_idle
        }
    }

    /// The built-in theme called `name`, resolved for `level`.
    ///
    /// # Errors
    /// [`ThemeError::Unknown`] with the names that exist.
    pub fn built_in(name: &str, level: Level) -> Result<Self, ThemeError> {
        let Some((_, text)) = BUILT_IN.iter().find(|(n, _)| *n == name) else {
            return Err(ThemeError::Unknown {
                name: name.to_owned(),
                known: Self::names().collect::<Vec<_>>().join(", "),
            });
        };
        Self::parse(text, &format!("{name} (built in)"), level)
    }

    /// The theme called `name`: a built-in one, else `name.toml` in the user's own folder.
    ///
    /// # Errors
    /// [`ThemeError`] if there is none, or its file cannot be used.
    pub fn named(name: &str, level: Level, own: Option<&Path>) -> Result<Self, ThemeError> {
        if Self::names().any(|known| known == name) {
            return Self::built_in(name, level);
        }
        let is_plain = Path::new(name).file_name() == Some(OsStr::new(name));
        let path = own
            .filter(|_| is_plain)
            .map(|own| own.join(format!("{name}.toml")));
        let Some(path) = path.filter(|path| path.is_file()) else {
            let own = own.map(|own| format!(", or a file NAME.toml in {}", own.display()));
            let known = Self::names().collect::<Vec<_>>().join(", ");
            return Err(ThemeError::Unknown {
                name: name.to_owned(),
                known: known + &own.unwrap_or_default(),
            });
        };
        let origin = path.display().to_string();
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, &origin, level),
            Err(error) => Err(ThemeError::Bad {
                origin,
                reason: error.to_string(),
            }),
        }
    }

    /// Names of the built-in themes.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// Reads a theme file's text; `origin` names it in messages.
    ///
    /// # Errors
    /// [`ThemeError::Bad`] with the place and the reason.
    pub fn parse(text: &str, origin: &str, level: Level) -> Result<Self, ThemeError> {
        let file: File = toml::from_str(text).map_err(|error| ThemeError::Bad {
            origin: origin.to_owned(),
            reason: error.to_string().trim().replace('\n', " "),
        })?;
        Ok(if level == Level::None {
            Self::colourless(file.name)
        } else {
            Self::resolve(&file, level)
        })
    }

    fn resolve(file: &File, level: Level) -> Self {
        let fg = |token: &Token| Style::new().fg(token.at(level));
        let accent = fg(&file.accent);
        Self {
            name: file.name.clone(),
            ground: Style::new()
                .fg(file.text.at(level))
                .bg(file.ground.at(level)),
            text: fg(&file.text),
            dim: fg(&file.dim),
            faint: fg(&file.faint),
            line: fg(&file.line),
            accent,
            title: accent.add_modifier(Modifier::BOLD),
            title_idle: fg(&file.dim),
            badge: Style::new()
                .fg(file.accent_text.at(level))
                .bg(file.accent.at(level))
                .add_modifier(Modifier::BOLD),
            selection: Style::new()
                .bg(file.selection.at(level))
                .add_modifier(Modifier::BOLD),
            selection_idle: Style::new().bg(file.selection.at(level)),
            good: fg(&file.good),
            warning: fg(&file.warning),
            bad: fg(&file.bad),
            ramp: ramp::diverging(
                file.series[1].at(Level::True),
                file.ground.at(Level::True),
                file.series[0].at(Level::True),
                level,
            ),
            series: std::array::from_fn(|i| fg(&file.series[i])),
        }
    }

    /// Selection is reverse video, focus is bold; everything else says what it means in words.
    fn colourless(name: String) -> Self {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        Self {
            name,
            ground: Style::new().fg(Color::Reset).bg(Color::Reset),
            text: plain,
            dim: plain,
            faint: plain,
            line: plain,
            accent: bold,
            title: bold,
            title_idle: plain,
            badge: plain.add_modifier(Modifier::REVERSED),
            selection: plain.add_modifier(Modifier::REVERSED),
            selection_idle: plain.add_modifier(Modifier::UNDERLINED),
            good: plain,
            warning: bold,
            bad: bold,
            ramp: Vec::new(),
            series: [plain; SERIES],
        }
    }

    /// Colour of series `index`, going round after [`SERIES`].
    #[must_use]
    pub const fn series(&self, index: usize) -> Style {
        self.series[index % SERIES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_theme_of_ones_own_is_found_by_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let (_, dark) = BUILT_IN[0];
        let text = dark.replace("\"dark\"", "\"mine\"");
        std::fs::write(folder.path().join("mine.toml"), text).unwrap();
        let own = Some(folder.path());
        assert_eq!(Theme::named("mine", Level::True, own).unwrap().name, "mine");
        for name in ["other", "../mine", ""] {
            let message = Theme::named(name, Level::True, own)
                .unwrap_err()
                .to_string();
            assert!(message.contains("dark, light"), "{message}");
        }
        std::fs::write(folder.path().join("torn.toml"), "name = ").unwrap();
        let message = Theme::named("torn", Level::True, own)
            .unwrap_err()
            .to_string();
        assert!(message.contains("torn.toml"), "{message}");
    }

    #[test]
    fn built_in_themes_resolve_at_every_level() {
        for name in Theme::names() {
            for level in Level::ALL {
                let theme = Theme::built_in(name, level).unwrap();
                assert_eq!(theme.name, name);
            }
        }
    }

    #[test]
    fn without_colour_no_style_names_one() {
        let theme = Theme::built_in("dark", Level::None).unwrap();
        for style in [theme.text, theme.accent, theme.selection, theme.series(3)] {
            assert_eq!((style.fg, style.bg), (None, None));
        }
        assert!(theme.selection.add_modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn an_unknown_key_in_a_theme_is_an_error_that_names_the_file() {
        let error = Theme::parse("name = \"x\"\nwarp = 1", "x.toml", Level::True).unwrap_err();
        assert!(error.to_string().contains("x.toml"), "{error}");
    }
}
