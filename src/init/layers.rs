//! Which layers post-processing treats: counted from 1, begun by number or by name.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use super::InitError;
use super::recipe::Recipe;
use crate::arch::{Arch, Module, TensorRole, TensorSpec, alike};

/// The first layer that is treated, of those that own a weight of two or more dimensions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FirstLayer {
    /// Counted from 1; 0 means the first, too, as in the published code.
    Number(usize),
    /// A layer (`layer3.3.conv3`), its weight (`layer3.3.conv3.weight`), or a module that holds
    /// layers (`layer3`): then the first of them.
    Name(String),
    /// `auto`: where the published post-processing begins ([`Recipe::first_layer_in`]).
    Auto,
}

impl Default for FirstLayer {
    fn default() -> Self {
        Self::Number(1)
    }
}

impl FromStr for FirstLayer {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match (text.trim(), text.trim().parse()) {
            (_, Ok(number)) => Self::Number(number),
            ("auto", _) => Self::Auto,
            (name, _) => Self::Name(name.to_owned()),
        })
    }
}

impl fmt::Display for FirstLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => f.write_str(name),
            Self::Auto => f.write_str("auto"),
        }
    }
}

impl FirstLayer {
    /// The layer's number in `arch`, from 1.
    ///
    /// # Errors
    /// [`InitError::LayerNumber`] or [`InitError::LayerName`] if there is no such layer.
    pub fn find(&self, arch: &Arch) -> Result<usize, InitError> {
        let paths: Vec<&str> = arch.matrix_modules().map(|m| m.path.as_str()).collect();
        match self {
            Self::Auto => Ok(Recipe::of_family(arch.name()).first_layer_in(arch)),
            Self::Number(number) if *number <= paths.len() => Ok((*number).max(1)),
            Self::Number(number) => Err(InitError::LayerNumber {
                arch: arch.name().to_owned(),
                count: paths.len(),
                number: *number,
            }),
            Self::Name(name) => named(name, &paths).ok_or_else(|| InitError::LayerName {
                arch: arch.name().to_owned(),
                name: name.clone(),
                suggestions: alike(name, paths),
            }),
        }
    }
}

fn named(name: &str, paths: &[&str]) -> Option<usize> {
    let path = name.strip_suffix(".weight").unwrap_or(name);
    let is_below = |p: &&str| {
        p.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    let exact = paths.iter().position(|p| *p == path);
    exact
        .or_else(|| paths.iter().position(is_below))
        .map(|index| index + 1)
}

/// A layer that post-processing counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layer<'a> {
    pub number: usize,
    pub weight: &'a TensorSpec,
}

/// The counted layers of `arch`, in order.
pub(super) fn layers(arch: &Arch) -> impl Iterator<Item = Layer<'_>> {
    let weight = |module: &Module| {
        let tensors = &arch.tensors()[module.tensors.clone()];
        tensors.iter().find(|t| t.role == TensorRole::Weight)
    };
    let weights = arch.matrix_modules().filter_map(weight);
    weights
        .zip(1..)
        .map(|(weight, number)| Layer { number, weight })
}

/// The layers that are treated: from number `first` on, wider than `max_size`, without the last
/// one, the classifier.
pub(super) fn treated(arch: &Arch, first: usize, max_size: usize) -> Vec<Layer<'_>> {
    let mut all: Vec<Layer<'_>> = layers(arch).collect();
    all.pop();
    // The published code reads the channels off the weight: of a grouped convolution the inputs
    // count once a group.
    all.retain(|l| l.number >= first && l.weight.shape[0].max(l.weight.shape[1]) > max_size);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::zoo::{self, Options};

    fn number(arch: &str, layer: &str) -> Result<usize, String> {
        let arch = zoo::build(arch, &Options::default()).unwrap();
        let layer: FirstLayer = layer.parse().unwrap();
        layer.find(&arch).map_err(|e| e.to_string())
    }

    #[test]
    fn the_published_layers_have_their_published_numbers() {
        assert_eq!(number("resnet50", "layer3.3.conv3"), Ok(37));
        assert_eq!(number("resnet50", "layer3.3.conv3.weight"), Ok(37));
        assert_eq!(number("convnext_base", "features.5.24.block.0"), Ok(94));
        assert_eq!(number("resnet50", "fc"), Ok(54));
        assert_eq!(number("convnext_base", "classifier"), Ok(113));
        assert_eq!(number("resnet50", "0"), Ok(1));
        assert_eq!(number("resnet50", "auto"), Ok(37));
        assert_eq!(number("convnext_base", "auto"), Ok(94));
        assert_eq!(number("resnet18", "auto"), Ok(15));
    }

    #[test]
    fn a_module_stands_for_its_first_layer() {
        assert_eq!(number("resnet50", "layer1"), Ok(2));
        assert!(number("resnet50", "layer").is_err());
    }

    #[test]
    fn an_unknown_layer_is_told_apart_by_its_neighbours() {
        let message = number("resnet50", "layer3.3.conv9").unwrap_err();
        assert!(message.contains("layer3.3.conv"), "{message}");
        let message = number("resnet50", "55").unwrap_err();
        assert!(message.contains("54 layers"), "{message}");
    }

    #[test]
    fn the_last_layer_is_never_treated() {
        let arch = zoo::build("resnet50", &Options::default()).unwrap();
        let numbers: Vec<usize> = treated(&arch, 37, 0).iter().map(|l| l.number).collect();
        assert_eq!(numbers, (37..54).collect::<Vec<_>>());
    }
}
