//! Image folders: one folder per class, in train/, test/ and val/ or directly.
//!
//! Classes are sorted by name, images within a class too, as torchvision does.

use std::fs;
use std::path::{Path, PathBuf};

use image::ImageReader;

use super::protocol::{Flip, Native};
use super::source::{Item, Origin, Source};
use super::{DataError, DataSet};

/// Names of the folders of each part, in order of preference.
const TRAIN_FOLDERS: [&str; 2] = ["train", "training"];
const TEST_FOLDERS: [&str; 2] = ["test", "testing"];
const VAL_FOLDERS: [&str; 4] = ["val", "valid", "validation", "dev"];

/// Endings of image files that can be decoded, and of others that should not be passed over in silence.
const READABLE: [&str; 3] = ["jpg", "jpeg", "png"];
const FOREIGN: [&str; 9] = [
    "bmp", "gif", "tif", "tiff", "webp", "ppm", "pgm", "avif", "heic",
];

/// The image files of one part.
#[derive(Debug)]
pub(super) struct Files {
    paths: Vec<PathBuf>,
}

impl Files {
    /// The images `rows`.
    pub fn items(&self, rows: &[usize]) -> Vec<Item> {
        rows.iter()
            .map(|&row| Item::File(self.paths[row].clone()))
            .collect()
    }
}

/// The data set in `folder`, if there are class folders with images in it.
pub(super) fn in_folder(folder: &Path) -> Result<Option<DataSet>, DataError> {
    let part = |names: &[&str]| -> Result<Option<Part>, DataError> {
        for name in names {
            let path = folder.join(name);
            if path.is_dir() {
                return Part::read(&path).map(Some);
            }
        }
        Ok(None)
    };
    let (train, mut test, val) = (
        part(&TRAIN_FOLDERS)?,
        part(&TEST_FOLDERS)?,
        part(&VAL_FOLDERS)?,
    );
    if train.is_none() && test.is_none() && val.is_none() {
        test = Some(Part::read(folder)?);
    }
    let parts: Vec<&Part> = [&train, &val, &test].into_iter().flatten().collect();
    if parts.iter().all(|p| p.files.is_empty()) {
        return Ok(None);
    }
    for part in &parts {
        part.check(parts[0])?;
    }
    let classes = parts[0].classes.clone();
    let native = parts[0].native();
    Ok(Some(DataSet {
        name: super::recognise::name_of(folder),
        path: folder.to_owned(),
        kind: "image folder",
        classes,
        native,
        flip: Flip::Horizontal,
        own_normalisation: None,
        train: train.map(Part::source),
        val: val.map(Part::source),
        test: test.map(Part::source),
    }))
}

/// The classes and files below one folder.
struct Part {
    folder: PathBuf,
    classes: Vec<String>,
    /// Class and path of each image.
    files: Vec<(u32, PathBuf)>,
}

impl Part {
    fn read(folder: &Path) -> Result<Self, DataError> {
        let mut part = Self {
            folder: folder.to_owned(),
            classes: Vec::new(),
            files: Vec::new(),
        };
        for class in list(folder)?.into_iter().filter(|p| p.is_dir()) {
            let images = images(&class)?;
            if images.is_empty() {
                continue;
            }
            let label = part.classes.len() as u32;
            part.files
                .extend(images.into_iter().map(|path| (label, path)));
            part.classes.push(
                class
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
            );
        }
        Ok(part)
    }

    /// Every part must hold images of the same classes, or labels would not agree.
    fn check(&self, first: &Self) -> Result<(), DataError> {
        let problem = if self.files.is_empty() {
            "it holds no images in class folders".to_owned()
        } else if self.classes != first.classes {
            let odd =
                |a: &Self, b: &Self| a.classes.iter().find(|c| !b.classes.contains(c)).cloned();
            let (name, place) = match odd(self, first) {
                Some(name) => (name, &first.folder),
                None => (odd(first, self).unwrap_or_default(), &self.folder),
            };
            format!("the class \"{name}\" has no images in {}", place.display())
        } else {
            return Ok(());
        };
        Err(DataError::Malformed {
            path: self.folder.clone(),
            kind: "a part of an image folder",
            problem,
            advice: "Put the images into one folder per class, with the same class names in every part",
        })
    }

    /// The common side of the first image of each class, if they are square and equal.
    fn native(&self) -> Native {
        let mut firsts = self
            .files
            .chunk_by(|a, b| a.0 == b.0)
            .map(|class| size(&class[0].1));
        match firsts.next() {
            Some(Some((width, height)))
                if width == height && firsts.all(|s| s == Some((width, height))) =>
            {
                Native::Square(width)
            }
            _ => Native::Mixed,
        }
    }

    fn source(self) -> Source {
        let (labels, paths) = self.files.into_iter().unzip();
        Source {
            labels,
            origin: Origin::Folder(Files { paths }),
        }
    }
}

/// Width and height from an image file's header.
fn size(path: &Path) -> Option<(usize, usize)> {
    let reader = ImageReader::open(path).ok()?.with_guessed_format().ok()?;
    let (width, height) = reader.into_dimensions().ok()?;
    Some((width as usize, height as usize))
}

/// What lies in a folder, sorted by name, without hidden entries.
fn list(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let entries = fs::read_dir(folder).map_err(DataError::read(folder))?;
    let mut paths = entries
        .map(|e| e.map(|e| e.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(DataError::read(folder))?;
    paths.retain(|p| {
        !p.file_name()
            .is_some_and(|n| n.to_string_lossy().starts_with('.'))
    });
    paths.sort();
    Ok(paths)
}

/// The image files of a class, sorted by name.
fn images(class: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut images = Vec::new();
    for path in list(class)? {
        let ending = path
            .extension()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        if READABLE.contains(&ending.as_str()) {
            images.push(path);
        } else if FOREIGN.contains(&ending.as_str()) {
            return Err(DataError::Image {
                place: path.display().to_string(),
                problem: format!("only JPEG and PNG are read, not .{ending}"),
            });
        }
    }
    Ok(images)
}
