//! The folders that the program keeps its things in.

use std::path::{Path, PathBuf};

use super::config::Config;
use super::error::{RunError, at};
use crate::private;

/// Names the folder that holds config, cache and runs in place of the user's own.
const HOME_VARIABLE: &str = "HYPERSCOPE_HOME";

/// Where config, cache and runs lie. Making one touches no disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    config: PathBuf,
    cache: PathBuf,
    runs: PathBuf,
}

impl Home {
    /// `$HYPERSCOPE_HOME/{config,cache,runs}` if that variable is set, otherwise the operating
    /// system's folders for this user.
    ///
    /// # Errors
    /// If neither the variable nor a home folder of the user is known.
    pub fn find() -> Result<Self, RunError> {
        match std::env::var_os(HOME_VARIABLE) {
            Some(folder) if !folder.is_empty() => Ok(Self::at(Path::new(&folder))),
            _ => {
                let folders =
                    directories::ProjectDirs::from("", "", "hyperscope").ok_or(RunError::NoHome)?;
                Ok(Self {
                    config: folders.config_dir().to_owned(),
                    cache: folders.cache_dir().to_owned(),
                    runs: folders.data_dir().join("runs"),
                })
            }
        }
    }

    /// All three below one folder. A relative `folder` is taken from the working directory of now.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        Self {
            config: folder.join("config"),
            cache: folder.join("cache"),
            runs: folder.join("runs"),
        }
    }

    /// The folder of the config file and the user's themes.
    #[must_use]
    pub fn config_folder(&self) -> &Path {
        &self.config
    }

    /// The folder of GHNs at hand and of device leases.
    #[must_use]
    pub fn cache_folder(&self) -> &Path {
        &self.cache
    }

    /// The folder of runs.
    #[must_use]
    pub fn runs_folder(&self) -> &Path {
        &self.runs
    }

    /// The user's settings over the defaults.
    ///
    /// # Errors
    /// If the config file exists but cannot be read or says something unknown; the message names the key.
    pub fn config(&self) -> Result<Config, RunError> {
        Config::read(&self.config.join("config.toml"))
    }

    /// Makes the runs folder, for its owner only, if it is missing.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn make_runs_folder(&self) -> Result<&Path, RunError> {
        private::make_all_private(&self.runs).map_err(at("making the runs folder", &self.runs))?;
        Ok(&self.runs)
    }

    /// Makes the cache folder, for its owner only, if it is missing.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn make_cache_folder(&self) -> Result<&Path, RunError> {
        private::make_all_private(&self.cache)
            .map_err(at("making the cache folder", &self.cache))?;
        Ok(&self.cache)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_that_cannot_be_made_is_named_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = Home::at(&file).make_runs_folder().unwrap_err().to_string();
        assert!(error.contains("making the runs folder"), "{error}");
        assert!(error.contains(&file.display().to_string()), "{error}");
        assert!(error.contains("HYPERSCOPE_HOME"), "{error}");
    }

    #[test]
    fn a_home_without_config_file_has_the_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let config = Home::at(dir.path()).config().unwrap();
        assert_eq!(config, Config::default());
    }
}
