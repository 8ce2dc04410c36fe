//! The app's one selection: which architecture, which GHN, which post-processing.

use serde::{Deserialize, Serialize};

use crate::engine::protocol::{ArchSpec, PostSpec};

/// The name that stands for torchvision's own random initialisation instead of a GHN.
pub const RANDOM: &str = "random";
/// The first layer that is post-processed, where the paper begins.
pub const AUTO: &str = "auto";

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
    /// Name of the architecture that the chosen one is compared with; not kept across starts.
    #[serde(skip)]
    pub second: Option<String>,
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
                layer: AUTO.to_owned(),
                seed: 1111,
            },
            second: None,
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
    /// The architecture compared with, for the same classes and images.
    #[must_use]
    pub fn second_arch(&self) -> Option<ArchSpec> {
        let name = self.second.clone()?;
        Some(ArchSpec {
            name,
            ..self.arch.clone()
        })
    }

    /// The name that moving in the list changes: the second one's while two are compared.
    pub fn pointed(&mut self) -> &mut String {
        self.second.as_mut().unwrap_or(&mut self.arch.name)
    }

    /// Exchanges the two that are compared.
    pub fn swap(&mut self) {
        if let Some(second) = &mut self.second {
            std::mem::swap(second, &mut self.arch.name);
        }
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
