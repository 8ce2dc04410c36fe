//! The learning rate over the epochs.

use std::f64::consts::PI;

/// Cosine from the first rate to zero, stepped once an epoch: the rate of epoch `e` of `E`, counted
/// from 0, is `base (1 + cos(pi e / E)) / 2`, as PyTorch's `CosineAnnealingLR` with `eta_min` 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cosine {
    /// Rate of the first epoch.
    pub base: f64,
    /// Length in epochs.
    pub epochs: u32,
}

impl Cosine {
    /// The rate of `epoch`, counted from 0.
    #[must_use]
    pub fn lr(&self, epoch: u32) -> f64 {
        self.base * self.factor(epoch)
    }

    /// Makes `lr` the rate of `epoch`; the later ones fall from there to zero. (PyTorch's recursion
    /// does the same when somebody writes to the optimiser's rate.)
    pub fn set(&mut self, epoch: u32, lr: f64) {
        self.base = lr / self.factor(epoch);
    }

    fn factor(&self, epoch: u32) -> f64 {
        if epoch >= self.epochs {
            return 0.0;
        }
        (1.0 + (PI * f64::from(epoch) / f64::from(self.epochs)).cos()) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `torch.optim.lr_scheduler.CosineAnnealingLR(SGD(lr=0.025), 5)`, stepped after each epoch.
    const TORCH: [f64; 5] = [
        0.025,
        0.022_612_712_429_686_843,
        0.016_362_712_429_686_845,
        0.008_637_287_570_313_157,
        0.002_387_287_570_313_157,
    ];

    #[test]
    fn rates_are_those_of_pytorch() {
        let cosine = Cosine {
            base: 0.025,
            epochs: 5,
        };
        for (epoch, expected) in (0..).zip(TORCH) {
            assert!((cosine.lr(epoch) - expected).abs() < 1e-15, "{epoch}");
        }
        assert_eq!(cosine.lr(5), 0.0);
    }

    #[test]
    fn a_new_rate_holds_at_once_and_falls_to_zero() {
        let mut cosine = Cosine {
            base: 0.1,
            epochs: 4,
        };
        cosine.set(2, 0.5);
        assert!((cosine.lr(2) - 0.5).abs() < 1e-15);
        assert!(cosine.lr(3) < 0.5);
        assert_eq!(cosine.lr(4), 0.0);
    }
}
