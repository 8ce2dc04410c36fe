//! A data set: its name, its classes and its parts.

use std::fmt;
use std::path::PathBuf;

use rand::seq::index;

use super::protocol::{Flip, Frame, Native};
use super::source::Source;
use super::{DataError, Normalisation, Protocol};
use crate::random::Stream;

/// Side of the images where the data has none of its own, and the largest that is taken from the
/// data without being asked for.
const USUAL_SIDE: usize = 32;
const LARGEST_OWN_SIDE: usize = 224;

/// Which images of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Those to train on. With [`Protocol::val`], without the validation images.
    Train,
    /// The last tenth of the training images, or the data set's own validation part.
    Val,
    Test,
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "training",
            Self::Val => "validation",
            Self::Test => "test",
        })
    }
}

/// An opened data set: labels are known, images are still where they were.
///
/// A data set may have a test part only; training images are then refused with the reason.
#[derive(Debug)]
pub struct DataSet {
    /// What to call it in tables: the last part of its path, or `synthetic`.
    pub name: String,
    /// Where it is; for the synthetic set, its name.
    pub path: PathBuf,
    /// What was recognised, in words: "CIFAR-10 (binary)", "image folder".
    pub kind: &'static str,
    /// Class names, by label.
    pub classes: Vec<String>,
    pub(super) native: Native,
    pub(super) flip: Flip,
    /// The data set's own mean and deviation, if it does not go by the protocol's.
    pub(super) own_normalisation: Option<Normalisation>,
    pub(super) train: Option<Source>,
    pub(super) val: Option<Source>,
    pub(super) test: Option<Source>,
}

/// The images of one loader: a source and the rows in it, ascending.
pub(super) struct Selection<'a> {
    pub source: &'a Source,
    pub rows: Vec<usize>,
}

impl DataSet {
    /// Side that a network gets where nobody asks for one: the images' own, up to 224, else 32.
    #[must_use]
    pub fn usual_side(&self) -> usize {
        let own = self.native_side();
        own.map_or(USUAL_SIDE, |side| side.min(LARGEST_OWN_SIDE))
    }

    /// Side of the images as they are stored, in pixels, if all are squares of one side.
    #[must_use]
    pub fn native_side(&self) -> Option<usize> {
        match self.native {
            Native::Square(side) => Some(side),
            Native::Mixed | Native::Any => None,
        }
    }

    /// Whether the data set has images to train on.
    #[must_use]
    pub fn trains(&self) -> bool {
        self.train.is_some()
    }

    /// Mean and deviation that the loaders use for networks with inputs of `side`.
    #[must_use]
    pub fn normalisation(&self, side: usize) -> Normalisation {
        self.own_normalisation
            .unwrap_or_else(|| Normalisation::at_side(side))
    }

    /// Number of images of a split, as `protocol` divides the data set.
    ///
    /// # Errors
    /// If the data set has no such images.
    pub fn len(&self, split: Split, protocol: &Protocol) -> Result<usize, DataError> {
        Ok(self.select(split, protocol)?.rows.len())
    }

    pub(super) fn frame(&self, side: usize) -> Frame {
        Frame::new(self.native, side)
    }

    /// The images of a split, as `protocol` divides the data set.
    pub(super) fn select(
        &self,
        split: Split,
        protocol: &Protocol,
    ) -> Result<Selection<'_>, DataError> {
        match split {
            Split::Test => Ok(Selection::all(self.test_part()?)),
            Split::Val => match &self.val {
                // Where the validation part is all there is to test on, it is kept for that.
                Some(val) if self.test.is_some() => Ok(Selection::all(val)),
                _ => {
                    let source = self.train_part(split)?;
                    let rows = divide(&source.labels).1;
                    self.some(split, Selection { source, rows })
                }
            },
            Split::Train => {
                let source = self.train_part(split)?;
                let own_val = self.val.is_some() && self.test.is_some();
                let mut rows = if protocol.val && !own_val {
                    divide(&source.labels).0
                } else {
                    (0..source.len()).collect()
                };
                if let Some(shots) = protocol.shots {
                    rows = first_of_each(&rows, &source.labels, self.classes.len(), shots);
                }
                self.some(split, Selection { source, rows })
            }
        }
    }

    fn some<'a>(&self, split: Split, selection: Selection<'a>) -> Result<Selection<'a>, DataError> {
        if selection.rows.is_empty() {
            return Err(self.no_part(split, "it is too small for what is asked of it"));
        }
        Ok(selection)
    }

    fn test_part(&self) -> Result<&Source, DataError> {
        self.test.as_ref().or(self.val.as_ref()).ok_or_else(|| {
            self.no_part(
                Split::Test,
                "there is only a part to train on; add a test part beside it",
            )
        })
    }

    fn train_part(&self, split: Split) -> Result<&Source, DataError> {
        self.train.as_ref().ok_or_else(|| {
            self.no_part(
                split,
                "there is only a part to test on, so it serves for evaluation; \
                 to train, add a training part beside it (a folder train/, files named train...)",
            )
        })
    }

    fn no_part(&self, split: Split, advice: &str) -> DataError {
        DataError::NoPart {
            name: self.name.clone(),
            path: self.path.clone(),
            split,
            advice: advice.to_owned(),
        }
    }
}

impl<'a> Selection<'a> {
    fn all(source: &'a Source) -> Self {
        Self {
            source,
            rows: (0..source.len()).collect(),
        }
    }

    /// At most `limit` images, spread evenly, so that sets sorted by class keep all of them.
    pub fn thin(mut self, limit: usize) -> Self {
        let have = self.rows.len();
        if limit < have {
            self.rows = (0..limit).map(|i| self.rows[i * have / limit]).collect();
        }
        self
    }

    /// At most `limit` images, drawn at random, in the order of the set.
    pub fn sample(mut self, limit: usize, stream: &mut Stream) -> Self {
        let have = self.rows.len();
        if limit < have {
            let mut drawn = index::sample(stream, have, limit).into_vec();
            drawn.sort_unstable();
            self.rows = drawn.into_iter().map(|i| self.rows[i]).collect();
        }
        self
    }
}

/// Divides a training part into the images to train on and the last tenth, for validation.
///
/// A part that is sorted by class (image folders) gives the last tenth of each class, since its last
/// tenth as a whole would hold only the last classes.
fn divide(labels: &[u32]) -> (Vec<usize>, Vec<usize>) {
    let mut train = Vec::with_capacity(labels.len());
    let mut val = Vec::with_capacity(labels.len() / 10);
    let mut start = 0;
    let runs: Vec<usize> = if labels.is_sorted() {
        labels.chunk_by(|a, b| a == b).map(<[u32]>::len).collect()
    } else {
        vec![labels.len()]
    };
    for length in runs {
        let kept = length - length / 10;
        train.extend(start..start + kept);
        val.extend(start + kept..start + length);
        start += length;
    }
    (train, val)
}

/// The first `shots` rows of each class.
fn first_of_each(rows: &[usize], labels: &[u32], classes: usize, shots: usize) -> Vec<usize> {
    let mut taken = vec![0; classes];
    rows.iter()
        .copied()
        .filter(|&row| {
            let count = &mut taken[labels[row] as usize];
            *count += 1;
            *count <= shots
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validation_is_the_last_tenth_of_a_mixed_part() {
        let labels: Vec<u32> = (0..50).map(|i| i * 7 % 10).collect();
        let (train, val) = divide(&labels);
        assert_eq!(train, (0..45).collect::<Vec<_>>());
        assert_eq!(val, (45..50).collect::<Vec<_>>());
    }

    #[test]
    fn validation_of_a_part_sorted_by_class_holds_every_class() {
        let labels: Vec<u32> = (0..40).map(|i| i / 20).collect();
        let (train, val) = divide(&labels);
        assert_eq!(val, [18, 19, 38, 39]);
        assert_eq!(train.len(), 36);
    }

    #[test]
    fn shots_are_the_first_of_each_class_in_data_set_order() {
        let labels = [1, 0, 1, 1, 0, 2];
        let rows: Vec<usize> = (0..6).collect();
        assert_eq!(first_of_each(&rows, &labels, 3, 2), [0, 1, 2, 4, 5]);
    }
}
