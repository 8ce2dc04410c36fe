//! What published GHNs reach, to be set beside one's own.

use super::{EvaluationSetting, Part};

/// A published GHN's accuracy on a part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PublishedAccuracy {
    pub ghn: &'static str,
    /// Percent, a mean over networks.
    pub top1: f64,
}

/// On CIFAR-10's test images, 32x32: Knyazev et al. 2021 (arXiv:2110.13100). Columns: GHN-2, GHN-1, the MLP
/// baseline.
const CIFAR10: [(Part, [f64; 3]); 5] = [
    (Part::Test, [66.9, 51.4, 42.2]),
    (Part::Wide, [64.0, 43.1, 22.3]),
    (Part::Deep, [60.5, 48.3, 37.9]),
    (Part::Dense, [65.8, 51.8, 44.8]),
    (Part::BnFree, [36.8, 13.7, 23.9]),
];

const GHNS: [&str; 3] = ["GHN-2", "GHN-1", "MLP"];

/// Published accuracies on a part, the best GHN first; none for other data than CIFAR-10 at 32x32.
#[must_use]
pub fn published_accuracies(setting: &EvaluationSetting, part: Part) -> Vec<PublishedAccuracy> {
    if setting.side != 32 || !is_cifar10(&setting.data) {
        return Vec::new();
    }
    let row = CIFAR10.iter().find(|(of, _)| *of == part);
    let accuracies = row
        .into_iter()
        .flat_map(|(_, row)| GHNS.into_iter().zip(row));
    accuracies
        .map(|(ghn, &top1)| PublishedAccuracy { ghn, top1 })
        .collect()
}

/// By the name of its folder or file: `cifar10`, `CIFAR-10`, `cifar-10-batches-bin`.
fn is_cifar10(data: &str) -> bool {
    let letters = data.chars().filter(|c| c.is_alphanumeric());
    let word = letters.collect::<String>().to_lowercase();
    word.strip_prefix("cifar10")
        .is_some_and(|rest| !rest.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cifar10_at_its_own_size_has_published_numbers() {
        let on = |data: &str, side| {
            let setting = EvaluationSetting {
                data: data.to_owned(),
                images: 10_000,
                batch: 64,
                side,
            };
            published_accuracies(&setting, Part::Deep)
        };
        for name in ["cifar10", "CIFAR-10", "cifar-10-batches-bin"] {
            let found = on(name, 32);
            assert_eq!((found[0].ghn, found[0].top1), ("GHN-2", 60.5), "{name}");
        }
        assert!(on("cifar100", 32).is_empty());
        assert!(on("synthetic", 32).is_empty());
        assert!(on("cifar10", 64).is_empty());
    }
}
