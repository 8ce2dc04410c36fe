//! Parquet files with image bytes, as on the Hugging Face hub.
//!
//! Parts are recognised by file name (`train-00000-of-00001.parquet`) or by the folder around it
//! (`train/0000.parquet`), and class names are taken from the `huggingface` entry of the metadata.

use std::fs;
use std::path::{Path, PathBuf};

use image::ImageReader;
use rayon::prelude::*;

use self::shard::{Shard, malformed};
use super::protocol::{Flip, Native};
use super::source::{Item, Origin, Source};
use super::{DataError, DataSet, Split};

mod shard;

/// Most classes that are believed.
const MOST_CLASSES: u32 = 1 << 17;
/// Images whose size is looked at before they are all read.
const SAMPLED_IMAGES: usize = 16;
/// Folders with more entries than this are not searched for Parquet files below them.
const MOST_SUBFOLDERS: usize = 32;

/// The rows of some Parquet files, one after another.
#[derive(Debug)]
pub(super) struct Columns {
    shards: Vec<Shard>,
}

/// The data set in `folder` or up to two folders below it, if there are Parquet files.
pub(super) fn in_folder(folder: &Path) -> Result<Option<DataSet>, DataError> {
    let mut sets: Vec<(PathBuf, Vec<PathBuf>)> = Vec::new();
    for file in find(folder, 2)? {
        let parent = file.parent().unwrap_or(folder);
        // A folder that is named after a part belongs to the set around it.
        let owner = match split_in(parent) {
            Some(_) if parent != folder => parent.parent().unwrap_or(folder),
            _ => parent,
        };
        match sets.iter_mut().find(|(o, _)| o == owner) {
            Some((_, files)) => files.push(file),
            None => sets.push((owner.to_owned(), vec![file])),
        }
    }
    if sets.len() > 1 {
        let names: Vec<String> = sets.iter().map(|(o, _)| o.display().to_string()).collect();
        return Err(malformed(
            folder,
            format!(
                "it holds several data sets, name one of them: {}",
                names.join(", ")
            ),
        ));
    }
    match sets.pop() {
        Some((_, files)) => data_set(folder, &files).map(Some),
        None => Ok(None),
    }
}

/// The data set of a single file, if it is a Parquet file by its name.
pub(super) fn in_file(file: &Path) -> Result<Option<DataSet>, DataError> {
    if is_parquet(file) {
        data_set(file, &[file.to_owned()]).map(Some)
    } else {
        Ok(None)
    }
}

fn is_parquet(path: &Path) -> bool {
    path.extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("parquet"))
}

/// Parquet files in a folder, or else in every one of its subfolders, `depth` levels down; sorted by path.
fn find(folder: &Path, depth: usize) -> Result<Vec<PathBuf>, DataError> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(DataError::read(folder))?
        .filter_map(Result::ok)
        .filter(|e| !e.file_name().to_string_lossy().starts_with('.'))
        .map(|e| e.path())
        .collect();
    entries.sort();
    let mut files: Vec<PathBuf> = entries
        .iter()
        .filter(|p| is_parquet(p) && p.is_file())
        .cloned()
        .collect();
    if !files.is_empty() || depth == 0 || entries.len() > MOST_SUBFOLDERS {
        return Ok(files);
    }
    for inner in entries.iter().filter(|p| p.is_dir()) {
        // A folder that cannot be searched matters only if it is asked for by name.
        let found = find(inner, depth - 1).unwrap_or_default();
        if found.is_empty() {
            // Folders with other things beside it: this is not the folder of one data set.
            return Ok(Vec::new());
        }
        files.extend(found);
    }
    Ok(files)
}

/// The part that a file or folder name speaks of.
fn split_in(path: &Path) -> Option<Split> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    name.split(|c: char| !c.is_ascii_alphabetic())
        .find_map(|word| match word {
            "train" | "training" => Some(Split::Train),
            "val" | "valid" | "validation" | "dev" => Some(Split::Val),
            "test" | "testing" => Some(Split::Test),
            _ => None,
        })
}

/// The part of a file; one that says nothing is for evaluation.
fn split_of(file: &Path) -> Split {
    split_in(file)
        .or_else(|| split_in(file.parent()?))
        .unwrap_or(Split::Test)
}

fn data_set(path: &Path, files: &[PathBuf]) -> Result<DataSet, DataError> {
    let mut classes = None;
    let mut part = |split: Split| -> Result<Option<Source>, DataError> {
        let mut shards = Vec::new();
        for file in files.iter().filter(|f| split_of(f) == split) {
            let (shard, note) = Shard::open(file)?;
            if classes.is_none() {
                classes = note.and_then(|note| class_names(&note, &shard.label_name));
            }
            shards.push(shard);
        }
        if shards.is_empty() {
            Ok(None)
        } else {
            source(shards).map(Some)
        }
    };
    let (train, val, test) = (part(Split::Train)?, part(Split::Val)?, part(Split::Test)?);
    let parts = || [&train, &val, &test].into_iter().flatten();
    let largest = parts()
        .flat_map(|p| p.labels.iter().copied())
        .max()
        .unwrap_or(0);
    let classes = classes.unwrap_or_else(|| (0..=largest).map(|i| i.to_string()).collect());
    if largest as usize >= classes.len() {
        let problem = format!(
            "a label is {largest}, but there are only {} class names",
            classes.len()
        );
        return Err(malformed(path, problem));
    }
    let native = match parts().next() {
        Some(first) => native(first)?,
        None => Native::Mixed,
    };
    Ok(DataSet {
        name: super::recognise::name_of(path),
        path: path.to_owned(),
        kind: "Parquet",
        classes,
        native,
        flip: Flip::Horizontal,
        own_normalisation: None,
        train,
        val,
        test,
    })
}

/// Class names from the text of the `huggingface` entry.
fn class_names(note: &str, label: &str) -> Option<Vec<String>> {
    let note: serde_json::Value = serde_json::from_str(note).ok()?;
    let names = note
        .get("info")?
        .get("features")?
        .get(label)?
        .get("names")?
        .as_array()?;
    let names: Option<Vec<String>> = names
        .iter()
        .map(|n| n.as_str().map(str::to_owned))
        .collect();
    names.filter(|n| !n.is_empty())
}

fn source(shards: Vec<Shard>) -> Result<Source, DataError> {
    let mut labels = Vec::new();
    for shard in &shards {
        labels.extend(shard.labels()?);
    }
    Ok(Source {
        labels,
        origin: Origin::Parquet(Columns { shards }),
    })
}

/// The common side of the first images, if they are square and equal.
fn native(part: &Source) -> Result<Native, DataError> {
    let rows: Vec<usize> = (0..part.len().min(SAMPLED_IMAGES)).collect();
    let sizes: Vec<Option<(u32, u32)>> = part.items(&rows)?.iter().map(size).collect();
    Ok(match sizes[..] {
        [Some((width, height)), ..] if width == height && sizes.iter().all(|s| *s == sizes[0]) => {
            Native::Square(width as usize)
        }
        _ => Native::Mixed,
    })
}

fn size(item: &Item) -> Option<(u32, u32)> {
    let Item::Encoded { bytes, .. } = item else {
        return None;
    };
    let reader = ImageReader::new(std::io::Cursor::new(bytes))
        .with_guessed_format()
        .ok()?;
    reader.into_dimensions().ok()
}

impl Columns {
    /// The images `rows`, ascending. Row groups are read in parallel.
    pub fn items(&self, rows: &[usize]) -> Result<Vec<Item>, DataError> {
        let mut work: Vec<(&Shard, usize, Vec<usize>)> = Vec::new();
        let mut rows = rows.iter().copied().peekable();
        let mut start = 0;
        let mut bytes = 0;
        for shard in &self.shards {
            for group in 0..shard.groups() {
                let end = start + shard.group_len(group);
                let mut wanted = Vec::new();
                while let Some(row) = rows.next_if(|&row| row < end) {
                    wanted.push(row - start);
                }
                bytes += wanted.len() as u64 * shard.image_bytes(group);
                if !wanted.is_empty() {
                    work.push((shard, group, wanted));
                }
                start = end;
            }
        }
        self.check_memory(bytes)?;
        let read: Result<Vec<Vec<Item>>, DataError> = work
            .par_iter()
            .map(|(shard, group, rows)| shard.images(*group, rows))
            .collect();
        Ok(read?.into_iter().flatten().collect())
    }

    /// The encoded images are held in memory, since a Parquet file cannot give single rows quickly.
    fn check_memory(&self, bytes: u64) -> Result<(), DataError> {
        let Some(free) = free_memory_bytes().filter(|&free| bytes > free / 10 * 9) else {
            return Ok(());
        };
        let path = self
            .shards
            .first()
            .map_or_else(PathBuf::new, |s| s.path.to_path_buf());
        Err(DataError::Option {
            name: path.display().to_string(),
            problem: format!(
                "its images take {:.1} GB and only {:.1} GB of memory are free; use fewer images (--shots) \
                 or unpack them into an image folder, which is read from disk as it goes",
                bytes as f64 / 1e9,
                free as f64 / 1e9
            ),
        })
    }
}

/// Memory that can be had without swapping, where the system says so.
fn free_memory_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
