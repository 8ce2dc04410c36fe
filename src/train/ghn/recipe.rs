//! How a GHN is trained: what a recipe file says.

use serde::{Deserialize, Serialize};

use crate::arch::deepnets::VisitRule;
use crate::ghn::{Config, Decoder};

/// Everything that a training of a GHN depends on beside data and seed. As TOML, this is a recipe file; what it
/// does not say has the values of GHN-2's training (Knyazev et al. 2021, appendix A.4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GhnRecipe {
    /// Networks in a step: all see the same images.
    pub meta_batch: usize,
    /// Images in a step.
    pub batch: usize,
    /// Side of the images.
    pub image: usize,
    /// Passes over the training images.
    pub epochs: u32,
    pub optimizer: GhnOptimiserKind,
    /// Largest learning rate.
    pub lr: f64,
    pub weight_decay: f64,
    /// Share of the past in Adam's mean of the gradient's square.
    pub beta2: f64,
    /// Share of the steps in which the rate rises to it.
    pub warm_up: f64,
    pub schedule: GhnSchedule,
    /// Largest norm of the gradient.
    pub clip: f64,
    pub label_smoothing: f64,
    /// Weight of the predicted parameters' norms in the loss (GHN-3: 3e-5).
    pub penalty: f64,
    /// Which widths a visit to a network may choose.
    #[serde(with = "rule")]
    pub visits: VisitRule,
    /// Meta-batches with more nodes than this are drawn again.
    pub most_nodes: usize,
    /// Share of the past in the running average of weights that predicts; 0 for none.
    pub average: f64,
    /// How training begins: with smaller images or networks. In the order of time.
    pub stages: Vec<Stage>,
    /// Networks of the validation split that are looked at after every epoch.
    pub eval_networks: usize,
    /// Held-out images that they see.
    pub eval_images: usize,
    /// The GHN itself.
    pub ghn: Config,
}

/// A part of the training with images or networks of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stage {
    /// Share of all steps at which it ends.
    pub until: f64,
    /// Side of the images; 0 for the recipe's.
    pub image: usize,
    /// Most parameters of a network as it is stored; 0 for any number.
    pub most_parameters: usize,
}

/// The optimisers for GHNs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GhnOptimiserKind {
    /// Adam, with weight decay added to the gradient.
    Adam,
    /// Adam with decoupled weight decay.
    AdamW,
    /// Muon for the matrices of layers, AdamW for everything else.
    Muon,
}

impl GhnOptimiserKind {
    /// Its word in files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Adam => "adam",
            Self::AdamW => "adamw",
            Self::Muon => "muon",
        }
    }
}

/// How the learning rate falls after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GhnSchedule {
    /// To a tenth after two thirds of the steps, and again after five sixths (GHN-1, GHN-2).
    Step,
    /// Half a cosine to zero (GHN-3).
    Cosine,
}

impl Default for Stage {
    fn default() -> Self {
        Self {
            until: 1.0,
            image: 0,
            most_parameters: 0,
        }
    }
}

impl Default for GhnRecipe {
    fn default() -> Self {
        Self::ghn2()
    }
}

impl GhnRecipe {
    /// GHN-2 for CIFAR-10 as it was published.
    #[must_use]
    pub const fn ghn2() -> Self {
        Self {
            meta_batch: 8,
            batch: 64,
            image: 32,
            epochs: 300,
            optimizer: GhnOptimiserKind::Adam,
            lr: 1e-3,
            weight_decay: 1e-5,
            beta2: 0.999,
            warm_up: 0.0,
            schedule: GhnSchedule::Step,
            clip: 5.0,
            label_smoothing: 0.0,
            penalty: 0.0,
            visits: VisitRule::Ghn2,
            most_nodes: 2200,
            average: 0.0,
            stages: Vec::new(),
            eval_networks: 10,
            eval_images: 1000,
            ghn: Config::ghn2_cifar10(),
        }
    }

    /// GHN-3 for CIFAR-10 as its authors' code trains it.
    #[must_use]
    pub fn ghn3() -> Self {
        let ghn = Config::ghn3_imagenet(64, 3, 8);
        Self {
            optimizer: GhnOptimiserKind::AdamW,
            lr: 4e-4,
            weight_decay: 1e-2,
            warm_up: 5.0 / 300.0,
            schedule: GhnSchedule::Cosine,
            penalty: 3e-5,
            visits: VisitRule::Ghn3,
            ghn: Config {
                max_shape: [64, 64, 11, 11],
                num_classes: 10,
                ..ghn
            },
            ..Self::ghn2()
        }
    }

    /// GHN-3's training of a GHN with a low-rank decoder of the size of the smallest LoGAH (Zhou et al. 2024). Norms
    /// and biases are decoded as in GHN-3, in one piece.
    #[must_use]
    pub fn logah() -> Self {
        let ghn3 = Self::ghn3();
        Self {
            ghn: Config {
                max_shape: [2048, 2048, 11, 11],
                decoder: Decoder::LowRank {
                    rank: 32,
                    spread: 16 * 2048,
                },
                ..ghn3.ghn
            },
            ..ghn3
        }
    }

    /// The learning rate of a step, counted from 0, of so many, with `base` the largest.
    #[must_use]
    pub fn lr(&self, base: f64, step: u64, steps: u64) -> f64 {
        let steps = steps.max(1) as f64;
        let done = step as f64 / steps;
        let rising = self.warm_up * steps;
        if (step as f64) < rising {
            return base * (step as f64 + 1.0) / (rising + 1.0);
        }
        let factor = match self.schedule {
            GhnSchedule::Step if done < 2.0 / 3.0 => 1.0,
            GhnSchedule::Step if done < 5.0 / 6.0 => 0.1,
            GhnSchedule::Step => 0.01,
            GhnSchedule::Cosine => {
                let fallen = (done - self.warm_up) / (1.0 - self.warm_up);
                (1.0 + (std::f64::consts::PI * fallen).cos()) / 2.0
            }
        };
        base * factor
    }

    /// The stage of a step, counted from 0, of so many: that with the recipe's own images and any network
    /// after the last.
    #[must_use]
    pub fn stage(&self, step: u64, steps: u64) -> Stage {
        let done = step as f64 / steps.max(1) as f64;
        let stage = self.stages.iter().find(|stage| done < stage.until);
        let stage = stage.copied().unwrap_or_default();
        Stage {
            image: if stage.image == 0 {
                self.image
            } else {
                stage.image
            },
            ..stage
        }
    }

    /// What no training can have, in words.
    ///
    /// # Errors
    /// The first such number.
    pub fn check(&self) -> Result<(), String> {
        let positive = [
            ("meta_batch", self.meta_batch),
            ("batch", self.batch),
            ("image", self.image),
            ("epochs", self.epochs as usize),
            ("most_nodes", self.most_nodes),
        ];
        if let Some((name, _)) = positive.iter().find(|(_, n)| *n == 0) {
            return Err(format!("{name} must be at least 1"));
        }
        let shares = [
            ("warm_up", self.warm_up),
            ("beta2", self.beta2),
            ("average", self.average),
            ("label_smoothing", self.label_smoothing),
        ];
        if let Some((name, value)) = shares.iter().find(|(_, x)| !(0.0..1.0).contains(x)) {
            return Err(format!(
                "{name} must be at least 0 and less than 1, not {value}"
            ));
        }
        let numbers = [
            ("lr", self.lr),
            ("weight_decay", self.weight_decay),
            ("penalty", self.penalty),
        ];
        if let Some((name, value)) = numbers.iter().find(|(_, x)| !(x.is_finite() && *x >= 0.0)) {
            return Err(format!("{name} must be 0 or more, and finite, not {value}"));
        }
        if self.clip.is_nan() || self.clip <= 0.0 {
            return Err(format!("clip must be more than 0, not {}", self.clip));
        }
        let ends: Vec<f64> = self.stages.iter().map(|stage| stage.until).collect();
        if !ends.is_sorted() || ends.iter().any(|end| !(0.0..=1.0).contains(end)) {
            return Err(format!(
                "the stages must end one after another, not at {ends:?}"
            ));
        }
        Ok(())
    }
}

/// A rule by its word.
mod rule {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::VisitRule;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub fn serialize<S: Serializer>(rule: &VisitRule, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(rule.word())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<VisitRule, D::Error> {
        let word = String::deserialize(from)?;
        let mut all = VisitRule::ALL.into_iter();
        all.find(|rule| rule.word() == word)
            .ok_or_else(|| D::Error::custom("visits must be \"ghn2\" or \"ghn3\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_survives_its_file() {
        for mut recipe in [GhnRecipe::ghn2(), GhnRecipe::ghn3(), GhnRecipe::logah()] {
            recipe.stages = vec![Stage {
                until: 0.5,
                image: 16,
                most_parameters: 300_000,
            }];
            let text = toml::to_string_pretty(&recipe).unwrap();
            assert_eq!(
                toml::from_str::<GhnRecipe>(&text).unwrap(),
                recipe,
                "{text}"
            );
        }
        let partial: GhnRecipe = toml::from_str("lr = 2e-3\n[ghn]\nhid = 16\n").unwrap();
        assert_eq!(
            (partial.lr, partial.ghn.hid, partial.meta_batch),
            (2e-3, 16, 8)
        );
        assert!(toml::from_str::<GhnRecipe>("learning_rate = 1\n").is_err());
    }

    #[test]
    fn the_rate_rises_and_falls() {
        let recipe = GhnRecipe {
            warm_up: 0.1,
            ..GhnRecipe::ghn3()
        };
        let rate = |step| recipe.lr(1.0, step, 1000);
        assert!(rate(0) > 0.0 && rate(0) < 0.02);
        assert!(rate(99) < 1.0 && (rate(100) - 1.0).abs() < 1e-9);
        assert!((rate(550) - 0.5).abs() < 1e-9 && rate(999) < 1e-4);
        let published = GhnRecipe::ghn2();
        let rate = |step| published.lr(1.0, step, 300);
        assert_eq!(
            [rate(0), rate(199), rate(200), rate(250)],
            [1.0, 1.0, 0.1, 0.01]
        );
    }

    #[test]
    fn stages_end_where_they_say() {
        let recipe = GhnRecipe {
            stages: vec![Stage {
                until: 0.5,
                image: 16,
                most_parameters: 9,
            }],
            ..GhnRecipe::ghn2()
        };
        assert_eq!(recipe.stage(4, 10).image, 16);
        let last = recipe.stage(5, 10);
        assert_eq!((last.image, last.most_parameters), (32, 0));
    }

    #[test]
    fn senseless_numbers_are_named() {
        let said = |change: fn(&mut GhnRecipe)| {
            let mut recipe = GhnRecipe::ghn2();
            change(&mut recipe);
            recipe.check().unwrap_err()
        };
        assert!(said(|r| r.meta_batch = 0).contains("meta_batch"));
        assert!(said(|r| r.lr = f64::NAN).contains("lr"));
        assert!(said(|r| r.average = 1.0).contains("average"));
        assert!(said(|r| r.clip = 0.0).contains("clip"));
        for recipe in [GhnRecipe::ghn3(), GhnRecipe::logah()] {
            assert_eq!(recipe.check(), Ok(()));
            assert!(recipe.ghn.check("a recipe").is_ok());
        }
    }
}
