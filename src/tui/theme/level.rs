//! How many colours the terminal understands, decided once from the environment.

/// How many colours may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// No colour at all: bold, reverse and words only.
    None,
    /// The terminal's own sixteen.
    Ansi16,
    Ansi256,
    /// 24-bit colour.
    True,
}

/// What the decision rests on; a value, so that it can be tested.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    pub term: String,
    pub colorterm: String,
    pub no_color: bool,
    /// `COLORFGBG`, which some terminals set to `foreground;background`.
    pub colorfgbg: String,
    /// The first of `LC_ALL`, `LC_CTYPE`, `LANG` that is not empty.
    pub locale: String,
}

impl Environment {
    /// The process's own environment.
    #[must_use]
    pub fn current() -> Self {
        let var = |name: &str| std::env::var(name).unwrap_or_default();
        Self {
            term: var("TERM"),
            colorterm: var("COLORTERM"),
            no_color: !var("NO_COLOR").is_empty(),
            colorfgbg: var("COLORFGBG"),
            locale: ["LC_ALL", "LC_CTYPE", "LANG"]
                .into_iter()
                .map(var)
                .find(|v| !v.is_empty())
                .unwrap_or_default(),
        }
    }

    /// Name of the built-in theme that suits the terminal's background, as far as it is known.
    #[must_use]
    pub fn theme(&self) -> &'static str {
        let background = self.colorfgbg.rsplit(';').next().unwrap_or_default();
        match background.parse::<u8>() {
            Ok(7 | 15) => "light",
            _ => "dark",
        }
    }
}

impl Level {
    /// From poor to rich.
    #[cfg(test)]
    pub const ALL: [Self; 4] = [Self::None, Self::Ansi16, Self::Ansi256, Self::True];

    /// The level that an environment allows.
    #[must_use]
    pub fn of(environment: &Environment) -> Self {
        let term = environment.term.as_str();
        if environment.no_color || term.is_empty() || term == "dumb" {
            Self::None
        } else if matches!(environment.colorterm.as_str(), "truecolor" | "24bit")
            || term.ends_with("-direct")
        {
            Self::True
        } else if term.ends_with("-256color") {
            Self::Ansi256
        } else {
            Self::Ansi16
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(term: &str, colorterm: &str, no_color: bool) -> Level {
        Level::of(&Environment {
            term: term.into(),
            colorterm: colorterm.into(),
            no_color,
            ..Environment::default()
        })
    }

    #[test]
    fn the_environment_decides_the_level() {
        assert_eq!(level("xterm-256color", "truecolor", false), Level::True);
        assert_eq!(level("xterm-direct", "", false), Level::True);
        assert_eq!(level("tmux-256color", "", false), Level::Ansi256);
        assert_eq!(level("linux", "", false), Level::Ansi16);
        assert_eq!(level("dumb", "", false), Level::None);
        assert_eq!(level("xterm-256color", "truecolor", true), Level::None);
    }

    #[test]
    fn a_light_background_asks_for_the_light_theme() {
        let on = |colorfgbg: &str| Environment {
            colorfgbg: colorfgbg.into(),
            ..Environment::default()
        };
        assert_eq!(on("0;15").theme(), "light");
        assert_eq!(on("15;0").theme(), "dark");
        assert_eq!(on("").theme(), "dark");
    }
}
