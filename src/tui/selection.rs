//! The app's one selection: which architecture, which GHN, which post-processing.

use serde::{Deserialize, Serialize};

use crate::engine::protocol::{ArchSpec, PostSpec};

/// The name that stands for torchvision's own random initialisation instead of a GHN.
pub const RANDOM: &str = "random";

/// What all panels are views of; kept across starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    pub arch: ArchSpec,
    /// A GHN's name or file, or [`RANDOM`].
    pub ghn: String,
    /// Seed of the prediction: of `random`, and of what a GHN leaves to chance.
    pub seed: u64,
    pub post: PostSpec,
}

impl Default for Selection {
    fn default() -> Self {
        Self {
            arch: ArchSpec {
                name: "resnet50".to_owned(),
                classes: 1000,
                side: 224,
            },
            ghn: "default".to_owned(),
            seed: 1111,
            post: PostSpec {
                noise: true,
                orth: true,
                beta: 3e-5,
                layer: "37".to_owned(),
                seed: 1111,
            },
        }
    }
}

impl Selection {
    /// `ghn`, `ghn+noise`, `ghn+noise+orth`, `rand`...: how `--init` names the start.
    #[must_use]
    pub fn init(&self) -> String {
        let mut init = if self.ghn == RANDOM { "rand" } else { "ghn" }.to_owned();
        if self.post.noise {
            init += "+noise";
        }
        if self.post.orth {
            init += "+orth";
        }
        init
    }
}

impl Selection {
    /// What happens after the prediction, in words.
    #[must_use]
    pub const fn post_words(&self) -> &'static str {
        match (self.post.noise, self.post.orth) {
            (false, false) => "as predicted",
            (true, false) => "noise",
            (false, true) => "orth",
            (true, true) => "noise+orth",
        }
    }
}

/// A GHN's name without the folder and the ending of its file.
#[must_use]
pub fn short_ghn(name: &str) -> crate::text::Shown {
    let file = name.rsplit('/').next().unwrap_or(name);
    let stem = file
        .strip_suffix(".safetensors")
        .or_else(|| file.strip_suffix(".pt"))
        .unwrap_or(file);
    crate::text::Shown::new(stem)
}
