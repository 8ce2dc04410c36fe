//! Loss and accuracy over a set of images.

use serde::{Deserialize, Serialize};

use super::{Event, Split};

/// With fewer classes, "among the five best" says little.
const TOP5_CLASSES: usize = 6;

/// Result of one pass over a split.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Mean cross-entropy, in nats.
    #[serde(with = "crate::stats::nullable")]
    pub loss: f64,
    /// Percent.
    pub top1: f64,
    /// Percent; absent for fewer than six classes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub top5: Option<f64>,
    pub images: u64,
    pub seconds: f64,
}

impl Metrics {
    /// The event that tells of this pass.
    #[must_use]
    pub const fn event(&self, step: u64, epoch: f64, split: Split) -> Event {
        Event::Eval {
            step,
            epoch,
            split,
            loss: self.loss,
            top1: self.top1,
            top5: self.top5,
            images: self.images,
            seconds: self.seconds,
        }
    }
}

/// Sums over images, from which [`Metrics`] are made.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    loss: f64,
    top1: u64,
    top5: u64,
    images: u64,
    classes: usize,
}

impl Tally {
    /// Counts a batch: `logits` is `[batch, classes]`, row-major.
    pub fn add(&mut self, logits: &[f32], labels: &[u32]) {
        if labels.is_empty() {
            return;
        }
        self.classes = logits.len() / labels.len();
        for (row, &label) in logits.chunks_exact(self.classes).zip(labels) {
            self.loss += cross_entropy(row, label as usize);
            let rank = rank(row, label as usize);
            self.top1 += u64::from(rank == 0);
            self.top5 += u64::from(rank < 5);
            self.images += 1;
        }
    }

    /// Images so far.
    #[must_use]
    pub const fn images(&self) -> u64 {
        self.images
    }

    /// Means over all images so far.
    #[must_use]
    pub fn metrics(&self, seconds: f64) -> Metrics {
        let images = self.images.max(1) as f64;
        let percent = |count: u64| 100.0 * count as f64 / images;
        Metrics {
            loss: self.loss / images,
            top1: percent(self.top1),
            top5: (self.classes >= TOP5_CLASSES).then(|| percent(self.top5)),
            images: self.images,
            seconds,
        }
    }
}

/// `log(sum(exp(row))) - row[label]`, without overflow.
fn cross_entropy(row: &[f32], label: usize) -> f64 {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = row.iter().map(|&x| f64::from(x - largest).exp()).sum();
    sum.ln() + f64::from(largest) - f64::from(row[label])
}

/// How many classes score higher than the right one. Of equal scores the first wins, as with
/// PyTorch's argmax; a score that is not a number is never right.
fn rank(row: &[f32], label: usize) -> usize {
    let right = row[label];
    if right.is_nan() {
        return row.len();
    }
    row.iter()
        .enumerate()
        .filter(|&(class, &x)| x > right || x.is_nan() || (x == right && class < label))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_and_accuracy_are_means_over_images() {
        let mut tally = Tally::default();
        let (right, wrong) = ([0.0, 2.0, 0.0], [5.0, 0.0, 0.0]);
        tally.add(&[right, wrong].concat(), &[1, 2]);
        let metrics = tally.metrics(1.0);
        let expected = ((2.0 + 2f64.exp()).ln() - 2.0 + (5f64.exp() + 2.0).ln()) / 2.0;
        assert!((metrics.loss - expected).abs() < 1e-12);
        assert_eq!(metrics.top1, 50.0);
        assert_eq!(metrics.top5, None);
        assert_eq!(metrics.images, 2);
    }

    #[test]
    fn five_best_of_many_classes() {
        let row: Vec<f32> = (0..10).map(|x| x as f32).collect();
        let mut tally = Tally::default();
        tally.add(&[row.clone(), row.clone(), row].concat(), &[9, 5, 4]);
        let metrics = tally.metrics(0.0);
        assert!((metrics.top1 - 100.0 / 3.0).abs() < 1e-9);
        assert!((metrics.top5.unwrap() - 200.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn equal_scores_count_for_the_first_class_only() {
        let mut tally = Tally::default();
        tally.add(&[1.0; 4], &[0, 1]);
        assert_eq!(tally.metrics(0.0).top1, 50.0);
    }

    #[test]
    fn scores_that_are_not_numbers_are_never_right() {
        let mut tally = Tally::default();
        tally.add(&[f32::NAN; 4], &[0, 1]);
        let metrics = tally.metrics(0.0);
        assert_eq!(metrics.top1, 0.0);
        assert!(metrics.loss.is_nan());
    }

    #[test]
    fn huge_scores_do_not_overflow() {
        assert_eq!(cross_entropy(&[3e38, -3e38], 0), 0.0);
    }
}
