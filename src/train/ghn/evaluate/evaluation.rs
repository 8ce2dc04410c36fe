//! What an evaluation of a GHN found, part by part. This is the JSON of `ghn eval`.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Part, PredictedNetwork};
use crate::stats::Sample;

/// Networks of one part beyond which a document is damaged rather than thorough.
const MOST_NETWORKS: usize = 10_000;

/// What an evaluation was made on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluationSetting {
    /// Name of the data set.
    pub data: String,
    /// Test images that each network saw.
    pub images: u64,
    /// Images in a batch, whose statistics batch norms use.
    pub batch: u32,
    /// Height and width of the images.
    pub side: u32,
}

/// How good a GHN is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GhnEvaluation {
    /// The GHN's name.
    pub ghn: String,
    /// See [`Ghn::hash`](crate::ghn::Ghn::hash).
    pub hash: String,
    pub trained: bool,
    #[serde(flatten)]
    pub setting: EvaluationSetting,
    pub splits: Vec<EvaluatedPart>,
}

/// Networks of one part, and how well they did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvaluatedPart {
    pub split: Part,
    /// How many networks.
    pub nets: usize,
    #[serde(flatten)]
    pub predicted: Accuracy,
    /// Of the same networks with random parameters: what chance is.
    pub random: Option<Accuracy>,
    pub cases: Vec<PredictedNetwork>,
}

/// Accuracies of some networks, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    pub mean: f64,
    /// Standard error of the mean; none for one network.
    pub sem: Option<f64>,
    pub max: f64,
}

/// One network with predicted parameters, and its accuracy with random ones in percent.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluatedNetwork {
    pub predicted: PredictedNetwork,
    pub random: Option<f64>,
}

/// Why a document is no evaluation.
#[derive(Debug, Error)]
pub enum BadEvaluation {
    #[error("this is not what `ghn eval --json` prints: {0}")]
    NotJson(#[from] serde_json::Error),
    #[error("the part {part} has an accuracy of {value} %")]
    Accuracy { part: &'static str, value: f64 },
    #[error("the part {part} speaks of {nets} networks and lists {listed}")]
    Networks {
        part: &'static str,
        nets: usize,
        listed: usize,
    },
    #[error("the part {0} is there twice")]
    Twice(&'static str),
}

impl GhnEvaluation {
    /// Reads what `ghn eval --json` prints.
    ///
    /// # Errors
    /// [`BadEvaluation`], also for numbers that cannot be.
    pub fn parse(json: &str) -> Result<Self, BadEvaluation> {
        let read: Self = serde_json::from_str(json)?;
        read.check()?;
        Ok(read)
    }

    /// Reads the evaluations that came with a GHN, see [`Ghn::evaluations`](crate::ghn::Ghn::evaluations).
    ///
    /// # Errors
    /// As [`GhnEvaluation::parse`].
    pub fn list(json: &str) -> Result<Vec<Self>, BadEvaluation> {
        let read: Vec<Self> = serde_json::from_str(json)?;
        read.iter().try_for_each(Self::check)?;
        Ok(read)
    }

    /// Whether all of its numbers can be.
    ///
    /// # Errors
    /// [`BadEvaluation`] with the first that cannot.
    pub fn check(&self) -> Result<(), BadEvaluation> {
        for (at, part) in self.splits.iter().enumerate() {
            part.check()?;
            if self.splits[..at].iter().any(|p| p.split == part.split) {
                return Err(BadEvaluation::Twice(part.split.word()));
            }
        }
        Ok(())
    }

    /// The part, if it was evaluated.
    #[must_use]
    pub fn part(&self, of: Part) -> Option<&EvaluatedPart> {
        self.splits.iter().find(|part| part.split == of)
    }

    /// Takes a part in, in the place of an earlier one unless that says more. Parts keep their order.
    pub fn take(&mut self, part: EvaluatedPart) {
        match self.splits.iter_mut().find(|p| p.split == part.split) {
            Some(old) if old.says_more_than(&part) => {}
            Some(old) => *old = part,
            None => {
                self.splits.push(part);
                self.splits.sort_by_key(|part| part.split);
            }
        }
    }
}

impl EvaluatedPart {
    /// None without networks. `random` is there if it is known of every network.
    #[must_use]
    pub fn of(split: Part, networks: &[EvaluatedNetwork]) -> Option<Self> {
        let predicted: Vec<f64> = networks
            .iter()
            .map(|net| net.predicted.metrics.top1)
            .collect();
        let random: Option<Vec<f64>> = networks.iter().map(|net| net.random).collect();
        Some(Self {
            split,
            nets: networks.len(),
            predicted: Accuracy::of(&predicted)?,
            random: random.and_then(|values| Accuracy::of(&values)),
            cases: networks.iter().map(|net| net.predicted.clone()).collect(),
        })
    }

    /// The network with the highest accuracy.
    #[must_use]
    pub fn best(&self) -> Option<&PredictedNetwork> {
        let by_accuracy = |a: &&PredictedNetwork, b: &&PredictedNetwork| {
            a.metrics.top1.total_cmp(&b.metrics.top1)
        };
        self.cases.iter().max_by(by_accuracy)
    }

    /// More networks, or as many and what chance is besides.
    const fn says_more_than(&self, other: &Self) -> bool {
        self.nets > other.nets
            || self.nets == other.nets && self.random.is_some() && other.random.is_none()
    }

    fn check(&self) -> Result<(), BadEvaluation> {
        let part = self.split.word();
        let (nets, listed) = (self.nets, self.cases.len());
        if nets != listed || nets == 0 || nets > MOST_NETWORKS {
            return Err(BadEvaluation::Networks { part, nets, listed });
        }
        let of = |accuracy: &Accuracy| [accuracy.mean, accuracy.sem.unwrap_or(0.0), accuracy.max];
        let means = of(&self.predicted).into_iter();
        let means = means.chain(self.random.iter().flat_map(of));
        let mut all = means.chain(self.cases.iter().map(|net| net.metrics.top1));
        match all.find(|value| !(0.0..=100.0).contains(value)) {
            Some(value) => Err(BadEvaluation::Accuracy { part, value }),
            None => Ok(()),
        }
    }
}

impl Accuracy {
    /// None without networks.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let sample = Sample::of(values)?;
        Some(Self {
            mean: sample.mean,
            sem: sample.standard_error(),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

/// `40.5 ± 1.0`.
impl fmt::Display for Accuracy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}", self.mean)?;
        match self.sem {
            Some(error) => write!(f, " ± {error:.1}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Metrics;

    fn network(top1: f64, random: Option<f64>) -> EvaluatedNetwork {
        let metrics = Metrics {
            loss: f64::NAN,
            top1,
            top5: Some(90.0),
            images: 500,
            seconds: 0.5,
        };
        EvaluatedNetwork {
            predicted: PredictedNetwork {
                name: format!("net{top1}"),
                params: 10,
                metrics,
            },
            random,
        }
    }

    fn evaluation(parts: Vec<EvaluatedPart>) -> GhnEvaluation {
        GhnEvaluation {
            ghn: "default".to_owned(),
            hash: "ab".to_owned(),
            trained: true,
            setting: EvaluationSetting {
                data: "synthetic".to_owned(),
                images: 500,
                batch: 64,
                side: 32,
            },
            splits: parts,
        }
    }

    fn part(split: Part, accuracies: &[f64], random: Option<f64>) -> EvaluatedPart {
        let networks: Vec<_> = accuracies.iter().map(|a| network(*a, random)).collect();
        EvaluatedPart::of(split, &networks).unwrap()
    }

    #[test]
    fn a_part_has_mean_error_and_best_network() {
        let part = part(Part::Test, &[40.0, 44.0], Some(10.0));
        assert_eq!(part.predicted.to_string(), "42.0 ± 2.0");
        assert_eq!(part.best().unwrap().name, "net44");
        assert_eq!(part.random.unwrap().mean, 10.0);
        assert_eq!(EvaluatedPart::of(Part::Test, &[]), None);
    }

    #[test]
    fn chance_is_unknown_if_one_network_lacks_it() {
        let networks = [network(40.0, Some(10.0)), network(44.0, None)];
        assert_eq!(
            EvaluatedPart::of(Part::Deep, &networks).unwrap().random,
            None
        );
    }

    #[test]
    fn the_json_keeps_its_order_and_a_loss_that_is_no_number_survives() {
        let written = evaluation(vec![part(Part::Test, &[40.0], None)]);
        let json = serde_json::to_string(&written).unwrap();
        let keys = [
            "ghn", "hash", "trained", "data", "images", "batch", "side", "splits", "split", "nets",
            "mean", "sem", "max", "random", "cases", "name", "params", "loss",
        ];
        let places: Vec<usize> = keys
            .iter()
            .map(|key| json.find(&format!("\"{key}\":")).unwrap())
            .collect();
        assert!(places.is_sorted(), "{json}");
        let read = GhnEvaluation::parse(&json).unwrap();
        assert!(read.splits[0].cases[0].metrics.loss.is_nan());
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
    }

    #[test]
    fn a_later_part_replaces_an_earlier_one_unless_that_says_more() {
        let mut kept = evaluation(vec![part(Part::Deep, &[30.0, 31.0], Some(10.0))]);
        kept.take(part(Part::Test, &[40.0], None));
        let order: Vec<Part> = kept.splits.iter().map(|p| p.split).collect();
        assert_eq!(order, [Part::Test, Part::Deep]);
        kept.take(part(Part::Deep, &[50.0], Some(10.0)));
        kept.take(part(Part::Deep, &[50.0, 50.0], None));
        assert_eq!(kept.part(Part::Deep).unwrap().predicted.mean, 30.5);
        kept.take(part(Part::Deep, &[50.0, 50.0], Some(9.0)));
        assert_eq!(kept.part(Part::Deep).unwrap().predicted.mean, 50.0);
    }

    #[test]
    fn numbers_that_cannot_be_are_named() {
        let refused = |change: fn(&mut GhnEvaluation)| {
            let mut made = evaluation(vec![part(Part::Wide, &[40.0], Some(10.0))]);
            change(&mut made);
            let json = serde_json::to_string(&made).unwrap();
            GhnEvaluation::parse(&json).unwrap_err().to_string()
        };
        let message = refused(|e| e.splits[0].predicted.mean = 140.0);
        assert!(
            message.contains("wide") && message.contains("140"),
            "{message}"
        );
        assert!(refused(|e| e.splits[0].nets = 3).contains("3 networks and lists 1"));
        assert!(refused(|e| e.splits.push(e.splits[0].clone())).contains("twice"));
        let message = GhnEvaluation::parse("[]").unwrap_err().to_string();
        assert!(message.contains("ghn eval --json"), "{message}");
    }
}
