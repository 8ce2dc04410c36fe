//! Post-processing as the paper's two published recipes set it; the training half of a recipe is the
//! [`train`](crate::train) room's.

/// The post-processing of a published recipe: noise, then orthogonal re-initialisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    pub name: &'static str,
    /// Strength of the noise.
    pub beta: f64,
    /// Number of the first layer treated, from 1.
    pub first_layer: usize,
}

/// The recipes of arXiv 2207.10049, as the published commands have them.
pub const RECIPES: &[Recipe] = &[
    Recipe {
        name: "resnet50",
        beta: 3e-5,
        first_layer: 37,
    },
    Recipe {
        name: "convnext_base",
        beta: 3e-5,
        // The report prints 100, by mistake.
        first_layer: 94,
    },
];

/// The recipe called `name`.
#[must_use]
pub fn recipe(name: &str) -> Option<&'static Recipe> {
    RECIPES.iter().find(|r| r.name == name)
}
