//! Which networks a GHN is evaluated on.

use serde::{Deserialize, Serialize};

use crate::arch::deepnets::{self, Split};

/// Networks of torchvision, one or two of each family that can be run on small images.
const ZOO: [&str; 14] = [
    "resnet18",
    "resnet50",
    "convnext_tiny",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "efficientnet_b0",
    "densenet121",
    "mnasnet1_0",
    "shufflenet_v2_x1_0",
    "squeezenet1_1",
    "regnet_y_400mf",
    "regnet_x_400mf",
    "resnext50_32x4d",
    "wide_resnet50_2",
];

/// A split of DeepNets-1M, or networks of torchvision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    Test,
    Wide,
    Deep,
    Dense,
    BnFree,
    Zoo,
    /// Not among the usual ones: it chooses the best checkpoint of a training.
    Val,
}

impl Part {
    pub const ALL: [Self; 7] = [
        Self::Test,
        Self::Wide,
        Self::Deep,
        Self::Dense,
        Self::BnFree,
        Self::Zoo,
        Self::Val,
    ];
    /// Those that are evaluated unless others are asked for.
    pub const USUAL: [Self; 6] = [
        Self::Test,
        Self::Wide,
        Self::Deep,
        Self::Dense,
        Self::BnFree,
        Self::Zoo,
    ];

    const fn split(self) -> Option<Split> {
        match self {
            Self::Test => Some(Split::Test),
            Self::Wide => Some(Split::Wide),
            Self::Deep => Some(Split::Deep),
            Self::Dense => Some(Split::Dense),
            Self::BnFree => Some(Split::BnFree),
            Self::Val => Some(Split::Val),
            Self::Zoo => None,
        }
    }

    /// Names of its networks: the first `count` of a split, all of torchvision's.
    #[must_use]
    pub fn networks(self, count: usize) -> Vec<String> {
        match self.split() {
            Some(split) => deepnets::first_names(split, count),
            None => ZOO.map(str::to_owned).to_vec(),
        }
    }

    /// Its word on the command line and in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.split().map_or("zoo", Split::word)
    }

    /// The part of this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_json() {
        for part in Part::ALL {
            let json = serde_json::to_string(&part).unwrap();
            assert_eq!(json, format!("\"{}\"", part.word()));
            assert_eq!(Part::from_word(part.word()), Some(part));
        }
        assert_eq!(Part::from_word("train"), None);
    }

    #[test]
    fn a_split_has_as_many_networks_as_asked_for_and_the_zoo_has_its_own() {
        assert_eq!(
            Part::Deep.networks(2),
            ["deepnets/deep:0", "deepnets/deep:1"]
        );
        assert_eq!(Part::Zoo.networks(2).len(), ZOO.len());
    }
}
