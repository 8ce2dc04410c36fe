//! What a file holds that should have held a GHN.

use crate::arch::zoo::{self, Options};
use crate::nn::StateDict;
use crate::text::Shown;

/// Names that are told of a file that is not recognised.
const NAMES_TOLD: usize = 4;
/// Longest of them, in characters.
const LONGEST_NAME: usize = 60;

/// What the tensors look like, as the end of a sentence about the file: a network of the zoo that has nearly
/// all their names and shapes, or the first names.
pub(super) fn describe(state: &StateDict) -> String {
    let networks = zoo::names().filter_map(|name| {
        let shared = shared(name, state)?;
        Some((shared, name))
    });
    if let Some((_, name)) = networks.max_by_key(|(shared, _)| *shared) {
        return format!("it looks like the parameters of {name} (torchvision)");
    }
    let names: Vec<String> = state
        .iter()
        .take(NAMES_TOLD)
        .map(|(name, _)| {
            let short: String = name.chars().take(LONGEST_NAME).collect();
            format!("\"{}\"", Shown::new(&short).as_str())
        })
        .collect();
    match state.len() {
        0 => "it holds no tensors".to_owned(),
        n if n <= NAMES_TOLD => format!("its tensors are called {}", names.join(", ")),
        n => format!(
            "its tensors are called {} and {} more names",
            names.join(", "),
            n - NAMES_TOLD
        ),
    }
}

/// How many tensors a network of the zoo has in common with the file, if that is nine tenths of both: the
/// layers for classes and for small images may differ.
fn shared(name: &str, state: &StateDict) -> Option<usize> {
    let arch = zoo::build(name, &Options::default()).ok()?;
    let specs = arch.tensors();
    let shared = specs
        .iter()
        .filter(|spec| state.get(&spec.name).is_some_and(|t| t.shape == spec.shape))
        .count();
    (10 * shared >= 9 * specs.len() && 10 * shared >= 9 * state.len()).then_some(shared)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Tensor, Values};

    fn state_of(name: &str, options: &Options) -> StateDict {
        let arch = zoo::build(name, options).unwrap();
        let tensors = arch.tensors().iter().map(|spec| {
            // Only shapes are looked at.
            let tensor = Tensor {
                shape: spec.shape.clone(),
                values: Values::F32(Vec::new()),
            };
            (spec.name.clone(), tensor)
        });
        tensors.collect()
    }

    #[test]
    fn networks_are_recognised_whatever_their_classes_and_images() {
        for name in ["resnet18", "resnet34", "convnext_tiny", "vit_b_16"] {
            let said = describe(&state_of(name, &Options::default()));
            assert!(said.contains(&format!("of {name} (")), "{said}");
        }
        let said = describe(&state_of("resnet18", &Options::for_images(10, 32)));
        assert!(said.contains("of resnet18 ("), "{said}");
    }

    #[test]
    fn other_tensors_are_called_by_their_names() {
        let mut state = StateDict::default();
        assert!(describe(&state).contains("no tensors"));
        state.insert("a\u{1b}[31m", Tensor::count(1));
        let said = describe(&state);
        assert!(said.contains("a␛[31m"), "{said}");
        for i in 0..9 {
            state.insert(format!("layer{i}"), Tensor::count(1));
        }
        let said = describe(&state);
        assert!(said.contains("\"layer2\" and 6 more"), "{said}");
    }
}
