//! What a data set is: from a name or a path to an opened [`DataSet`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{DataError, DataSet, cifar, columns, folder, mnist, synthetic};

/// Folders that archives and hubs put between the name that a person gives and the files.
const INNER_FOLDERS: [&str; 5] = [
    "cifar-10-batches-bin",
    "cifar-100-binary",
    "data",
    "raw",
    "MNIST/raw",
];

/// Opens a data set: `synthetic`, a name from the config file, or a file or folder.
///
/// Labels are read, images are not.
///
/// # Errors
/// If there is nothing of that name, nothing in it is known, or what is there cannot be read; the
/// message names the file.
pub fn open(spec: &str, named: &BTreeMap<String, PathBuf>) -> Result<DataSet, DataError> {
    if spec == "synthetic" {
        return Ok(synthetic::data_set());
    }
    if let Some(path) = named.get(spec) {
        let mut data = open_path(path)?;
        spec.clone_into(&mut data.name);
        return Ok(data);
    }
    let path = Path::new(spec);
    if !path.try_exists().map_err(DataError::read(path))? {
        return Err(DataError::Unknown {
            spec: spec.to_owned(),
            names: named.keys().cloned().collect(),
        });
    }
    open_path(path)
}

fn open_path(path: &Path) -> Result<DataSet, DataError> {
    let kind = std::fs::metadata(path).map_err(DataError::read(path))?;
    let found = if kind.is_dir() {
        open_folder(path)?
    } else {
        open_file(path)?
    };
    found.ok_or_else(|| DataError::Unrecognised {
        path: path.to_owned(),
        found: what_is_there(path),
    })
}

fn open_file(path: &Path) -> Result<Option<DataSet>, DataError> {
    if let Some(data) = columns::in_file(path)? {
        return Ok(Some(data));
    }
    if let Some(data) = mnist::in_file(path)? {
        return Ok(Some(data));
    }
    cifar::in_file(path)
}

fn open_folder(path: &Path) -> Result<Option<DataSet>, DataError> {
    if let Some(data) = open_files_of(path)? {
        return Ok(Some(data));
    }
    for inner in INNER_FOLDERS.map(|inner| path.join(inner)) {
        if inner.is_dir()
            && let Some(mut data) = open_files_of(&inner)?
        {
            data.name = name_of(path);
            return Ok(Some(data));
        }
    }
    folder::in_folder(path)
}

fn open_files_of(folder: &Path) -> Result<Option<DataSet>, DataError> {
    if let Some(data) = cifar::in_folder(folder)? {
        return Ok(Some(data));
    }
    if let Some(data) = mnist::in_folder(folder)? {
        return Ok(Some(data));
    }
    columns::in_folder(folder)
}

/// The last part of a path.
pub(super) fn name_of(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    match whole.file_name() {
        Some(name) => name.to_string_lossy().into_owned(),
        None => path.display().to_string(),
    }
}

/// A hint for the message that nothing was recognised.
fn what_is_there(path: &Path) -> String {
    let Ok(entries) = std::fs::read_dir(path) else {
        return "Give the folder that holds the files".to_owned();
    };
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    if names
        .iter()
        .any(|n| n == "data_batch_1" || n == "test_batch" || n == "meta")
    {
        return "It looks like CIFAR's Python version; get the binary version instead".to_owned();
    }
    if names.is_empty() {
        return "The folder is empty".to_owned();
    }
    let more = names.len().saturating_sub(5);
    names.truncate(5);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("It holds {}{more}", names.join(", "))
}
