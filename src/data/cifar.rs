//! CIFAR-10 and CIFAR-100 as their author distributes them ("binary version").
//!
//! A file is a row of records: one label byte (CIFAR-100: a coarse and a fine one), then 3,072 bytes,
//! 32x32 red values, then green, then blue.

use std::fs;
use std::path::{Path, PathBuf};

use super::picture::Picture;
use super::protocol::{Flip, Native};
use super::source::{Item, Origin, Source};
use super::{DataError, DataSet};

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;

/// Which of the two data sets a file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ten,
    Hundred,
}

/// The records of some files, one after another.
#[derive(Debug)]
pub(super) struct Records {
    kind: Kind,
    files: Vec<PathBuf>,
    /// Images in each file.
    counts: Vec<usize>,
}

const TEN_CLASSES: [&str; 10] = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
];

impl Kind {
    fn label_bytes(self) -> usize {
        match self {
            Self::Ten => 1,
            Self::Hundred => 2,
        }
    }

    fn record_bytes(self) -> usize {
        self.label_bytes() + 3 * PLANE
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ten => "CIFAR-10 (binary)",
            Self::Hundred => "CIFAR-100 (binary)",
        }
    }

    fn classes(self) -> usize {
        match self {
            Self::Ten => 10,
            Self::Hundred => 100,
        }
    }
}

/// The data set in `folder`, if it holds at least one of the files.
pub(super) fn in_folder(folder: &Path) -> Result<Option<DataSet>, DataError> {
    let here = |names: &[&str]| -> Vec<PathBuf> {
        names
            .iter()
            .map(|n| folder.join(n))
            .filter(|p| p.is_file())
            .collect()
    };
    let batches = [
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ];
    let (train, test) = (here(&batches), here(&["test_batch.bin"]));
    if !train.is_empty() || !test.is_empty() {
        if !train.is_empty() && train.len() < batches.len() {
            return Err(DataError::Malformed {
                path: folder.to_owned(),
                kind: Kind::Ten.name(),
                problem: format!(
                    "it holds only {} of data_batch_1.bin to data_batch_5.bin",
                    train.len()
                ),
                advice: "Unpack the archive again",
            });
        }
        return data_set(folder, Kind::Ten, train, test).map(Some);
    }
    let (train, test) = (here(&["train.bin"]), here(&["test.bin"]));
    if !train.is_empty() || !test.is_empty() {
        return data_set(folder, Kind::Hundred, train, test).map(Some);
    }
    Ok(None)
}

/// The data set of a single file, if its name is one of the known ones.
pub(super) fn in_file(file: &Path) -> Result<Option<DataSet>, DataError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let files = vec![file.to_owned()];
    let folder = file.parent().unwrap_or(file);
    match name.as_ref() {
        "test_batch.bin" => data_set(folder, Kind::Ten, Vec::new(), files).map(Some),
        "test.bin" => data_set(folder, Kind::Hundred, Vec::new(), files).map(Some),
        "train.bin" => data_set(folder, Kind::Hundred, files, Vec::new()).map(Some),
        n if n.starts_with("data_batch_") && n.ends_with(".bin") => {
            data_set(folder, Kind::Ten, files, Vec::new()).map(Some)
        }
        _ => Ok(None),
    }
}

fn data_set(
    folder: &Path,
    kind: Kind,
    train: Vec<PathBuf>,
    test: Vec<PathBuf>,
) -> Result<DataSet, DataError> {
    let part = |files: Vec<PathBuf>| -> Result<Option<Source>, DataError> {
        if files.is_empty() {
            Ok(None)
        } else {
            source(kind, files).map(Some)
        }
    };
    Ok(DataSet {
        name: super::recognise::name_of(folder),
        path: folder.to_owned(),
        kind: kind.name(),
        classes: class_names(folder, kind),
        native: Native::Square(SIDE),
        flip: Flip::Horizontal,
        own_normalisation: None,
        train: part(train)?,
        val: None,
        test: part(test)?,
    })
}

/// Names from the list beside the files; where there is none, the known ten or numbers.
fn class_names(folder: &Path, kind: Kind) -> Vec<String> {
    let list = match kind {
        Kind::Ten => "batches.meta.txt",
        Kind::Hundred => "fine_label_names.txt",
    };
    let text = fs::read_to_string(folder.join(list)).unwrap_or_default();
    let names: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .map(str::to_owned)
        .collect();
    match kind {
        _ if names.len() == kind.classes() => names,
        Kind::Ten => TEN_CLASSES.map(str::to_owned).to_vec(),
        Kind::Hundred => (0..100).map(|i: u32| i.to_string()).collect(),
    }
}

fn source(kind: Kind, files: Vec<PathBuf>) -> Result<Source, DataError> {
    let mut labels = Vec::new();
    let mut counts = Vec::with_capacity(files.len());
    for file in &files {
        let bytes = read(kind, file)?;
        counts.push(bytes.len() / kind.record_bytes());
        for (row, record) in bytes.chunks_exact(kind.record_bytes()).enumerate() {
            let label = record[kind.label_bytes() - 1];
            if usize::from(label) >= kind.classes() {
                return Err(malformed(
                    kind,
                    file,
                    format!("image {row} has the label {label}"),
                ));
            }
            labels.push(u32::from(label));
        }
    }
    Ok(Source {
        labels,
        origin: Origin::Cifar(Records {
            kind,
            files,
            counts,
        }),
    })
}

fn read(kind: Kind, file: &Path) -> Result<Vec<u8>, DataError> {
    let bytes = fs::read(file).map_err(DataError::read(file))?;
    if bytes.is_empty() || bytes.len() % kind.record_bytes() != 0 {
        let problem = format!(
            "its {} bytes are not a multiple of {}",
            bytes.len(),
            kind.record_bytes()
        );
        return Err(malformed(kind, file, problem));
    }
    Ok(bytes)
}

fn malformed(kind: Kind, file: &Path, problem: String) -> DataError {
    DataError::Malformed {
        path: file.to_owned(),
        kind: match kind {
            Kind::Ten => "a CIFAR-10 batch",
            Kind::Hundred => "a CIFAR-100 batch",
        },
        problem,
        advice: "It may be cut short or another file: unpack the binary version's archive again",
    }
}

impl Records {
    /// The images `rows`, ascending.
    pub fn items(&self, rows: &[usize]) -> Result<Vec<Item>, DataError> {
        let mut items = Vec::with_capacity(rows.len());
        let mut rows = rows.iter().copied().peekable();
        let mut start = 0;
        for (file, &count) in self.files.iter().zip(&self.counts) {
            let end = start + count;
            if rows.peek().is_some_and(|&row| row < end) {
                let bytes = read(self.kind, file)?;
                while let Some(row) = rows.next_if(|&row| row < end) {
                    let at = (row - start) * self.kind.record_bytes() + self.kind.label_bytes();
                    let planes = bytes.get(at..at + 3 * PLANE).ok_or_else(|| {
                        malformed(
                            self.kind,
                            file,
                            "it became shorter while it was in use".to_owned(),
                        )
                    })?;
                    items.push(Item::Pixels(interleave(planes)));
                }
            }
            start = end;
        }
        Ok(items)
    }
}

/// Planes to pixels.
fn interleave(planes: &[u8]) -> Picture {
    let pixels = (0..PLANE).flat_map(|i| [planes[i], planes[i + PLANE], planes[i + 2 * PLANE]]);
    Picture::square(SIDE, pixels.collect())
}
