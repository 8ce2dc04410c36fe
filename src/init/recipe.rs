//! Post-processing as the paper's two published recipes set it; the training half of a recipe is the
//! [`train`](crate::train) room's.

use crate::arch::Arch;

/// The post-processing of a published recipe: noise, then orthogonal re-initialisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    pub name: &'static str,
    /// Strength of the noise.
    pub beta: f64,
    /// Number of the first layer treated, from 1.
    pub first_layer: usize,
    /// Layers that the recipe's own network has.
    pub layers: usize,
}

impl Recipe {
    /// The recipe for networks of the family of `arch`, a name: ConvNeXt's for every ConvNeXt, ResNet-50's for
    /// all others.
    #[must_use]
    pub fn of_family(arch: &str) -> &'static Self {
        let [resnet, convnext] = RECIPES;
        if arch.starts_with("convnext") {
            convnext
        } else {
            resnet
        }
    }

    /// Number of the first layer treated in `arch`: the published one for the recipe's own network, and
    /// in a network of another size the layer that lies at the same part of the way from the first layer
    /// to the last. The paper says nothing of other sizes; this is our choice.
    #[must_use]
    pub fn first_layer_in(&self, arch: &Arch) -> usize {
        let last = arch.matrix_modules().count().max(1) - 1;
        let part = (self.first_layer - 1) as f64 / (self.layers - 1) as f64;
        1 + (part * last as f64).round() as usize
    }
}

/// The recipes of arXiv 2207.10049, as the published commands have them.
pub const RECIPES: &[Recipe; 2] = &[
    Recipe {
        name: "resnet50",
        beta: 3e-5,
        first_layer: 37,
        layers: 54,
    },
    Recipe {
        name: "convnext_base",
        beta: 3e-5,
        // The report prints 100, by mistake.
        first_layer: 94,
        layers: 113,
    },
];

/// The recipe called `name`.
#[must_use]
pub fn recipe(name: &str) -> Option<&'static Recipe> {
    RECIPES.iter().find(|r| r.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::zoo::{self, Options};
    use crate::init::FirstLayer;

    fn first(of: &str, arch: &str) -> usize {
        let arch = zoo::build(arch, &Options::for_images(10, 32)).unwrap();
        recipe(of).unwrap().first_layer_in(&arch)
    }

    #[test]
    fn the_published_networks_begin_at_their_published_layers() {
        assert_eq!(first("resnet50", "resnet50"), 37);
        assert_eq!(first("convnext_base", "convnext_base"), 94);
        assert_eq!(first("convnext_base", "convnext_small"), 94);
    }

    #[test]
    fn other_sizes_begin_at_the_same_part_of_the_way() {
        // 36/53 of the way through 21 layers, 93/112 through 59.
        assert_eq!(first("resnet50", "resnet18"), 15);
        let tiny = zoo::build("convnext_tiny", &Options::for_images(10, 32)).unwrap();
        assert_eq!(first("convnext_base", "convnext_tiny"), 49);
        let named: FirstLayer = "features.6".parse().unwrap();
        assert_eq!(named.find(&tiny).unwrap(), 49);
    }
}
