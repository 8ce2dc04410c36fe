//! One part of a data set: its labels, and its images as they lie on disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::DataError;
use super::cifar::Records;
use super::columns::Columns;
use super::folder::Files;
use super::mnist::Digits;
use super::picture::Picture;
use super::synthetic::Synthetic;

/// Labels and images of one part, both in data-set order.
#[derive(Debug)]
pub(super) struct Source {
    /// Class of each image.
    pub labels: Vec<u32>,
    pub origin: Origin,
}

/// Where the images of a part are.
#[derive(Debug)]
pub(super) enum Origin {
    Cifar(Records),
    Parquet(Columns),
    Folder(Files),
    Mnist(Digits),
    Synthetic(Synthetic),
}

/// One image, not yet decoded unless it costs nothing.
#[derive(Debug)]
pub(super) enum Item {
    Pixels(Picture),
    /// The bytes of an image file, with what names it in messages.
    Encoded {
        bytes: Box<[u8]>,
        file: Arc<Path>,
        row: usize,
    },
    File(PathBuf),
    /// Grey values, `side` by `side`.
    Grey {
        values: Box<[u8]>,
        width: usize,
        height: usize,
    },
    Drawn {
        synthetic: Synthetic,
        index: usize,
    },
}

impl Source {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// The images `rows`, in that order; `rows` must be ascending and below the number of images.
    pub fn items(&self, rows: &[usize]) -> Result<Vec<Item>, DataError> {
        match &self.origin {
            Origin::Cifar(records) => records.items(rows),
            Origin::Parquet(columns) => columns.items(rows),
            Origin::Folder(files) => Ok(files.items(rows)),
            Origin::Mnist(digits) => digits.items(rows),
            Origin::Synthetic(synthetic) => Ok(rows
                .iter()
                .map(|&index| Item::Drawn {
                    synthetic: *synthetic,
                    index,
                })
                .collect()),
        }
    }
}

impl Item {
    /// Decodes the image and scales it to a square of `side`.
    pub fn picture(&self, side: usize) -> Result<Picture, DataError> {
        let picture = match self {
            Self::Pixels(picture) => picture.clone(),
            Self::Encoded { bytes, file, row } => {
                Picture::decode(bytes).map_err(|problem| DataError::Image {
                    place: format!("in row {row} of {}", file.display()),
                    problem,
                })?
            }
            Self::File(path) => {
                let bytes = std::fs::read(path).map_err(DataError::read(path))?;
                Picture::decode(&bytes).map_err(|problem| DataError::Image {
                    place: path.display().to_string(),
                    problem,
                })?
            }
            Self::Grey {
                values,
                width,
                height,
            } => Picture {
                width: *width,
                height: *height,
                pixels: values.iter().flat_map(|&v| [v; 3]).collect(),
            },
            Self::Drawn { synthetic, index } => synthetic.draw(*index, side),
        };
        Ok(picture.fit(side))
    }
}
