//! Which key asks for which command, in which panel.

use std::collections::{BTreeMap, HashMap};

use thiserror::Error;

use super::command::{Command, SPECS, Scope, Spec};
use super::key::Key;
use super::panels::PanelId;

/// Why the `[keys]` of a config file cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum KeymapError {
    #[error("[keys]: there is no command called \"{0}\"; the palette (:) lists all of them")]
    UnknownCommand(String),
    #[error("[keys] {command}: {reason}")]
    BadKey { command: String, reason: String },
    #[error("[keys]: {key} is given to both {first} and {second}; give one of them another key")]
    Clash {
        key: String,
        first: &'static str,
        second: &'static str,
    },
}

/// The keys in force.
#[derive(Clone, Debug)]
pub struct Keymap {
    keys: HashMap<Command, Vec<Key>>,
}

impl Default for Keymap {
    fn default() -> Self {
        Self::with(&BTreeMap::new()).expect("a test holds that the default keys do not clash")
    }
}

impl Keymap {
    /// The default keys, those of the commands named in `overrides` replaced.
    ///
    /// # Errors
    /// A name or key that does not exist; two commands on one key.
    pub fn with(overrides: &BTreeMap<String, Vec<String>>) -> Result<Self, KeymapError> {
        if let Some(name) = overrides
            .keys()
            .find(|name| SPECS.iter().all(|s| s.name != name.as_str()))
        {
            return Err(KeymapError::UnknownCommand(name.clone()));
        }
        let mut keys = HashMap::new();
        for spec in SPECS {
            let given = match overrides.get(spec.name) {
                Some(own) => parse(spec.name, own.iter().map(String::as_str))?,
                None => parse(spec.name, spec.keys.iter().copied())?,
            };
            keys.insert(spec.command, given);
        }
        let map = Self { keys };
        map.check_clashes()?;
        Ok(map)
    }

    /// Two commands may share a key only if they never mean something at the same time, or if one
    /// is a panel's own sense of a key that moves or opens.
    fn check_clashes(&self) -> Result<(), KeymapError> {
        for (i, a) in SPECS.iter().enumerate() {
            for b in &SPECS[i + 1..] {
                let shared = self
                    .keys(a.command)
                    .iter()
                    .find(|k| self.keys(b.command).contains(k));
                if let Some(key) = shared.filter(|_| meet(a, b)) {
                    return Err(KeymapError::Clash {
                        key: key.to_string(),
                        first: a.name,
                        second: b.name,
                    });
                }
            }
        }
        Ok(())
    }

    /// The command that `key` asks for in `panel`: the panel's own first.
    #[must_use]
    pub fn command(&self, panel: PanelId, key: Key) -> Option<Command> {
        let find = |scope: Scope| {
            SPECS
                .iter()
                .find(|s| s.scope == scope && self.keys(s.command).contains(&key))
                .map(|s| s.command)
        };
        find(Scope::Panel(panel)).or_else(|| find(Scope::Everywhere))
    }

    /// Keys of a command, the one to show first.
    #[must_use]
    pub fn keys(&self, command: Command) -> &[Key] {
        self.keys.get(&command).map_or(&[], Vec::as_slice)
    }
}

/// Whether both commands can be asked for in the same place.
fn meet(a: &Spec, b: &Spec) -> bool {
    let overrides_open = |s: &Spec| matches!(s.command, Command::Open);
    match (a.scope, b.scope) {
        (Scope::Panel(x), Scope::Panel(y)) => x == y,
        (Scope::Everywhere, Scope::Everywhere) => true,
        _ => !overrides_open(a) && !overrides_open(b),
    }
}

fn parse<'a>(command: &str, keys: impl Iterator<Item = &'a str>) -> Result<Vec<Key>, KeymapError> {
    keys.map(|text| {
        text.parse().map_err(|reason| KeymapError::BadKey {
            command: command.to_owned(),
            reason,
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_keys_do_not_clash() {
        assert_eq!(
            Keymap::with(&BTreeMap::new())
                .map(|_| ())
                .map_err(|e| e.to_string()),
            Ok(())
        );
    }

    #[test]
    fn a_clash_names_both_commands() {
        let overrides = BTreeMap::from([("help".to_owned(), vec!["q".to_owned()])]);
        let error = Keymap::with(&overrides).unwrap_err().to_string();
        assert!(error.contains("help") && error.contains("leave"), "{error}");
    }

    #[test]
    fn a_panel_gives_enter_its_own_sense() {
        let map = Keymap::default();
        let enter = "enter".parse().unwrap();
        assert_eq!(
            map.command(PanelId::Parameters, enter),
            Some(Command::Predict)
        );
        assert_eq!(map.command(PanelId::Runs, enter), Some(Command::Open));
    }
}
