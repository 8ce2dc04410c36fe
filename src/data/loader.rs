//! Batches for training, and what loaders share; those for evaluation are in `eval`.

mod eval;

use std::sync::{Arc, Mutex, PoisonError};

use rand::seq::SliceRandom;

use super::buffer::{Pixels, Stock};
use super::pool::Pool;
use super::prefetch::Prefetch;
use super::prepare::{Cut, Preparation};
use super::set::Selection;
use super::{DataError, DataSet, Protocol, Split};
use crate::random;

pub use eval::EvalLoader;

/// Most threads that prepare batches.
const MOST_THREADS: usize = 8;
/// Batches that wait for the consumer beside those that are being made.
const SPARE_BATCHES: usize = 2;
/// Largest side of an input, in pixels.
const LARGEST_SIDE: usize = 2048;

/// Images for one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// `[batch, side, side, 3]`, normalised; channels in the order red, green, blue.
    pub pixels: Pixels,
    /// Class of each image.
    pub labels: Vec<u32>,
    /// Number of images; the last batch of an epoch may have fewer than asked for.
    pub batch: usize,
    /// Height and width of each image.
    pub side: usize,
    /// Epoch and place in it, both from 0. For evaluation the epoch is 0.
    pub epoch: u64,
    pub index: usize,
}

/// Batches of the training images, epoch after epoch without end.
///
/// Which images a batch holds and how they are augmented is a pure function of the seed, the epoch and
/// the batch's place in it, so a run that is resumed at any batch sees the same ones.
pub struct TrainLoader {
    maker: Arc<TrainMaker>,
    prefetch: Prefetch<Result<Batch, DataError>>,
}

struct TrainMaker {
    images: Images,
    protocol: Protocol,
    batches: usize,
    /// The orders of the epochs in work: two at most.
    orders: Mutex<Vec<(u64, Arc<Vec<u32>>)>>,
}

/// The images of a loader, the way to prepare them, and memory for batches.
struct Images {
    pool: Pool,
    preparation: Preparation,
    stock: Arc<Stock>,
    side: usize,
}

impl TrainLoader {
    /// Reads the training images that `protocol` asks for, and begins with batch `index` of `epoch`.
    ///
    /// Small sets are decoded here, on all cores; larger ones while batches are prepared.
    ///
    /// # Errors
    /// If the data set has no such images, or one cannot be read.
    pub fn new(
        data: &DataSet,
        protocol: &Protocol,
        epoch: u64,
        index: usize,
    ) -> Result<Self, DataError> {
        check(data, protocol.side, protocol.batch)?;
        let images = Images::new(data, &data.select(Split::Train, protocol)?, protocol.side)?;
        let maker = Arc::new(TrainMaker {
            batches: images.pool.len().div_ceil(protocol.batch),
            images,
            protocol: protocol.clone(),
            orders: Mutex::default(),
        });
        let prefetch = start(&maker, epoch, index)?;
        Ok(Self { maker, prefetch })
    }

    /// Number of training images.
    #[must_use]
    pub fn images(&self) -> usize {
        self.maker.images.pool.len()
    }

    /// Batches in an epoch, the last one included that may be smaller.
    #[must_use]
    pub fn batches(&self) -> usize {
        self.maker.batches
    }

    /// Goes on with batch `index` of `epoch`.
    ///
    /// # Errors
    /// If threads cannot be started.
    pub fn seek(&mut self, epoch: u64, index: usize) -> Result<(), DataError> {
        self.prefetch = start(&self.maker, epoch, index)?;
        Ok(())
    }

    /// Whether the next batch is there without waiting for it.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.prefetch.is_ready()
    }

    /// The next batch; waits if it is not ready yet.
    ///
    /// # Errors
    /// If an image cannot be decoded.
    #[expect(
        clippy::should_implement_trait,
        reason = "there is always a next batch"
    )]
    pub fn next(&mut self) -> Result<Batch, DataError> {
        self.prefetch.next().unwrap_or(Err(DataError::ThreadDied))?
    }
}

fn start(
    maker: &Arc<TrainMaker>,
    epoch: u64,
    index: usize,
) -> Result<Prefetch<Result<Batch, DataError>>, DataError> {
    let maker = Arc::clone(maker);
    let batches = maker.batches as u64;
    let first = epoch * batches + index as u64;
    let threads = threads();
    Prefetch::start(threads, threads + SPARE_BATCHES, None, move |number| {
        let number = first + number;
        maker.make(number / batches, (number % batches) as usize)
    })
}

impl TrainMaker {
    fn make(&self, epoch: u64, index: usize) -> Result<Batch, DataError> {
        let Protocol {
            batch,
            seed,
            augment,
            ..
        } = self.protocol;
        let order = self.order(epoch);
        let positions = &order[index * batch..((index + 1) * batch).min(order.len())];
        let mut stream = random::stream(seed, &format!("data/augment/{epoch}/{index}"));
        let cuts = positions.iter().map(|&position| {
            let cut = if augment {
                self.images.preparation.random_cut(&mut stream)
            } else {
                self.images.preparation.centre_cut()
            };
            (position as usize, cut)
        });
        self.images.batch(epoch, index, cuts)
    }

    /// The order of the images in an epoch.
    fn order(&self, epoch: u64) -> Arc<Vec<u32>> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, order)) = orders.iter().find(|(e, _)| *e == epoch) {
            return Arc::clone(order);
        }
        let mut order: Vec<u32> = (0..self.images.pool.len() as u32).collect();
        order.shuffle(&mut random::stream(
            self.protocol.seed,
            &format!("data/epoch/{epoch}"),
        ));
        let order = Arc::new(order);
        if orders.len() > 1 {
            orders.remove(0);
        }
        orders.push((epoch, Arc::clone(&order)));
        order
    }
}

impl Images {
    fn new(data: &DataSet, selection: &Selection, side: usize) -> Result<Self, DataError> {
        let frame = data.frame(side);
        Ok(Self {
            pool: Pool::new(selection, frame)?,
            preparation: Preparation::new(frame, data.flip, data.normalisation(side)),
            // The batches that wait or are in work, and the one that is consumed.
            stock: Stock::new(threads() + SPARE_BATCHES + 1),
            side,
        })
    }

    /// Prepares the images at some positions of the pool.
    fn batch(
        &self,
        epoch: u64,
        index: usize,
        cuts: impl ExactSizeIterator<Item = (usize, Cut)>,
    ) -> Result<Batch, DataError> {
        let (batch, length) = (cuts.len(), self.preparation.len());
        let mut pixels = self.stock.take(batch * length);
        let mut labels = Vec::with_capacity(batch);
        for ((position, cut), out) in cuts.zip(pixels.values_mut().chunks_exact_mut(length)) {
            self.pool
                .with(position, |stored| self.preparation.write(stored, cut, out))?;
            labels.push(self.pool.labels[position]);
        }
        Ok(Batch {
            pixels,
            labels,
            batch,
            side: self.side,
            epoch,
            index,
        })
    }
}

/// Threads for one loader: as many as the program may use, within reason. They sleep while enough
/// batches wait.
fn threads() -> usize {
    rayon::current_num_threads().clamp(1, MOST_THREADS)
}

fn check(data: &DataSet, side: usize, batch: usize) -> Result<(), DataError> {
    let problem = if batch == 0 {
        "the batch size must be at least 1".to_owned()
    } else if !(1..=LARGEST_SIDE).contains(&side) {
        format!("the image side must be 1 to {LARGEST_SIDE} pixels, not {side}")
    } else {
        return Ok(());
    };
    Err(DataError::Option {
        name: data.name.clone(),
        problem,
    })
}
