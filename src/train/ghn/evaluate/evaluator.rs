//! Evaluates networks one after the other on the same images, with the parameters that a GHN predicts and with
//! random ones.

use std::ops::ControlFlow;

use super::{
    EvaluatedNetwork, EvaluationSetting, GhnEvaluation, evaluate_predicted, evaluate_untrained,
    network,
};
use crate::data::{self, DataSet, EvalLoader, Protocol};
use crate::ghn::Ghn;
use crate::init::random;
use crate::nn::Placement;
use crate::train::TrainError;

/// Seed of the random networks that show what chance is.
const RANDOM_SEED: u64 = 0;

/// Networks of each split of DeepNets-1M, unless told otherwise.
pub const USUAL_NETWORKS: u32 = 20;
/// Images in a batch, as in the published evaluations: with batch statistics the result depends on it.
pub const USUAL_BATCH: u32 = 64;
/// Height and width of the images.
pub const USUAL_SIDE: u32 = 32;

/// What networks are evaluated on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvaluatorOptions {
    /// Height and width of the images.
    pub side: u32,
    /// Images in a batch: with batch statistics the result depends on it.
    pub batch: u32,
    /// Only so many test images, drawn from all; none for all.
    pub images: Option<u32>,
    /// Of the images that are drawn, and of their order.
    pub seed: u64,
    /// Whether every network is also evaluated with random parameters.
    pub random: bool,
}

/// A GHN, and the images that its networks see.
pub struct Evaluator<'a> {
    ghn: &'a Ghn,
    data: String,
    loader: EvalLoader,
    placement: Placement,
    options: EvaluatorOptions,
}

impl<'a> Evaluator<'a> {
    /// Prepares the test images.
    ///
    /// # Errors
    /// If the data has other classes than the GHN was made for, or no such images.
    pub fn new(
        ghn: &'a Ghn,
        data: &DataSet,
        options: EvaluatorOptions,
        placement: Placement,
    ) -> Result<Self, TrainError> {
        let (has, wants) = (ghn.config().num_classes, data.classes.len());
        if has != wants {
            return Err(TrainError::BadTask(format!(
                "the GHN {} predicts classifiers of {has} classes, and {} has {wants}; take the data that it \
                 was trained on, or a GHN for these",
                ghn.name(),
                data.name
            )));
        }
        let protocol = Protocol {
            side: options.side as usize,
            batch: options.batch as usize,
            seed: options.seed,
            augment: false,
            ..Protocol::default()
        };
        let limit = options.images.map(|n| n as usize);
        // Batch statistics of a batch of one class would be no fair sample.
        let loader = EvalLoader::mixed(data, data::Split::Test, &protocol, limit);
        Ok(Self {
            ghn,
            data: data.name.clone(),
            loader: loader.map_err(|source| TrainError::Data {
                doing: "preparing the test images",
                source,
            })?,
            placement,
            options,
        })
    }

    /// An evaluation without any part yet.
    ///
    /// # Errors
    /// If the GHN's file cannot be read any more.
    pub fn begin(&self) -> Result<GhnEvaluation, TrainError> {
        Ok(GhnEvaluation {
            ghn: self.ghn.name().to_owned(),
            hash: self.ghn.hash().map_err(TrainError::Ghn)?.to_owned(),
            trained: self.ghn.trained(),
            setting: EvaluationSetting {
                data: self.data.clone(),
                images: self.loader.images() as u64,
                batch: self.options.batch,
                side: self.options.side,
            },
            splits: Vec::new(),
        })
    }

    /// Batches that one network takes.
    #[must_use]
    pub fn batches(&self) -> u64 {
        self.loader.batches() as u64 * if self.options.random { 2 } else { 1 }
    }

    /// Evaluates the network of this name. `after_batch` is called [`Evaluator::batches`] times; None if it breaks.
    ///
    /// # Errors
    /// If there is no such network, images cannot be read or do not fit it, or memory runs out.
    pub fn network(
        &mut self,
        name: &str,
        after_batch: &mut dyn FnMut() -> ControlFlow<()>,
    ) -> Result<Option<EvaluatedNetwork>, TrainError> {
        let side = self.options.side as usize;
        let arch = network(name, self.ghn.config().num_classes, side)?;
        let (loader, placement) = (&mut self.loader, self.placement);
        let mut chance = None;
        if self.options.random {
            let state = random::state(&arch, RANDOM_SEED);
            let metrics = evaluate_untrained(&arch, &state, loader, placement, |_| after_batch())?;
            let Some(metrics) = metrics else {
                return Ok(None);
            };
            chance = Some(metrics.top1);
        }
        let predicted = evaluate_predicted(self.ghn, &arch, loader, placement, |_| after_batch())?;
        Ok(predicted.map(|predicted| EvaluatedNetwork {
            predicted,
            random: chance,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ghn::Config;
    use crate::train::{EvaluatedPart, Part};

    const OPTIONS: EvaluatorOptions = EvaluatorOptions {
        side: 16,
        batch: 10,
        images: Some(20),
        seed: 1,
        random: true,
    };

    fn tiny(classes: usize) -> Ghn {
        let config = Config {
            hid: 8,
            max_shape: [8, 8, 11, 11],
            num_classes: classes,
            ..Config::ghn2_cifar10()
        };
        Ghn::untrained(&config, 1).unwrap()
    }

    fn synthetic() -> DataSet {
        data::open("synthetic", &std::collections::BTreeMap::new()).unwrap()
    }

    #[test]
    fn a_network_is_evaluated_as_predicted_and_at_random() {
        let (ghn, data) = (tiny(10), synthetic());
        let mut evaluator = Evaluator::new(&ghn, &data, OPTIONS, Placement::default()).unwrap();
        let mut evaluation = evaluator.begin().unwrap();
        assert_eq!((evaluation.setting.images, evaluator.batches()), (20, 4));
        let mut batches = 0;
        let mut count = || {
            batches += 1;
            ControlFlow::Continue(())
        };
        let found = evaluator.network("deepnets/test:0", &mut count).unwrap();
        let found = found.unwrap();
        assert_eq!(batches, 4);
        assert_eq!(found.predicted.metrics.images, 20);
        assert!(found.random.is_some());
        evaluation.take(EvaluatedPart::of(Part::Test, &[found]).unwrap());
        evaluation.check().unwrap();
    }

    #[test]
    fn it_gives_up_when_told_so() {
        let (ghn, data) = (tiny(10), synthetic());
        let mut evaluator = Evaluator::new(&ghn, &data, OPTIONS, Placement::default()).unwrap();
        let found = evaluator.network("deepnets/test:0", &mut || ControlFlow::Break(()));
        assert_eq!(found.unwrap(), None);
    }

    #[test]
    fn data_of_other_classes_are_refused() {
        let (ghn, data) = (tiny(7), synthetic());
        let refused = Evaluator::new(&ghn, &data, OPTIONS, Placement::default());
        let message = refused.err().unwrap().to_string();
        assert!(
            message.contains("of 7 classes") && message.contains("has 10"),
            "{message}"
        );
    }
}
