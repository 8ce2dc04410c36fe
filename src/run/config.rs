//! The user's own settings: `config.toml` in the config folder, over the defaults.
//!
//! Command line options lie over both; the commands see to that.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::{RunError, at};
use crate::private;

/// Largest config file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// The settings. A key that is not listed here is an error that names it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Name of a built-in theme; nothing means the one chosen last in the app.
    pub theme: Option<String>,
    /// Names for data sets: what `--data NAME` stands for. Relative paths start at the config folder.
    pub data: BTreeMap<String, PathBuf>,
    /// Keys by the name of the app's command: one, or a list.
    #[serde(deserialize_with = "one_or_more")]
    pub keys: BTreeMap<String, Vec<String>>,
}

fn one_or_more<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<String, Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "a key is given as text, several as a list of texts"
    )]
    enum Keys {
        One(String),
        More(Vec<String>),
    }
    let read = BTreeMap::<String, Keys>::deserialize(from)?;
    let list = read.into_iter().map(|(command, keys)| match keys {
        Keys::One(key) => (command, vec![key]),
        Keys::More(keys) => (command, keys),
    });
    Ok(list.collect())
}

impl Config {
    /// Reads the file at `path` over the defaults; no file means the defaults.
    pub(super) fn read(path: &Path) -> Result<Self, RunError> {
        let text = match private::read_small(path, LARGEST) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            // A config file may well be a link into a folder of dotfiles.
            Err(_) if path.is_symlink() => {
                let target = path.canonicalize().map_err(at("reading", path))?;
                private::read_small(&target, LARGEST).map_err(at("reading", path))?
            }
            Err(e) => return Err(at("reading", path)(e)),
        };
        let mut config = Self::parse(&text).map_err(|cause| RunError::Config {
            path: path.to_owned(),
            cause,
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for place in config.data.values_mut() {
            *place = resolve(folder, place);
        }
        Ok(config)
    }

    fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|e| describe(&e, text))
    }
}

/// One line from TOML's error, which is a picture of several.
pub(super) fn describe(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().map(|span| {
        let before = &text.as_bytes()[..span.start.min(text.len())];
        before.iter().filter(|&&b| b == b'\n').count() + 1
    });
    let said = error.message().replace('\n', ", ");
    match line {
        Some(line) => format!("line {line}: {said}"),
        None => said,
    }
}

/// `~/x` lies in the user's home folder, any other relative path in `folder`.
fn resolve(folder: &Path, path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), directories::BaseDirs::new()) {
        (Ok(rest), Some(base)) => base.home_dir().join(rest),
        _ => folder.join(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_lies_over_the_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(
            &path,
            "theme = \"light\"\n[data]\ncifar = \"c10\"\nabs = \"/d\"\n",
        )
        .unwrap();
        let config = Config::read(&path).unwrap();
        assert_eq!(config.theme.as_deref(), Some("light"));
        assert_eq!(config.data["cifar"], dir.path().join("c10"));
        assert_eq!(config.data["abs"], Path::new("/d"));
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let error = Config::parse("theme = \"dark\"\nthme = \"light\"\n").unwrap_err();
        assert!(
            error.contains("thme") && error.contains("line 2"),
            "{error}"
        );
        let error = Config::parse("[date]\ncifar = \"x\"\n").unwrap_err();
        assert!(error.contains("date"), "{error}");
    }

    #[test]
    fn a_command_has_one_key_or_several() {
        let config = Config::parse("[keys]\nquit = \"x\"\nhelp = [\"?\", \"f1\"]\n").unwrap();
        assert_eq!(config.keys["quit"], ["x"]);
        assert_eq!(config.keys["help"], ["?", "f1"]);
        let error = Config::parse("[keys]\nquit = 1\n").unwrap_err();
        assert!(error.contains("list of texts"), "{error}");
    }
}
