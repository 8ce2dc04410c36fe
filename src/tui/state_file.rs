//! What the app remembers between starts: a small JSON file, replaced as a whole.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::selection::Selection;

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    pub selection: Selection,
    /// The built-in theme chosen last; none means the one that suits the terminal.
    pub theme: Option<String>,
    /// Data set, shots and so on of the last fine-tuning form, by field.
    pub finetune: std::collections::BTreeMap<String, String>,
    /// Those of the last form that asked for an evaluation.
    pub evaluation: std::collections::BTreeMap<String, String>,
}

impl Remembered {
    /// Reads the file; a missing or damaged one counts as empty, since nothing of worth is lost.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        fs::read_to_string(path)
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default()
    }

    /// Replaces the file: written aside in the same folder, synced, renamed.
    ///
    /// # Errors
    /// As the file system gives them.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        fs::create_dir_all(folder)?;
        let aside = path.with_extension(format!("{}.tmp", std::process::id()));
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::other)?;
        let written = fs::File::create(&aside)
            .and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&aside, path));
        if written.is_err() {
            let _ = fs::remove_file(&aside);
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/app.json");
        let mut kept = Remembered::default();
        kept.selection.arch.name = "convnext_tiny".into();
        kept.theme = Some("light".into());
        kept.write(&path).unwrap();
        assert_eq!(Remembered::read(&path), kept);
    }

    #[test]
    fn a_damaged_file_counts_as_empty() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.json");
        fs::write(&path, "{\"selection\": 3").unwrap();
        assert_eq!(Remembered::read(&path), Remembered::default());
    }
}
