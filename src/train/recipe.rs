//! Settings by name: the training half of the two published recipes (their post-processing is
//! [`init::recipe`](crate::init::recipe)'s), and what is used when nothing is said.

use super::optim::OptimiserKind;
use crate::init;

/// Settings of a fine-tuning run that a recipe fixes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    pub name: &'static str,
    pub optimiser: OptimiserKind,
    pub lr: f64,
    pub weight_decay: f64,
    pub epochs: u32,
    pub batch: usize,
    /// Images of each class to train on.
    pub shots: Option<usize>,
    /// Whether a part of the training images is kept for validation.
    pub val: bool,
    /// Side of the images, if not their own.
    pub side: Option<usize>,
}

/// The recipes of the paper's repository (arXiv:2207.10049): 100-shot CIFAR-10 at 32x32.
const PUBLISHED: [Recipe; 2] = [
    Recipe {
        name: "resnet50",
        optimiser: OptimiserKind::Sgd,
        lr: 0.01,
        weight_decay: 0.01,
        epochs: 300,
        batch: 96,
        shots: Some(100),
        val: true,
        side: Some(32),
    },
    Recipe {
        name: "convnext_base",
        optimiser: OptimiserKind::AdamW,
        lr: 0.001,
        weight_decay: 0.1,
        epochs: 300,
        batch: 48,
        shots: Some(100),
        val: true,
        side: Some(32),
    },
];

impl Recipe {
    /// The published recipe called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        PUBLISHED.into_iter().find(|r| r.name == name)
    }

    /// The published recipe for networks of the family of `arch`: ConvNeXt's for every ConvNeXt,
    /// ResNet-50's for all others. Only for ResNet-50 and ConvNeXt-Base are they the authors' own.
    #[must_use]
    pub fn of_family(arch: &str) -> Self {
        let name = init::Recipe::of_family(arch).name;
        Self::named(name).expect("both halves of a recipe have one name")
    }

    /// Names of the published recipes.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PUBLISHED.iter().map(|r| r.name)
    }

    /// What is used without a recipe: the protocol's own values with SGD, and ConvNeXt's recipe for
    /// AdamW, which is what ConvNeXt takes unless told otherwise. 50 epochs, as in the protocol of
    /// 2021.
    #[must_use]
    pub fn default_for(arch: &str, asked: Option<OptimiserKind>) -> Self {
        let optimiser = asked.unwrap_or_else(|| Self::of_family(arch).optimiser);
        let (lr, weight_decay, batch) = match optimiser {
            OptimiserKind::Sgd => (0.025, 3e-4, 96),
            OptimiserKind::AdamW => (0.001, 0.1, 48),
        };
        Self {
            name: "",
            optimiser,
            lr,
            weight_decay,
            epochs: 50,
            batch,
            shots: None,
            val: false,
            side: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_optimiser_of_a_network_is_its_own_unless_told_otherwise() {
        let of = |arch, asked| Recipe::default_for(arch, asked);
        assert_eq!(of("resnet18", None).optimiser, OptimiserKind::Sgd);
        let adamw = of("convnext_tiny", None);
        assert_eq!(adamw.optimiser, OptimiserKind::AdamW);
        assert_eq!(of("resnet18", Some(OptimiserKind::AdamW)).lr, adamw.lr);
    }

    #[test]
    fn the_published_recipes_have_their_names() {
        assert!(Recipe::names().all(|name| Recipe::named(name).is_some()));
        assert_eq!(Recipe::named("resnet50").map(|r| r.epochs), Some(300));
        assert_eq!(Recipe::named("resnet18"), None);
    }

    #[test]
    fn a_network_takes_the_recipe_of_its_family() {
        let of = |arch| Recipe::of_family(arch).name;
        assert_eq!(of("resnet50"), "resnet50");
        assert_eq!(of("resnet18"), "resnet50");
        assert_eq!(of("convnext_tiny"), "convnext_base");
    }
}
