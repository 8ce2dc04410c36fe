//! Checkpoint files of GHNs, and where they are looked for.

use std::path::{Path, PathBuf};

use directories::ProjectDirs;
use serde::Serialize;
use serde_json::Value;

use super::super::GhnError;
use super::super::hub::Release;
use super::{Config, DEFAULT, Ghn, UNTRAINED};
use crate::nn::StateDict;
use crate::nn::files::{Loaded, read_content, read_state};

/// A GHN at hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// What `--ghn` takes.
    pub name: String,
    /// Such as `GHN-2, 32 wide, 10 classes`, or why it cannot be used.
    pub description: String,
    pub trained: bool,
    /// None for those that are built in.
    pub path: Option<PathBuf>,
    pub bytes: Option<u64>,
}

/// Extensions of checkpoints, in order of preference.
const EXTENSIONS: [&str; 3] = ["safetensors", "pt", "pth"];

/// Key of the card among a file's free text.
pub const CARD: &str = "card";

/// Key of its evaluations among a file's free text: a JSON list of what `ghn eval --json` prints.
pub const EVALUATIONS: &str = "evaluations";

/// Larger checkpoints are listed without being opened.
pub const LARGEST_OPENED_BYTES: u64 = 64 << 20;

/// Those that are built in and the checkpoints in the cache folder, by name.
#[must_use]
pub fn list() -> Vec<Listed> {
    let built_in = |name: &str, description: String, trained| Listed {
        name: name.to_owned(),
        description,
        trained,
        path: None,
        bytes: None,
    };
    let carried = Ghn::built_in().map_or_else(|e| e.to_string(), |ghn| ghn.config().to_string());
    let untrained = format!("{}, random weights", Config::ghn2_cifar10());
    let mut all = vec![
        built_in(DEFAULT, carried, true),
        built_in(UNTRAINED, untrained, false),
    ];
    // A folder that does not exist yet holds no checkpoints.
    let entries = std::fs::read_dir(folder()).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .map(|e| e.path())
        .filter(|p| p.is_file() && is_checkpoint(p))
        .collect();
    let preference = |path: &PathBuf| {
        EXTENSIONS
            .iter()
            .position(|e| path.extension().is_some_and(|x| x == *e))
    };
    found.sort_by_key(|path| (stem(path), preference(path)));
    found.dedup_by_key(|path| stem(path));
    all.extend(found.into_iter().map(listed));
    all
}

fn listed(path: PathBuf) -> Listed {
    let bytes = std::fs::metadata(&path).map(|m| m.len()).ok();
    let description = if bytes.is_some_and(|b| b > LARGEST_OPENED_BYTES) {
        "a large checkpoint; `ghn show` opens it".to_owned()
    } else {
        match Ghn::read(&path) {
            Ok(ghn) => ghn.config().to_string(),
            Err(error) => error.to_string(),
        }
    };
    Listed {
        name: stem(&path),
        description,
        trained: true,
        path: Some(path),
        bytes,
    }
}

fn is_checkpoint(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str());
    extension.is_some_and(|e| EXTENSIONS.contains(&e))
}

/// Where named GHNs lie: `cache/ghn` below `HYPERSCOPE_HOME` if that is set, else `ghn` in the
/// user's cache folder.
#[must_use]
pub fn folder() -> PathBuf {
    if let Some(home) = std::env::var_os("HYPERSCOPE_HOME").filter(|h| !h.is_empty()) {
        return Path::new(&home).join("cache").join("ghn");
    }
    match ProjectDirs::from("", "", "hyperscope") {
        Some(dirs) => dirs.cache_dir().join("ghn"),
        None => Path::new("ghn").to_owned(),
    }
}

/// The checkpoint that `name` means: a file, or a name in the cache folder.
pub(super) fn find(name: &str) -> Result<PathBuf, GhnError> {
    let path = Path::new(name);
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let folder = folder();
    let with = EXTENSIONS.iter().map(|e| format!("{name}.{e}"));
    let release = Release::find(name);
    std::iter::once(name.to_owned())
        .chain(with)
        .chain(release.map(Release::file))
        .map(|n| folder.join(n))
        .find(|p| p.is_file())
        .ok_or_else(|| match release {
            Some(release) => GhnError::NotHere {
                name: release.name,
                folder,
            },
            None => GhnError::Unknown {
                name: name.to_owned(),
                folder,
            },
        })
}

/// A file's name without its extension.
pub(super) fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or(path.as_os_str());
    stem.to_string_lossy().into_owned()
}

/// Tensors with the config that came along, in the file or beside it.
pub(super) struct Checkpoint {
    pub tensors: StateDict,
    pub config: Option<Value>,
    /// What its maker says of it.
    pub card: Option<String>,
    /// How good its maker found it, as JSON.
    pub evaluations: Option<String>,
}

/// A checkpoint from its file's content, with its config inside; `origin` names it in messages.
pub(super) fn loaded(origin: &str, content: &[u8]) -> Result<Checkpoint, GhnError> {
    let mut loaded = read_content(content).map_err(|e| read_error(Path::new(origin), &e))?;
    let config = loaded.config.take();
    Ok(Checkpoint::of(loaded, config))
}

/// Reads a checkpoint. A config inside the file counts more than one beside it.
pub(super) fn load(path: &Path) -> Result<Checkpoint, GhnError> {
    let mut loaded = read_state(path)?;
    let inside = loaded.config.take().filter(|c| c.get("hid").is_some());
    let config = match inside {
        Some(config) => Some(config),
        None => config_beside(path).map(|p| read_config(&p)).transpose()?,
    };
    Ok(Checkpoint::of(loaded, config))
}

impl Checkpoint {
    fn of(mut loaded: Loaded, config: Option<Value>) -> Self {
        Self {
            card: loaded.metadata.remove(CARD),
            evaluations: loaded.metadata.remove(EVALUATIONS),
            tensors: loaded.tensors,
            config,
        }
    }
}

/// `NAME.config.json` or `config.json` in the checkpoint's folder.
pub(super) fn config_beside(path: &Path) -> Option<PathBuf> {
    let own = path.with_extension("config.json");
    let shared = path.with_file_name("config.json");
    [own, shared].into_iter().find(|p| p.is_file())
}

fn read_config(path: &Path) -> Result<Value, GhnError> {
    let text = std::fs::read_to_string(path).map_err(|e| read_error(path, &e))?;
    serde_json::from_str(&text).map_err(|e| read_error(path, &e))
}

pub(super) fn read_error(path: &Path, error: &dyn std::fmt::Display) -> GhnError {
    GhnError::Read {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}
