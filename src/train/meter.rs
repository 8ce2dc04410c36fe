//! Running means between two train events, and when the next one is due.

use std::time::{Duration, Instant};

use super::Event;

/// An event after this many steps, unless the last was just now.
const STEPS: u64 = 20;
/// Fast networks: no event sooner than this after the last.
const SHORTEST: Duration = Duration::from_millis(200);
/// Slow networks: an event for every step that ends later than this after the last.
const LONGEST: Duration = Duration::from_millis(500);

/// What one optimiser step gave.
#[derive(Clone, Copy, Debug)]
pub struct StepResult {
    /// Mean over the batch.
    pub loss: f64,
    pub correct: usize,
    pub images: usize,
    pub grad_norm: f64,
    /// From asking for images to the end of the update.
    pub took: Duration,
    /// The part of it that was spent waiting for images, with no step at work.
    pub waited: Duration,
}

/// Sums since the last train event.
#[derive(Debug)]
pub struct Meter {
    loss: f64,
    correct: u64,
    images: u64,
    grad_norm: f64,
    steps: u64,
    took: Duration,
    waited: Duration,
    told: Instant,
}

impl Meter {
    #[must_use]
    pub fn new() -> Self {
        Self {
            loss: 0.0,
            correct: 0,
            images: 0,
            grad_norm: 0.0,
            steps: 0,
            took: Duration::ZERO,
            waited: Duration::ZERO,
            told: Instant::now(),
        }
    }

    pub fn add(&mut self, step: &StepResult) {
        self.loss += step.loss * step.images as f64;
        self.correct += step.correct as u64;
        self.images += step.images as u64;
        self.grad_norm += step.grad_norm;
        self.steps += 1;
        self.took += step.took;
        self.waited += step.waited;
    }

    /// Whether it is time for an event.
    #[must_use]
    pub fn is_due(&self) -> bool {
        let since = self.told.elapsed();
        since >= LONGEST || (self.steps >= STEPS && since >= SHORTEST)
    }

    /// The event over everything since the last one, which begins anew; none if there was no step.
    pub fn take(&mut self, step: u64, epoch: f64, lr: f64) -> Option<Event> {
        let sums = std::mem::replace(self, Self::new());
        if sums.steps == 0 {
            return None;
        }
        let images = sums.images.max(1) as f64;
        let seconds = sums.took.as_secs_f64().max(1e-9);
        Some(Event::Train {
            step,
            epoch,
            loss: sums.loss / images,
            top1: 100.0 * sums.correct as f64 / images,
            lr,
            grad_norm: sums.grad_norm / sums.steps as f64,
            images_per_s: sums.images as f64 / seconds,
            data_wait: sums.waited.as_secs_f64() / seconds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_holds_means_over_images_and_begins_anew() {
        let mut meter = Meter::new();
        for (loss, images) in [(1.0, 30), (4.0, 10)] {
            meter.add(&StepResult {
                loss,
                correct: images / 2,
                images,
                grad_norm: loss,
                took: Duration::from_secs(1),
                waited: Duration::from_millis(250),
            });
        }
        let Some(Event::Train {
            loss,
            top1,
            grad_norm,
            images_per_s,
            data_wait,
            ..
        }) = meter.take(2, 0.5, 0.1)
        else {
            panic!("two steps make an event");
        };
        assert_eq!((loss, top1, grad_norm), (1.75, 50.0, 2.5));
        assert_eq!((images_per_s, data_wait), (20.0, 0.25));
        assert_eq!(meter.take(2, 0.5, 0.1), None);
    }
}
