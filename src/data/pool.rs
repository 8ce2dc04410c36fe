//! The images of one loader.

use rayon::prelude::*;

use super::DataError;
use super::picture::Picture;
use super::protocol::Frame;
use super::set::Selection;
use super::source::Item;

/// Most memory that decoded images may take, in bytes. A larger set is decoded anew for each batch.
const DECODED_LIMIT_BYTES: usize = 1 << 30;

/// Labels and images of a loader, by position in its selection.
pub(super) struct Pool {
    pub labels: Vec<u32>,
    images: Images,
    stored: usize,
}

enum Images {
    Decoded(Vec<Box<[u8]>>),
    OnTheFly(Vec<Item>),
}

impl Pool {
    /// Takes the selected images into memory: decoded if they are small enough together, else as
    /// they are.
    pub fn new(selection: &Selection, frame: Frame) -> Result<Self, DataError> {
        let items = selection.source.items(&selection.rows)?;
        let labels = selection
            .rows
            .iter()
            .map(|&r| selection.source.labels[r])
            .collect();
        let stored = frame.stored;
        let fits = frame.stored_bytes().saturating_mul(items.len()) <= DECODED_LIMIT_BYTES;
        let images = if fits {
            let decoded: Result<Vec<Box<[u8]>>, DataError> = items
                .into_par_iter()
                .map(|item| Ok(item.picture(stored)?.pixels.into_boxed_slice()))
                .collect();
            Images::Decoded(decoded?)
        } else {
            Images::OnTheFly(items)
        };
        Ok(Self {
            labels,
            images,
            stored,
        })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Gives one image's pixels, `[stored, stored, 3]`, to `take`.
    pub fn with<T>(&self, position: usize, take: impl FnOnce(&[u8]) -> T) -> Result<T, DataError> {
        match &self.images {
            Images::Decoded(all) => Ok(take(&all[position])),
            Images::OnTheFly(items) => {
                let Picture { pixels, .. } = items[position].picture(self.stored)?;
                Ok(take(&pixels))
            }
        }
    }
}
