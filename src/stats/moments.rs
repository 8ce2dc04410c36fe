//! Mean and standard deviation.

/// Of numbers, all of which count alike; not a number without any.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    pub mean: f64,
    /// Standard deviation of the numbers themselves: squares are divided by their count.
    pub deviation: f64,
}

impl Moments {
    /// Walks through the numbers twice, which loses nothing where they are large and close together.
    #[must_use]
    pub fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let count = values.clone().count() as f64;
        let mean = values.clone().sum::<f64>() / count;
        let squares: f64 = values.map(|v| (v - mean).powi(2)).sum();
        Self {
            mean,
            deviation: (squares / count).sqrt(),
        }
    }
}
