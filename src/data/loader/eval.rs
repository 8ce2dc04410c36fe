//! Batches for evaluation.

use std::sync::Arc;

use rand::seq::SliceRandom;

use super::super::prefetch::Prefetch;
use super::super::set::Selection;
use super::super::{DataError, DataSet, Protocol, Split};
use super::{Batch, Images, SPARE_BATCHES, check, threads};
use crate::random;

/// One pass over the images of a split, without augmentation; can be repeated.
pub struct EvalLoader {
    maker: Arc<EvalMaker>,
    /// The pass that goes on; between passes there are no threads.
    prefetch: Option<Prefetch<Result<Batch, DataError>>>,
    done: bool,
}

struct EvalMaker {
    images: Images,
    batch: usize,
    /// Positions in the pool.
    order: Vec<u32>,
}

impl EvalLoader {
    /// Reads the images of a split in data-set order, as `protocol` divides the data set; its side and
    /// batch apply, its augmentation does not. With `limit`, only so many, spread evenly over the split.
    ///
    /// # Errors
    /// If the data set has no such images, or one cannot be read.
    pub fn new(
        data: &DataSet,
        split: Split,
        protocol: &Protocol,
        limit: Option<usize>,
    ) -> Result<Self, DataError> {
        check(data, protocol.side, protocol.batch)?;
        let selection = data.select(split, protocol)?;
        let selection = selection.thin(limit.unwrap_or(usize::MAX));
        let order = (0..selection.rows.len() as u32).collect();
        Self::of(data, &selection, protocol, order)
    }

    /// As [`EvalLoader::new`], but the images and their order are drawn from the protocol's seed: every
    /// batch is a sample of the split, however that is sorted.
    ///
    /// # Errors
    /// As [`EvalLoader::new`].
    pub fn mixed(
        data: &DataSet,
        split: Split,
        protocol: &Protocol,
        limit: Option<usize>,
    ) -> Result<Self, DataError> {
        check(data, protocol.side, protocol.batch)?;
        let mut stream = random::stream(protocol.seed, "data/mixed");
        let selection = data.select(split, protocol)?;
        let selection = selection.sample(limit.unwrap_or(usize::MAX), &mut stream);
        let mut order: Vec<u32> = (0..selection.rows.len() as u32).collect();
        order.shuffle(&mut stream);
        Self::of(data, &selection, protocol, order)
    }

    fn of(
        data: &DataSet,
        selection: &Selection,
        protocol: &Protocol,
        order: Vec<u32>,
    ) -> Result<Self, DataError> {
        let maker = EvalMaker {
            images: Images::new(data, selection, protocol.side)?,
            batch: protocol.batch,
            order,
        };
        Ok(Self {
            maker: Arc::new(maker),
            prefetch: None,
            done: false,
        })
    }

    /// Number of images in a pass.
    #[must_use]
    pub fn images(&self) -> usize {
        self.maker.images.pool.len()
    }

    /// Batches in a pass.
    #[must_use]
    pub fn batches(&self) -> usize {
        self.images().div_ceil(self.maker.batch)
    }

    /// Begins another pass from the first image. Decoded images are kept.
    ///
    /// # Errors
    /// If threads cannot be started.
    pub fn restart(&mut self) -> Result<(), DataError> {
        self.prefetch = Some(self.maker.start()?);
        self.done = false;
        Ok(())
    }
}

impl Iterator for EvalLoader {
    type Item = Result<Batch, DataError>;

    /// The next batch of this pass; an error if an image cannot be decoded.
    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        if self.prefetch.is_none() {
            match self.maker.start() {
                Ok(prefetch) => self.prefetch = Some(prefetch),
                Err(error) => return Some(Err(error)),
            }
        }
        let next = self.prefetch.as_mut()?.next();
        if next.is_none() {
            self.prefetch = None;
            self.done = true;
            self.maker.images.stock.clear();
        }
        next.map(Result::flatten)
    }
}

impl EvalMaker {
    fn start(self: &Arc<Self>) -> Result<Prefetch<Result<Batch, DataError>>, DataError> {
        let maker = Arc::clone(self);
        let threads = threads();
        let batches = self.images.pool.len().div_ceil(self.batch) as u64;
        Prefetch::start(
            threads,
            threads + SPARE_BATCHES,
            Some(batches),
            move |number| maker.make(number as usize),
        )
    }

    fn make(&self, index: usize) -> Result<Batch, DataError> {
        let end = ((index + 1) * self.batch).min(self.order.len());
        let cut = self.images.preparation.centre_cut();
        let positions = self.order[index * self.batch..end].iter();
        let cuts = positions.map(|p| (*p as usize, cut));
        self.images.batch(0, index, cuts)
    }
}
