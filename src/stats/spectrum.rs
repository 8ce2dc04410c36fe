//! What singular values say about a matrix.

/// Longest outline.
const OUTLINE: usize = 16;

/// The singular values of a matrix, falling, with the length of its longer side.
#[derive(Clone, Debug, PartialEq)]
pub struct Spectrum {
    sigma: Vec<f64>,
    longer_side: usize,
}

impl Spectrum {
    /// Singular values in falling order, of a matrix whose longer side is `longer_side`.
    #[must_use]
    pub const fn new(sigma: Vec<f64>, longer_side: usize) -> Self {
        Self { sigma, longer_side }
    }

    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.sigma
    }

    /// The largest singular value.
    #[must_use]
    pub fn largest(&self) -> f64 {
        self.sigma.first().copied().unwrap_or_default()
    }

    /// The smallest of all singular values, zero included.
    #[must_use]
    pub fn smallest(&self) -> f64 {
        self.sigma.last().copied().unwrap_or_default()
    }

    /// How many singular values lie above `longer side * eps * largest` with the 32-bit `eps`, as
    /// `torch.linalg.matrix_rank` counts them.
    #[must_use]
    pub fn rank(&self) -> usize {
        let tolerance = self.longer_side as f64 * f64::from(f32::EPSILON) * self.largest();
        self.sigma.iter().filter(|s| **s > tolerance).count()
    }

    /// `exp(-sum p ln p)` with `p = sigma^2 / sum sigma^2`: how many equal singular values would be
    /// as spread out. Zero for a matrix of zeros.
    #[must_use]
    pub fn effective_rank(&self) -> f64 {
        let total = self.squares();
        if total == 0.0 {
            return 0.0;
        }
        let shares = self.sigma.iter().map(|s| s * s / total);
        let entropy: f64 = shares.filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum();
        entropy.exp()
    }

    /// `sum sigma^2 / largest^2`. Zero for a matrix of zeros.
    #[must_use]
    pub fn stable_rank(&self) -> f64 {
        let largest = self.largest();
        if largest == 0.0 {
            return 0.0;
        }
        self.squares() / (largest * largest)
    }

    fn squares(&self) -> f64 {
        self.sigma.iter().map(|s| s * s).sum()
    }

    /// Up to 16 singular values, evenly spaced from the largest to the smallest, divided by the
    /// largest.
    #[must_use]
    pub fn outline(&self) -> Vec<f32> {
        let (count, largest) = (self.sigma.len(), self.largest());
        let shown = count.min(OUTLINE);
        let last = (shown.max(2) - 1) as f64;
        (0..shown)
            .map(|i| (i as f64 * (count - 1) as f64 / last).round() as usize)
            .map(|index| match largest {
                0.0 => 0.0,
                largest => (self.sigma[index] / largest) as f32,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_singular_values_have_full_rank_in_every_sense() {
        let spectrum = Spectrum::new(vec![2.0; 5], 9);
        assert_eq!(spectrum.rank(), 5);
        assert!((spectrum.effective_rank() - 5.0).abs() < 1e-12);
        assert!((spectrum.stable_rank() - 5.0).abs() < 1e-12);
    }

    #[test]
    fn the_rank_leaves_out_what_rounding_makes() {
        let spectrum = Spectrum::new(vec![1.0, 1e-3, 1e-7, 0.0], 100);
        assert_eq!(spectrum.rank(), 2);
        assert_eq!(spectrum.smallest(), 0.0);
    }

    #[test]
    fn zeros_are_numbers() {
        let spectrum = Spectrum::new(vec![0.0; 3], 3);
        assert_eq!((spectrum.rank(), spectrum.effective_rank()), (0, 0.0));
        assert_eq!(spectrum.stable_rank(), 0.0);
        assert_eq!(spectrum.outline(), [0.0; 3]);
        assert!(Spectrum::new(Vec::new(), 0).outline().is_empty());
    }

    #[test]
    fn an_outline_runs_from_the_first_to_the_last() {
        let sigma: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let outline = Spectrum::new(sigma, 100).outline();
        assert_eq!(outline.len(), 16);
        assert_eq!((outline[0], outline[15]), (1.0, 0.01));
        assert_eq!(Spectrum::new(vec![4.0], 1).outline(), [1.0]);
    }
}
